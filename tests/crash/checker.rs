//! Compares the accounts of a run and names every contradiction. Pure.
//!
//! The promises are those of the service's users: nothing that was accepted is
//! lost, nothing else is deleted, every outcome is one that the vendors' ledgers
//! bear out, calls are repeated only where a process died, limits are kept, and
//! what was shown as over stays so. Shares no code with the service: it reads the
//! journal by its own statements and the ledgers as they are served.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Asked, Counted, Fate, Shown};
use super::config::{Limit, SHARE};
use super::evidence::{Evidence, Witness};
use super::journal::{Item, OUTCOMES};
use super::load::Target;
use super::stage::{Effect, LedgerRow};

/// Two clocks of one machine: the service's runs on from its start, the vendors' is set by others.
const CLOCKS_DIFFER_MS: i64 = 250;
/// A permit is kept for up to 250 ms, and calls arrive as the machine finds time for them.
const CALLS_BUNCH_S: f64 = 0.25;
/// Told of one kind at most; a run that is wrong throughout would print a book.
const TOLD: usize = 20;

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wrong {
    /// Accepted, and not there or without an outcome.
    Lost,
    /// There, and not asked for by an accepted request.
    Invented,
    /// An outcome that the ledgers contradict.
    Outcome,
    /// A call for something that no accepted request names.
    Unasked,
    /// More repeated calls than deaths.
    Repeated,
    /// Counts that do not add up.
    Counts,
    /// More calls in a second than the limit allows.
    Rate,
    /// Shown as over, and different later.
    Changed,
    /// Sent before it was accepted.
    Early,
    /// A nonce that was used twice.
    Nonce,
    /// The vendor's ledger and its assets disagree: the run proves nothing.
    Ledger,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<(Wrong, String)>,
    /// Items by outcome.
    pub(crate) outcomes: BTreeMap<&'static str, u64>,
    /// Of those that are deleted, how many by inference.
    pub(crate) inferred: u64,
    pub(crate) items: u64,
    /// Calls by account and action.
    pub(crate) calls: BTreeMap<(&'static str, String), u64>,
    /// Repeated delete calls by account and action.
    pub(crate) repeats: BTreeMap<(&'static str, String), u64>,
    /// Most calls in any second, by account and action, for those with a limit of ours.
    pub(crate) most_in_a_second: BTreeMap<(&'static str, String), u64>,
}

impl Findings {
    fn wrong(&mut self, what: Wrong, told: impl FnOnce() -> String) {
        let same = self.violations.iter().filter(|(known, _)| *known == what).count();
        self.violations.push((what, if same < TOLD { told() } else { String::new() }));
    }

    pub(crate) fn kinds(&self) -> BTreeSet<Wrong> {
        self.violations.iter().map(|(kind, _)| *kind).collect()
    }

    /// The violations, for people.
    pub(crate) fn told(&self) -> String {
        let lines = self.violations.iter().filter(|(_, told)| !told.is_empty());
        let lines: Vec<String> = lines.map(|(kind, told)| format!("\n{kind:?}: {told}")).collect();
        format!("{} violations{}", self.violations.len(), lines.concat())
    }
}

/// What of an asset is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Whole,
    Source,
    Part,
}

/// Something that can be deleted once.
type Key = (String, String, Scope);

fn key_of(target: &Target) -> Key {
    let scope = match target.kind.as_str() {
        "source" => Scope::Source,
        "renditions" | "snapshots" => Scope::Part,
        _ => Scope::Whole,
    };
    (target.account.clone(), target.id.clone(), scope)
}

fn target_of(item: &Item) -> Target {
    Target::new(&item.account, &item.kind, &item.name)
}

fn scope_of(part: Option<&str>) -> Scope {
    match part {
        None => Scope::Whole,
        Some("source" | "OriginalFiles:0") => Scope::Source,
        Some(_) => Scope::Part,
    }
}

/// What a delete call was about. Where the vendor does not tell, as after a reset, the action does.
fn keys_of(account: &str, row: &LedgerRow) -> BTreeSet<Key> {
    if row.effects.is_empty() {
        let scope = match row.action.as_str() {
            "DeleteMezzanines" => Scope::Source,
            "DeleteStream" | "DeleteImage" => Scope::Part,
            _ => Scope::Whole,
        };
        return row.ids.iter().map(|id| (account.to_owned(), id.clone(), scope)).collect();
    }
    let key = |effect: &Effect| (account.to_owned(), effect.id.clone(), scope_of(effect.part.as_deref()));
    row.effects.iter().map(key).collect()
}

fn is_delete(row: &LedgerRow) -> bool {
    row.action.starts_with("Delete")
}

/// Every contradiction in a run.
pub(crate) fn check(evidence: &Evidence) -> Findings {
    let mut found = Findings::default();
    requests(evidence, &mut found);
    counts(evidence, &mut found);
    views(evidence, &mut found);
    let asked = asked_keys(evidence);
    let worked = calls(evidence, &asked, &mut found);
    outcomes(evidence, &worked, &mut found);
    found
}

/// What was asked against what is journaled: all of each accepted request, nothing else.
fn requests(evidence: &Evidence, found: &mut Findings) {
    let journal = &evidence.journal;
    let mut items: BTreeMap<i64, Vec<&Item>> = BTreeMap::new();
    for item in &journal.items {
        items.entry(item.deletion).or_default().push(item);
        if item.outcome.is_none() {
            found.wrong(Wrong::Lost, || format!("without an outcome: {item:?}"));
        }
        if item.sending {
            found.wrong(Wrong::Lost, || format!("still handed out: {item:?}"));
        }
    }
    let by_label: BTreeMap<&str, &Asked> =
        evidence.asked.iter().map(|asked| (asked.label.as_str(), asked)).collect();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for deletion in &journal.deletions {
        let label = deletion.label.as_str();
        let twice = !seen.insert(label);
        let Some(asked) = by_label.get(label).filter(|_| !twice) else {
            found.wrong(Wrong::Invented, || format!("nobody asked for {deletion:?}"));
            continue;
        };
        match &asked.fate {
            Fate::Refused(status) => {
                found.wrong(Wrong::Invented, || format!("{label} was refused with {status}: {deletion:?}"));
            }
            Fate::Accepted(id) if *id != deletion.id => {
                found.wrong(Wrong::Invented, || format!("{label} was accepted as {id}: {deletion:?}"));
            }
            Fate::Accepted(_) | Fate::Unknown => {}
        }
        let empty = Vec::new();
        let items = items.get(&deletion.seq).unwrap_or(&empty);
        whole(asked, items, found);
        if !deletion.finished {
            found.wrong(Wrong::Lost, || format!("not finished: {deletion:?}"));
        }
    }
    for asked in &evidence.asked {
        if matches!(asked.fate, Fate::Accepted(_)) && !seen.contains(asked.label.as_str()) {
            found.wrong(Wrong::Lost, || format!("{} was accepted and is not there", asked.label));
        }
    }
    let orphans =
        journal.items.iter().filter(|item| !journal.deletions.iter().any(|d| d.seq == item.deletion));
    for item in orphans {
        found.wrong(Wrong::Invented, || format!("of no deletion: {item:?}"));
    }
}

/// A request's items: each at its place, none missing, none more.
fn whole(asked: &Asked, items: &[&Item], found: &mut Findings) {
    let journaled: BTreeMap<u32, Target> = items.iter().map(|item| (item.index, target_of(item))).collect();
    for (index, target) in (0..).zip(&asked.targets) {
        match journaled.get(&index) {
            Some(known) if known == target => {}
            Some(other) => found.wrong(Wrong::Invented, || {
                format!("{} asked for {target:?} at {index}, the journal has {other:?}", asked.label)
            }),
            None => found.wrong(Wrong::Lost, || format!("{}: {target:?} at {index}", asked.label)),
        }
    }
    for (index, target) in journaled.iter().filter(|(index, _)| **index as usize >= asked.targets.len()) {
        found.wrong(Wrong::Invented, || format!("{}: {target:?} at {index}", asked.label));
    }
}

/// Counts of the journal, of the API now and of every earlier look.
fn counts(evidence: &Evidence, found: &mut Findings) {
    let mut recounted: BTreeMap<i64, ([u64; OUTCOMES.len()], u64)> = BTreeMap::new();
    for item in &evidence.journal.items {
        let entry = recounted.entry(item.deletion).or_default();
        entry.1 += 1;
        for (count, outcome) in entry.0.iter_mut().zip(OUTCOMES) {
            *count += u64::from(item.outcome == Some(outcome));
        }
    }
    for deletion in &evidence.journal.deletions {
        let (by_outcome, total) = recounted.get(&deletion.seq).copied().unwrap_or_default();
        let ended: u64 = by_outcome.iter().sum();
        if (deletion.counts, deletion.total, deletion.ended) != (by_outcome, total, ended) {
            found.wrong(Wrong::Counts, || format!("{deletion:?} has items {by_outcome:?}, {total} in all"));
        }
        let shown = evidence.shown.get(&deletion.id).map(|(counted, _)| counted);
        let differs = |counted: &Counted| {
            let shown = OUTCOMES.map(|outcome| counted.counts.get(outcome).copied().unwrap_or_default());
            counted.state != "finished" || shown != by_outcome
        };
        if let Some(counted) = shown.filter(|counted| differs(counted)) {
            found.wrong(Wrong::Counts, || format!("{deletion:?} is shown as {counted:?}"));
        }
    }
    let now = evidence.shown.values().map(|(counted, _)| counted);
    let mut last: BTreeMap<&str, &Counted> = BTreeMap::new();
    for counted in evidence.counted.iter().chain(now) {
        let total = counted.counts.get("total").copied().unwrap_or_default();
        let rest: u64 = counted.counts.iter().filter(|(name, _)| *name != "total").map(|(_, n)| n).sum();
        if total != rest {
            found.wrong(Wrong::Counts, || format!("{rest} of {total}: {counted:?}"));
        }
        if let Some(earlier) = last.insert(&counted.deletion, counted)
            && OUTCOMES.iter().any(|outcome| counted.counts.get(*outcome) < earlier.counts.get(*outcome))
        {
            found.wrong(Wrong::Changed, || format!("{earlier:?} became {counted:?}"));
        }
    }
}

/// What the API shows and showed against the journal.
fn views(evidence: &Evidence, found: &mut Findings) {
    let ids: BTreeMap<i64, &str> =
        evidence.journal.deletions.iter().map(|deletion| (deletion.seq, deletion.id.as_str())).collect();
    let mut truth: BTreeMap<(&str, u32), Shown> = BTreeMap::new();
    for item in &evidence.journal.items {
        let outcome = item.outcome.map(str::to_owned);
        let shown = Shown { target: target_of(item), outcome, inferred: item.inferred };
        truth.insert((ids.get(&item.deletion).copied().unwrap_or_default(), item.index), shown);
    }
    for (id, (_, items)) in &evidence.shown {
        for (index, shown) in (0..).zip(items) {
            if truth.get(&(id.as_str(), index)) != Some(shown) {
                found.wrong(Wrong::Outcome, || format!("{id} {index} is shown as {shown:?}"));
            }
        }
        let journaled = truth.keys().filter(|(known, _)| known == id).count();
        if journaled > items.len() {
            found.wrong(Wrong::Lost, || format!("{id} shows {} of {journaled} items", items.len()));
        }
    }
    for (id, index, shown) in &evidence.sights {
        let now = truth.get(&(id.as_str(), *index));
        if now != Some(shown) {
            found.wrong(Wrong::Changed, || format!("{id} {index} was {shown:?} and is {now:?}"));
        }
    }
}

/// Who asked for what: how many deletions, and when the first was accepted.
fn asked_keys(evidence: &Evidence) -> BTreeMap<Key, (BTreeSet<i64>, i64)> {
    let accepted_at: BTreeMap<i64, i64> =
        evidence.journal.deletions.iter().map(|one| (one.seq, one.created_at_ms)).collect();
    let labels: BTreeMap<&str, &Asked> = evidence.asked.iter().map(|one| (one.label.as_str(), one)).collect();
    let mut asked: BTreeMap<Key, (BTreeSet<i64>, i64)> = BTreeMap::new();
    for deletion in &evidence.journal.deletions {
        let Some(one) = labels.get(deletion.label.as_str()) else { continue };
        // What was refused gives nobody the right to delete anything, journaled or not.
        if matches!(one.fate, Fate::Refused(_)) {
            continue;
        }
        let at = accepted_at.get(&deletion.seq).copied().unwrap_or_default();
        for target in &one.targets {
            let (deletions, first) = asked.entry(key_of(target)).or_insert((BTreeSet::new(), i64::MAX));
            deletions.insert(deletion.seq);
            *first = at.min(*first);
        }
    }
    asked
}

/// Every call of the ledgers; answers what was truly deleted.
fn calls(
    evidence: &Evidence,
    asked: &BTreeMap<Key, (BTreeSet<i64>, i64)>,
    found: &mut Findings,
) -> BTreeSet<Key> {
    let mut worked = BTreeSet::new();
    for witness in &evidence.witnesses {
        let account = witness.account;
        let mut sent: BTreeMap<Key, usize> = BTreeMap::new();
        let mut nonces: BTreeSet<&str> = BTreeSet::new();
        for row in &witness.ledger {
            *found.calls.entry((account, row.action.clone())).or_default() += 1;
            if row.nonce.as_deref().is_some_and(|nonce| !nonces.insert(nonce)) {
                found.wrong(Wrong::Nonce, || format!("{row:?}"));
            }
            if !is_delete(row) {
                continue;
            }
            let mut is_repeat = false;
            for key in keys_of(account, row) {
                let Some((deletions, accepted_at)) = asked.get(&key) else {
                    found.wrong(Wrong::Unasked, || format!("{key:?} in {row:?}"));
                    continue;
                };
                if row.time.as_millisecond() + CLOCKS_DIFFER_MS < *accepted_at {
                    found.wrong(Wrong::Early, || format!("{key:?} was accepted at {accepted_at}: {row:?}"));
                }
                let times = sent.entry(key).or_default();
                is_repeat |= *times >= deletions.len();
                *times += 1;
            }
            if is_repeat {
                *found.repeats.entry((account, row.action.clone())).or_default() += 1;
            }
            let effective = row.effects.iter().filter(|effect| effect.effective);
            worked.extend(effective.map(|e| (account.to_owned(), e.id.clone(), scope_of(e.part.as_deref()))));
        }
        testify(witness, &worked, found);
    }
    for ((account, action), repeats) in found.repeats.clone() {
        if repeats > evidence.deaths {
            let deaths = evidence.deaths;
            found
                .wrong(Wrong::Repeated, || format!("{repeats} calls of {account} {action}, {deaths} deaths"));
        }
    }
    for limit in &evidence.limits {
        rate(evidence, limit, found);
    }
    worked
}

/// What is gone must be what the ledger says went.
fn testify(witness: &Witness, worked: &BTreeSet<Key>, found: &mut Findings) {
    let told = |id: &String| worked.contains(&(witness.account.to_owned(), id.clone(), Scope::Whole));
    let wrong = witness.before.iter().filter(|id| told(id) == witness.after.contains(*id));
    for id in wrong {
        found.wrong(Wrong::Ledger, || format!("{} {id}: told deleted is {}", witness.account, told(id)));
    }
}

/// No second may hold more calls than `burst + rate`, but for those that bunch on their way.
fn rate(evidence: &Evidence, limit: &Limit, found: &mut Findings) {
    let Some(witness) = evidence.witnesses.iter().find(|witness| witness.account == limit.account) else {
        return;
    };
    let of_action = witness.ledger.iter().filter(|row| row.action == limit.action);
    let mut times: Vec<i64> = of_action.map(|row| row.time.as_millisecond()).collect();
    times.sort_unstable();
    let (mut first, mut most) = (0, 0_usize);
    for (last, time) in times.iter().enumerate() {
        while times[first] + 1_000 <= *time {
            first += 1;
        }
        most = most.max(last - first + 1);
    }
    let qps = f64::from(limit.qps);
    let rate = qps * SHARE;
    let burst = (qps - rate).max(1.0);
    found.most_in_a_second.insert((limit.account, limit.action.to_owned()), most as u64);
    if f64::from(u32::try_from(most).unwrap()) > burst + rate * (1.0 + CALLS_BUNCH_S) {
        found.wrong(Wrong::Rate, || format!("{most} calls in a second of {limit:?}"));
    }
}

/// Each outcome against what was truly done.
fn outcomes(evidence: &Evidence, worked: &BTreeSet<Key>, found: &mut Findings) {
    let mut told: BTreeMap<Key, BTreeSet<&str>> = BTreeMap::new();
    for item in &evidence.journal.items {
        if let Some(outcome) = item.outcome {
            told.entry(key_of(&target_of(item))).or_default().insert(outcome);
        }
    }
    let empty = BTreeSet::new();
    for item in &evidence.journal.items {
        found.items += 1;
        let Some(outcome) = item.outcome else { continue };
        *found.outcomes.entry(outcome).or_default() += 1;
        found.inferred += u64::from(item.inferred);
        let key = key_of(&target_of(item));
        let witness = evidence.witnesses.iter().find(|witness| witness.account == key.0);
        let stood = witness.is_some_and(|witness| witness.before.contains(&key.1));
        let stands = witness.is_some_and(|witness| witness.after.contains(&key.1));
        let gone_by_us = worked.contains(&key);
        let others = told.get(&key).unwrap_or(&empty);
        let leader = (item.deletion, item.same_as.unwrap_or(item.index));
        let why = match outcome {
            "deleted" if key.2 == Scope::Whole && stands => Some("it stands"),
            "deleted" if !item.inferred && !gone_by_us => Some("no delete of it worked"),
            "deleted" if item.inferred && stood && !gone_by_us => {
                Some("it was there and no delete of it worked")
            }
            "deleted" if item.inferred && !evidence.journal.doubtful.contains(&leader) => {
                Some("inferred, and no answer was lost")
            }
            // Of several deletions of one thing, one may have been first.
            "absent" if gone_by_us && !others.contains("deleted") => Some("our delete of it worked"),
            "absent" if key.2 == Scope::Whole && stands => Some("it stands"),
            "refused" | "busy" | "failed" if gone_by_us => Some("our delete of it worked"),
            "canceled" => Some("nobody canceled it"),
            _ => None,
        };
        if let Some(why) = why {
            found.wrong(Wrong::Outcome, || format!("{why}: {item:?}"));
        }
    }
}
