//! Playback is blocked while a delete waits, and opened again if it is called off.
//!
//! A block of ours must be lifted even if the process dies beside it, so it is noted before
//! it is asked for and the note is taken back where the vendor would not. What was blocked
//! before us is left alone, both ways: of two deletions that quarantine one asset the second
//! finds it blocked and does not lift, so the end of the first opens it. An asset under a hold
//! will not be deleted and is not blocked; a hold that comes later lifts nothing.
//!
//! Its own file because nothing here is about deletes. Calls are made by `errand.rs`; those that
//! block or lift are on record in the audit, which reads of this kind are not.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;
use super::errand::{self, Look, Told};
use crate::journal::audit::{self, Action, Entry, Ranges, SERVICE, Span};
use crate::journal::{self, CallRecord, Chore, ChoreWord, ItemFilter, ItemRow, Note, Noted, Quarantine};
use crate::providers::Verdict;
use crate::types::asset::Standing;
use crate::types::deletion::ItemState;
use crate::types::outcome::{AttemptClass, Outcome};
use crate::types::target::{AccountId, MediaId, Name, Target};

/// First pause before a lift is tried again, and the most that it grows to. Who canceled wants the
/// asset to play: it is tried as long as an item would be (`retry.max_age`).
const LIFT_PAUSE: Duration = Duration::from_secs(1);
const LIFT_PAUSE_MOST: Duration = Duration::from_mins(1);

/// One step of blocking, from an index on. When it is called off, what was noted stays.
pub(super) async fn block_step(
    shared: &Shared,
    chore: &Chore,
    from: u32,
    over: &CancellationToken,
) -> Result<(), journal::Error> {
    let waiting = ItemFilter { state: Some(ItemState::Pending), from, ..ItemFilter::default() };
    let rows = shared.journal.items(chore.seq, waiting, errand::PAGE).await?;
    let next = errand::next_page(&rows);
    let holds = shared.holds();
    let may_block = |target: &Target| shared.can_block(target) && holds.on(target, None).is_none();
    let mut marks: BTreeMap<u32, Quarantine> = BTreeMap::new();
    let (mut unknown, mut intended) = (Vec::new(), Vec::new());
    for row in &rows {
        match stance(row, may_block) {
            Stance::Settled => {}
            Stance::Cannot => drop(marks.insert(row.key.index, Quarantine::NotBlocked)),
            Stance::Intended(target) => intended.push((row.key.index, target)),
            Stance::Unknown(target) => unknown.push((row.key.index, target)),
        }
    }
    let targets: Vec<&Target> = unknown.iter().map(|(_, target)| *target).collect();
    let Some(looks) = errand::look(shared, &targets, over).await else { return Ok(()) };
    for ((index, target), look) in unknown.into_iter().zip(looks) {
        let mark = before_block(&look);
        marks.insert(index, mark);
        if mark == Quarantine::Blocked {
            intended.push((index, target));
        }
    }
    if intended.is_empty() {
        return write(shared, chore, ChoreWord::Quarantine, marks, next).await.map(drop);
    }
    // From here on a cancel lifts it, whatever becomes of this process.
    if !write(shared, chore, ChoreWord::Quarantine, marks, Some(from)).await? {
        return Ok(());
    }
    let Some(asked) = switch(shared, chore, &intended, false, over).await? else { return Ok(()) };
    let refused = |(index, told): (u32, Option<Told>)| {
        (after_block(told.as_ref()) == Quarantine::NotBlocked).then_some((index, Quarantine::NotBlocked))
    };
    let refused: BTreeMap<u32, Quarantine> = asked.into_iter().filter_map(refused).collect();
    if !refused.is_empty() {
        tracing::warn!(deletion.id = %chore.id, items = refused.len(), "playback of some items could not be blocked");
    }
    write(shared, chore, ChoreWord::Quarantine, refused, next).await.map(drop)
}

/// One step of lifting our blocks, from an index on.
pub(super) async fn lift_step(
    shared: &Shared,
    chore: &Chore,
    mut from: u32,
    over: &CancellationToken,
) -> Result<(), journal::Error> {
    loop {
        let filter = ItemFilter { from, ..ItemFilter::default() };
        let rows = shared.journal.items(chore.seq, filter, errand::PAGE).await?;
        let next = errand::next_page(&rows);
        let mut ours: Vec<(u32, &Target)> = rows.iter().filter_map(to_lift).collect();
        if let (true, Some(next)) = (ours.is_empty(), next)
            && !over.is_cancelled()
        {
            from = next;
            continue;
        }
        let (begun, mut pause) = (shared.clock.uptime(), LIFT_PAUSE);
        let marks: BTreeMap<u32, Quarantine> = loop {
            let Some(asked) = switch(shared, chore, &ours, true, over).await? else { return Ok(()) };
            let is_over = shared.clock.uptime().saturating_sub(begun) >= shared.policy.max_age;
            let (again, told): (Vec<_>, Vec<_>) =
                asked.into_iter().partition(|(_, told)| !is_over && may_lift_later(told.as_ref()));
            let marks = told.into_iter().map(|(index, told)| (index, after_lift(told.as_ref()))).collect();
            if again.is_empty() {
                break marks;
            }
            // They keep their mark, and the page is not behind us: a restart begins with it again.
            if !write(shared, chore, ChoreWord::Lift, marks, Some(from)).await? {
                return Ok(());
            }
            tracing::warn!(deletion.id = %chore.id, items = again.len(), "playback could not be opened yet; it is tried again");
            ours.retain(|(index, _)| again.iter().any(|(other, _)| other == index));
            tokio::select! {
                () = over.cancelled() => return Ok(()),
                () = shared.clock.sleep(pause) => pause = (pause * 2).min(LIFT_PAUSE_MOST),
            }
        };
        let left = marks.values().filter(|mark| **mark == Quarantine::NotLifted).count();
        if write(shared, chore, ChoreWord::Lift, marks, next).await? && left > 0 {
            shared.metrics.not_lifted.inc_by(u64::try_from(left).unwrap_or(u64::MAX));
            tracing::warn!(deletion.id = %chore.id, items = left,
                "blocked playback could not be opened again: open it at the vendor's");
        }
        return Ok(());
    }
}

/// Notes a step; whether the work is still to be done.
async fn write(
    shared: &Shared,
    chore: &Chore,
    word: ChoreWord,
    marks: BTreeMap<u32, Quarantine>,
    next: Option<u32>,
) -> Result<bool, journal::Error> {
    let note = |(index, mark)| (index, Note { found: None, quarantine: Some(mark) });
    let notes = marks.into_iter().map(note).collect();
    let is_due = shared.journal.note(chore.seq, Noted { chore: word, notes, next }).await?;
    shared.journal_works();
    if next.is_none() {
        shared.wakes.wake(&chore.id);
    }
    Ok(is_due)
}

/// How an item stands when its page is looked at.
#[derive(Debug, PartialEq)]
enum Stance<'a> {
    /// Nothing is to be done: its mark was made by a step before this one.
    Settled,
    /// It is not to be blocked.
    Cannot,
    /// A step before this one was about to block it, and perhaps did.
    Intended(&'a Target),
    /// Whether it is blocked already must be asked.
    Unknown(&'a Target),
}

fn stance(row: &ItemRow, may_block: impl Fn(&Target) -> bool) -> Stance<'_> {
    let Some(wanted) = &row.wanted else { return Stance::Settled };
    match row.note.as_ref().and_then(|note| note.quarantine) {
        // To ask first would take our own block for somebody else's.
        Some(Quarantine::Blocked) => Stance::Intended(&wanted.target),
        Some(_) => Stance::Settled,
        None if may_block(&wanted.target) => Stance::Unknown(&wanted.target),
        None => Stance::Cannot,
    }
}

/// What is noted before a block is asked for. Only what is known to play is blocked, or its lift
/// could undo somebody else's block.
fn before_block(look: &Look) -> Quarantine {
    let Look::Told(Told { verdict: Verdict::Facts(facts), .. }) = look else {
        return Quarantine::NotBlocked;
    };
    match (facts.standing, facts.is_blocked) {
        (Standing::Missing, _) | (_, None) => Quarantine::NotBlocked,
        (_, Some(true)) => Quarantine::BlockedBefore,
        (_, Some(false)) => Quarantine::Blocked,
    }
}

/// What a block came to. Where that is not known it counts as one, so that it is lifted.
fn after_block(told: Option<&Told>) -> Quarantine {
    match told {
        Some(Told { verdict: Verdict::Done, .. }) => Quarantine::Blocked,
        Some(Told { verdict: Verdict::Absent, .. }) | None => Quarantine::NotBlocked,
        Some(Told { in_doubt, .. }) => {
            if *in_doubt {
                Quarantine::Blocked
            } else {
                Quarantine::NotBlocked
            }
        }
    }
}

/// The target of an item whose block is ours and still matters.
fn to_lift(row: &ItemRow) -> Option<(u32, &Target)> {
    let is_ours = row.note.as_ref().is_some_and(|note| note.quarantine == Some(Quarantine::Blocked));
    let outcome = row.ending.as_ref().map(|ending| ending.outcome);
    let is_gone = matches!(outcome, Some(Outcome::Deleted | Outcome::Absent));
    (is_ours && !is_gone).then_some((row.key.index, &row.wanted.as_ref()?.target))
}

/// Whether a lift that did not work may work later: the vendor was not there, was busy, or did not tell.
fn may_lift_later(told: Option<&Told>) -> bool {
    let again = |told: &Told| {
        matches!(told.verdict, Verdict::Again(_) | Verdict::Doubtful { .. } | Verdict::Fault(_))
    };
    told.is_some_and(again)
}

/// What a lift came to.
fn after_lift(told: Option<&Told>) -> Quarantine {
    match told.map(|told| &told.verdict) {
        Some(Verdict::Done) => Quarantine::Lifted,
        // Nothing is left there that could be blocked.
        Some(Verdict::Absent) => Quarantine::NotBlocked,
        Some(_) | None => Quarantine::NotLifted,
    }
}

/// Assets by account, each once, and the items that name them.
type Assets<'a> = BTreeMap<&'a AccountId, Vec<(&'a MediaId, Vec<u32>)>>;

fn assets<'a>(items: &[(u32, &'a Target)]) -> Assets<'a> {
    let mut assets: Assets<'a> = BTreeMap::new();
    let mut places: HashMap<(&AccountId, &MediaId), usize> = HashMap::with_capacity(items.len());
    for (index, target) in items {
        let Name::Id(id) = &target.name else { continue };
        let of_account = assets.entry(&target.account).or_default();
        let place = *places.entry((&target.account, id)).or_insert_with(|| {
            of_account.push((id, Vec::new()));
            of_account.len() - 1
        });
        if let Some((_, whom)) = of_account.get_mut(place) {
            whom.push(*index);
        }
    }
    assets
}

/// What came of each item; nothing of one whose account cannot do it any more.
type Switched = Vec<(u32, Option<Told>)>;

/// Blocks or opens the playback of these items' assets, each asset once, and has it on record;
/// `None` if it was called off.
async fn switch(
    shared: &Shared,
    chore: &Chore,
    items: &[(u32, &Target)],
    lift: bool,
    over: &CancellationToken,
) -> Result<Option<Switched>, journal::Error> {
    let mut switched: BTreeMap<u32, Option<Told>> = items.iter().map(|(index, _)| (*index, None)).collect();
    for (id, assets) in assets(items) {
        let Some(account) = shared.accounts.get(id) else { continue };
        let (mut ahead, mut calls, mut is_off) = (assets.as_slice(), Vec::new(), false);
        while let Some((first, _)) = ahead.first().filter(|_| !is_off) {
            let one = account.provider.block(&[MediaId::clone(first)], lift);
            let Some(most) = one.map(|call| call.operation.items_per_call.max(1)) else { break };
            let (some, rest) = ahead.split_at(most.min(ahead.len()));
            let ids: Vec<MediaId> = some.iter().map(|(id, _)| MediaId::clone(id)).collect();
            let Some(call) = account.provider.block(&ids, lift) else { break };
            let asked = errand::ask(shared, account, &call, over).await;
            for ((_, whom), told) in some.iter().zip(asked.told) {
                switched.extend(whom.iter().map(|index| (*index, Some(told.clone()))));
            }
            calls.extend(asked.calls.into_iter().map(|(call, entries)| {
                let whom = entries.into_iter().filter_map(|at| some.get(at)).flat_map(|(_, whom)| whom);
                (call, whom.copied().collect::<Vec<u32>>())
            }));
            (ahead, is_off) = (rest, asked.is_off);
        }
        let records = records(chore, id, lift, &calls);
        if !records.is_empty() {
            shared.journal.audit(records).await?;
        }
        if is_off {
            return Ok(None);
        }
    }
    Ok(Some(switched.into_iter().collect()))
}

/// What the audit says of the calls of one step and account: that they were sent, and what was
/// answered. Pure.
fn records(chore: &Chore, account: &AccountId, lift: bool, calls: &[(CallRecord, Vec<u32>)]) -> Vec<Entry> {
    let Some((first, _)) = calls.first() else { return Vec::new() };
    let (mut ranges, mut digest) = (Ranges::default(), audit::NOTHING);
    let mut said: Vec<String> = Vec::new();
    for (call, indexes) in calls {
        for index in indexes {
            ranges.add(*index);
        }
        let items: Vec<_> = indexes.iter().map(|index| (*index, None)).collect();
        digest = audit::call_digest(&digest, call, &items);
        let word = audit::said(call);
        if !word.is_empty() && !said.contains(&word) {
            said.push(word);
        }
    }
    let what = if lift { "to open playback again" } else { "to block playback" };
    let what = format!("{} {what}, calls: {}", first.lane.operation, calls.len());
    let sent = Entry {
        actor: SERVICE.to_owned(),
        action: Action::Sent,
        account: Some(account.clone()),
        deletion: Some(chore.id.clone()),
        items: Some(Span { ranges: ranges.to_string(), count: ranges.count(), digest }),
        reason: Some(what.clone()),
        vendor_request_id: None,
    };
    let answered = calls.iter().any(|(call, _)| call.class != AttemptClass::Ambiguous).then(|| Entry {
        action: Action::Answered,
        reason: Some(format!("{what}, answers: {}", said.join(", "))),
        vendor_request_id: first.request_id.clone().filter(|_| calls.len() == 1),
        ..sent.clone()
    });
    std::iter::once(sent).chain(answered).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::journal::ChoreKind;
    use crate::providers::Again;
    use crate::types::asset::Facts;
    use crate::types::deletion::{DeletionId, IfAbsent, ItemKey, LaneId, Phase, Wanted};
    use crate::types::lifecycle::DeletionState;
    use crate::types::outcome::{Ending, ItemError, LaneReason, Reason};
    use crate::types::target::{OperationName, What};

    fn told(verdict: Verdict) -> Told {
        Told { verdict, in_doubt: false }
    }

    fn doubted(verdict: Verdict) -> Told {
        Told { verdict, in_doubt: true }
    }

    fn refused() -> Verdict {
        let error = ItemError::new(Reason::Protected, "no");
        Verdict::NotOk { outcome: Outcome::Refused, error, of_whole_call: false, maybe_account: false }
    }

    fn target(account: &str, id: &str, what: What) -> Target {
        let account = AccountId::parse(account).unwrap();
        Target { account, name: Name::Id(MediaId::parse(id).unwrap()), what }
    }

    fn row(quarantine: Option<Quarantine>, ending: Option<Ending>) -> ItemRow {
        ItemRow {
            key: ItemKey { deletion: 1, index: 7 },
            deletion: DeletionId::new(),
            deletion_state: DeletionState::Scheduled,
            wanted: Some(Wanted { target: target("a", "1", What::Media), label: None }),
            state: if ending.is_some() { ItemState::Done } else { ItemState::Pending },
            ending,
            outcome_seq: None,
            progress: None,
            attempts: 0,
            last_call: None,
            finished_at: None,
            same_as: None,
            coalesced_with: None,
            if_absent: IfAbsent::Ok,
            note: Some(Note { found: None, quarantine }),
        }
    }

    #[test]
    fn only_what_is_known_to_play_is_blocked() {
        let look = |standing, is_blocked| {
            let facts = Facts { is_blocked, ..Facts::only(standing) };
            Look::Told(told(Verdict::Facts(Box::new(facts))))
        };
        for (look, mark) in [
            (look(Standing::Stands, Some(false)), Quarantine::Blocked),
            (look(Standing::Stands, Some(true)), Quarantine::BlockedBefore),
            (look(Standing::Stands, None), Quarantine::NotBlocked),
            (look(Standing::Missing, Some(false)), Quarantine::NotBlocked),
            (Look::Told(told(Verdict::Absent)), Quarantine::NotBlocked),
            (Look::Told(told(Verdict::Again(Again::Unavailable))), Quarantine::NotBlocked),
            (Look::NoRead, Quarantine::NotBlocked),
        ] {
            assert_eq!(before_block(&look), mark, "{look:?}");
        }
    }

    #[test]
    fn a_block_that_may_stand_is_lifted_one_day() {
        for (told, mark) in [
            (told(Verdict::Done), Quarantine::Blocked),
            (doubted(Verdict::Doubtful { unanswered: true }), Quarantine::Blocked),
            (doubted(refused()), Quarantine::Blocked),
            (doubted(Verdict::Again(Again::Throttled)), Quarantine::Blocked),
            (doubted(Verdict::Absent), Quarantine::NotBlocked),
            (told(Verdict::Again(Again::Throttled)), Quarantine::NotBlocked),
            (told(refused()), Quarantine::NotBlocked),
        ] {
            assert_eq!(after_block(Some(&told)), mark, "{told:?}");
        }
        assert_eq!(after_block(None), Quarantine::NotBlocked);
    }

    #[test]
    fn a_lift_that_is_not_known_to_be_done_is_shown() {
        for (verdict, mark) in [
            (Verdict::Done, Quarantine::Lifted),
            (Verdict::Absent, Quarantine::NotBlocked),
            (Verdict::Doubtful { unanswered: true }, Quarantine::NotLifted),
            (Verdict::Fault(LaneReason::Suspended), Quarantine::NotLifted),
            (refused(), Quarantine::NotLifted),
        ] {
            assert_eq!(after_lift(Some(&told(verdict))), mark);
        }
        assert_eq!(after_lift(None), Quarantine::NotLifted, "its account is gone");
    }

    #[test]
    fn an_asset_is_named_once_however_many_items_do() {
        let whole = target("a", "1", What::Media);
        let source = target("a", "1", What::Source { force: false });
        let (other, elsewhere) = (target("a", "2", What::Media), target("b", "1", What::Media));
        let items = [(0, &whole), (1, &other), (2, &source), (3, &elsewhere), (4, &whole)];
        let by_account: Vec<Vec<(&str, Vec<u32>)>> = assets(&items)
            .into_values()
            .map(|assets| assets.into_iter().map(|(id, whom)| (id.as_str(), whom)).collect())
            .collect();
        assert_eq!(by_account, [vec![("1", vec![0, 2, 4]), ("2", vec![1])], vec![("1", vec![3])]]);
    }

    #[test]
    fn calls_that_change_something_at_the_vendor_are_on_record() {
        let account = AccountId::parse("a").unwrap();
        let id = DeletionId::new();
        let chore = Chore { seq: 1, id: id.clone(), kind: ChoreKind::Lift { from: 0 } };
        let call = |class, status, request: Option<&str>| CallRecord {
            lane: LaneId { account: account.clone(), operation: OperationName::known("Forbid") },
            phase: Phase::Resolve,
            started_at: Timestamp::UNIX_EPOCH,
            duration: Duration::ZERO,
            class,
            status,
            vendor_code: None,
            request_id: request.map(ToOwned::to_owned),
        };
        let lost = (call(AttemptClass::Ambiguous, None, None), vec![0, 1, 4]);
        let [sent] = &records(&chore, &account, false, std::slice::from_ref(&lost))[..] else {
            panic!("no answer came")
        };
        assert_eq!(
            (sent.action, sent.reason.as_deref()),
            (Action::Sent, Some("Forbid to block playback, calls: 1"))
        );
        assert_eq!(sent.items.as_ref().map(|span| (span.ranges.as_str(), span.count)), Some(("0-1,4", 3)));
        let told = (call(AttemptClass::Answered, Some(200), Some("r1")), vec![0]);
        let both = records(&chore, &account, true, &[lost, told.clone()]);
        assert_eq!(both[1].reason.as_deref(), Some("Forbid to open playback again, calls: 2, answers: 200"));
        assert_eq!((&both[1].deletion, both[1].vendor_request_id.as_deref()), (&Some(id), None), "whose?");
        let one = records(&chore, &account, true, &[told]);
        assert_eq!(one[1].vendor_request_id.as_deref(), Some("r1"));
        assert!(records(&chore, &account, true, &[]).is_empty());
    }

    #[test]
    fn what_an_earlier_step_was_about_to_block_is_not_asked_about() {
        let (yes, no) = (|_: &Target| true, |_: &Target| false);
        let fresh = row(None, None);
        assert!(matches!(stance(&fresh, yes), Stance::Unknown(_)));
        assert_eq!(stance(&fresh, no), Stance::Cannot);
        assert!(matches!(stance(&row(Some(Quarantine::Blocked), None), yes), Stance::Intended(_)));
        for settled in [Quarantine::BlockedBefore, Quarantine::NotBlocked] {
            assert_eq!(stance(&row(Some(settled), None), yes), Stance::Settled);
        }
    }

    #[test]
    fn only_our_own_blocks_of_what_still_stands_are_lifted() {
        let canceled = Ending::canceled();
        let row = |quarantine, ending| row(Some(quarantine), ending);
        let lifts = |row: &ItemRow| to_lift(row).map(|(index, _)| index);
        assert_eq!(lifts(&row(Quarantine::Blocked, Some(canceled))), Some(7));
        assert_eq!(lifts(&row(Quarantine::Blocked, None)), Some(7));
        assert_eq!(lifts(&row(Quarantine::Blocked, Some(Ending::deleted()))), None);
        for not_ours in [Quarantine::BlockedBefore, Quarantine::NotBlocked, Quarantine::Lifted] {
            assert_eq!(lifts(&row(not_ours, None)), None);
        }
    }
}
