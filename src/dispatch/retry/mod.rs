//! What follows from a verdict: the next step, or the outcome. Pure.
//!
//! The one place that acts on retryability. A verdict comes from a provider, one
//! per item of a call; what comes out is the item's change for the journal. The
//! rules, in the order of harm: a delete whose effect is not known is never
//! called failed or absent; it is settled by a read where one exists, and sent
//! again only where that cannot hit another object. Nothing here waits or sends.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::RngExt;

use super::batch::Load;
use super::resolve;
use super::settle;
use crate::journal::{Change, Next};
use crate::providers::{Again, Entry, Operation, Provider, ReadFirst, Repeat, Verdict};
use crate::types::asset::{Facts, Standing};
use crate::types::deletion::{Asked, Doubt, DoubtKind, ItemKey, Part, Phase, Progress, Step};
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};
use crate::types::target::OperationName;

/// How an item that ended not ok is opened again.
pub mod reopen;

/// Longest time after which a delete that is not safe to repeat may still be
/// repeated: soon enough that the same selector cannot mean a new object (FAULTS.md, 2).
pub const BRIEFLY: Duration = Duration::from_mins(1);
/// How long a read holds that a delete is made on the strength of.
pub const READ_HOLDS: Duration = Duration::from_secs(30);
/// First step of the back-off; the wait is drawn between nothing and the step.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Largest step of the back-off.
const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// Tries for a vendor code that is in no table.
const UNLISTED_TRIES: u32 = 3;
/// Stands between a call's group and the mark that keeps some of it apart. No
/// provider's group holds it: it is in no id and in no URL.
const APART: char = '\u{1f}';
/// Tries after which an item of which "not found" stays unclear goes alone.
const TRIES_TOGETHER: u32 = 2;
/// Reads that may still be tried for a doubtful item whose tries are used up.
const LAST_READS: u32 = 4;

/// How often and how long an item is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Calls that count, at most.
    pub max_attempts: u32,
    /// Time since the deletion was accepted, at most.
    pub max_age: Duration,
    /// How long a vendor that did not answer may still be at work; no repeat before.
    pub cool_down: Duration,
}

/// What a verdict is judged by, besides the item.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The vendor.
    pub provider: &'a dyn Provider,
    /// The operation that was called.
    pub operation: &'static Operation,
    /// Items in the call.
    pub entries: usize,
    /// The vendor's error code, if it sent one.
    pub vendor_code: Option<&'a str>,
    /// When the call began.
    pub started_at: Timestamp,
    /// When it ended.
    pub now: Timestamp,
    /// The rules.
    pub policy: Policy,
    /// The account's retry budget is spent: wait as long as the back-off allows.
    pub overdrawn: bool,
    /// A number of this call, and which half of it this item stands in, should it be split.
    pub split: (u32, char),
}

/// What becomes of one item.
#[must_use]
pub fn judge(load: Load, verdict: Verdict, around: &Circumstances<'_>, chance: &mut impl RngExt) -> Change {
    let (key, generation) = (load.claimed.key, load.claimed.generation);
    let before = load.claimed.progress.clone();
    let mut case = Case { load, around, chance };
    let next = match case.load.claimed.step.phase {
        Phase::Resolve => case.resolved(verdict),
        Phase::Delete => case.deleted(verdict),
        Phase::Settle => case.settled(verdict),
    };
    let progress = worth_keeping(&case.load, &next, before.as_ref());
    Change { key, generation, progress, next }
}

/// What must happen instead of the delete that an item was handed out for, if it
/// has waited too long: the delete may not go out on what was true a while ago.
#[must_use]
pub fn overdue(load: &mut Load, provider: &dyn Provider, now: Timestamp) -> Option<Next> {
    if load.claimed.step.phase != Phase::Delete {
        return None;
    }
    // The source may go because a rendition was seen to play. That must still be so.
    let need = load.route.resolve.filter(|(_, need)| *need == ReadFirst::PlayableRendition);
    if let (Some((read, _)), Some(read_at)) = (need, load.progress.read_at)
        && now > later(read_at, READ_HOLDS)
    {
        return Some(next_step(load, provider, read, Phase::Resolve, load.claimed.accepted_at, true));
    }
    let late = |part: &Part| {
        let doubt = part.doubt.as_ref().filter(|doubt| part.is_open() && doubt.kind > DoubtKind::Unclear);
        doubt.is_some_and(|doubt| now > later(doubt.first_sent, BRIEFLY))
    };
    if load.route.repeat == Repeat::Always || !load.progress.parts.iter().any(late) {
        return None;
    }
    Some(match load.route.settle {
        // What a read shows gone is gone; what stands may be a new object and stays.
        Some(read) => {
            ask_again(&mut load.progress);
            next_step(load, provider, read, Phase::Settle, load.claimed.accepted_at, true)
        }
        None => Next::Ended(unsettled()),
    })
}

/// A plain item that ends at once leaves nothing to remember but its ending.
fn worth_keeping(load: &Load, next: &Next, before: Option<&Progress>) -> Option<Progress> {
    let plain = load.progress.parts.len() == 1 && load.progress.asset.is_none();
    let ended = matches!(next, Next::Ended(_));
    let untouched = load.progress.parts.iter().all(|part| *part == Part::named(part.name.clone()));
    let nothing_new = before.is_none() && plain && (ended || (untouched && load.progress.crowd.is_none()));
    (!nothing_new).then(|| load.progress.clone())
}

struct Case<'a, R> {
    load: Load,
    around: &'a Circumstances<'a>,
    chance: &'a mut R,
}

impl<R: RngExt> Case<'_, R> {
    // The read before a delete.

    fn resolved(&mut self, verdict: Verdict) -> Next {
        match verdict {
            Verdict::Facts(facts) => self.resolve(&facts),
            Verdict::Absent => self.ends_unsent(Ending::absent(), Standing::Missing),
            Verdict::NotOk { outcome, error, of_whole_call, .. } => {
                if of_whole_call && self.around.entries > 1 {
                    return self.split();
                }
                self.ends_unsent(Ending::not_ok(outcome, error), Standing::Untold)
            }
            Verdict::Again(why) => self.again(why),
            Verdict::Fault(_) => self.same_step_now(),
            Verdict::Unclear if self.around.entries > 1 => self.split(),
            // A read deletes nothing: whatever it left open, it may simply be made again.
            Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Deleted | Verdict::Done => {
                self.again(Again::Unavailable)
            }
        }
    }

    fn resolve(&mut self, facts: &Facts) -> Next {
        let Some((_, need)) = self.load.route.resolve else { return self.go_on() };
        match resolve::resolve(need, &self.load.claimed.target, &self.load.route.parts, facts) {
            Ok(mut progress) => {
                // The read before a repeat: what is not known of the delete before it stays so.
                for part in &mut progress.parts {
                    let known = self.load.progress.parts.iter().find(|known| known.name == part.name);
                    part.doubt = known.and_then(|known| known.doubt.clone());
                }
                self.load.progress = Progress { read_at: Some(self.around.now), ..progress };
                self.go_on()
            }
            Err(ending) => {
                let open = self.load.progress.parts.iter().find(|part| part.is_open() && part.may_be_gone());
                let seen = open.map_or(Standing::Untold, |part| settle::standing(&part.name, facts));
                self.ends_unsent(ending, seen)
            }
        }
    }

    /// A read ends the item before its delete, or before the repeat of one that may have worked:
    /// then "not found" is our doing, and only what the read shows standing is as it says.
    fn ends_unsent(&self, ending: Ending, seen: Standing) -> Next {
        let sent = self.load.progress.parts.iter().any(|part| part.is_open() && part.may_be_gone());
        Next::Ended(match seen {
            Standing::Missing if sent => Ending::inferred(),
            Standing::Untold if sent => unsettled(),
            Standing::Missing | Standing::Untold | Standing::Stands => ending,
        })
    }

    // The delete.

    fn deleted(&mut self, verdict: Verdict) -> Next {
        match verdict {
            Verdict::Deleted => {
                self.end_carried(|_| Ending::deleted());
                self.go_on()
            }
            Verdict::Absent => {
                self.end_carried(
                    |part| if part.may_be_gone() { Ending::inferred() } else { Ending::absent() },
                );
                self.go_on()
            }
            Verdict::NotOk { outcome, error, of_whole_call, .. } => {
                if of_whole_call && self.around.entries > 1 {
                    return self.split();
                }
                if of_whole_call && self.load.carried.len() > 1 {
                    return self.fewer_parts();
                }
                self.not_ok(outcome, &error)
            }
            Verdict::Unclear => self.unclear(),
            Verdict::Doubtful { unanswered } => {
                self.doubt(if unanswered { DoubtKind::Lost } else { DoubtKind::Answered });
                self.after_doubt()
            }
            Verdict::Again(why) => self.again(why),
            Verdict::Fault(_) => self.same_step_now(),
            Verdict::Facts(_) | Verdict::Done => {
                // A provider that reads instead of deleting has told us nothing of a delete.
                self.doubt(DoubtKind::Answered);
                self.after_doubt()
            }
        }
    }

    /// The vendor will not do it. After a lost answer that may be because it has
    /// been done: only `busy` and `protected` say that the part still stands.
    fn not_ok(&mut self, outcome: Outcome, error: &ItemError) -> Next {
        let proves = outcome == Outcome::Busy || error.code == Reason::Protected;
        let cool_down = self.around.policy.cool_down;
        let open = |part: &Part| !proves && part.may_be_gone() && !shown_standing(part, cool_down);
        let doubtful = self.load.carried.iter().any(|n| self.load.progress.parts.get(*n).is_some_and(open));
        if doubtful && let Some(read) = self.load.route.settle.filter(|_| !self.is_used_up()) {
            ask_again(&mut self.load.progress);
            return self.at(read, Phase::Settle, self.around.now, true);
        }
        self.end_carried(
            |part| if open(part) { unsettled() } else { Ending::not_ok(outcome, error.clone()) },
        );
        self.go_on()
    }

    /// "Not found", said of several: a read tells which; without one, fewer at a time do.
    fn unclear(&mut self) -> Next {
        if let Some(read) = self.load.route.settle {
            self.doubt(DoubtKind::Unclear);
            if self.tries() < self.around.policy.max_attempts {
                return self.at(read, Phase::Settle, self.around.now, true);
            }
            return self.give_up(Reason::VendorError);
        }
        if self.around.entries > 1 || self.load.carried.len() > 1 {
            // No read can tell whether the others of the call went, so from here on "not found" may be our doing.
            self.doubt(DoubtKind::Answered);
        }
        match (self.around.entries, self.load.carried.len()) {
            (2.., _) => self.split(),
            (_, 2..) => self.fewer_parts(),
            // "Not found" of one part of one item is clear.
            _ => self.deleted(Verdict::Absent),
        }
    }

    /// The effect of a delete is not known: ask, or wait and repeat.
    fn after_doubt(&mut self) -> Next {
        let soon = self.soon();
        match self.load.route.settle {
            Some(read) => self.at(read, Phase::Settle, soon, true),
            None if self.is_used_up() => self.give_up(Reason::Unavailable),
            None => self.repeat(true),
        }
    }

    // The read that settles.

    fn settled(&mut self, verdict: Verdict) -> Next {
        let facts = match verdict {
            Verdict::Facts(facts) => *facts,
            Verdict::Absent => Facts::only(Standing::Missing),
            Verdict::NotOk { of_whole_call: true, .. } | Verdict::Unclear if self.around.entries > 1 => {
                return self.split();
            }
            // The vendor will not tell; asking again will not change that.
            Verdict::NotOk { .. } => Facts::only(Standing::Untold),
            Verdict::Fault(_) => return self.same_step_now(),
            Verdict::Again(why) => return self.read_again(why),
            Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Deleted | Verdict::Done => {
                return self.read_again(Again::Unavailable);
            }
        };
        for n in self.load.carried.clone() {
            if let Some(part) = self.load.progress.parts.get_mut(n) {
                match settle::standing(&part.name, &facts) {
                    Standing::Missing if part.may_be_gone() => part.ending = Some(Ending::inferred()),
                    Standing::Missing => part.ending = Some(Ending::absent()),
                    seen @ (Standing::Stands | Standing::Untold) => {
                        if let Some(doubt) = &mut part.doubt {
                            let stands = seen == Standing::Stands;
                            doubt.asked = Some(Asked { at: self.around.now, stands });
                        }
                    }
                }
            }
        }
        if let Some(read) = self.load.route.settle
            && self.load.progress.parts.iter().any(Part::wants_read)
        {
            return self.at(read, Phase::Settle, self.load.claimed.accepted_at, false);
        }
        if self.is_used_up() && self.load.progress.parts.iter().any(Part::is_open) {
            return self.give_up(Reason::Unavailable);
        }
        self.repeat(false)
    }

    fn read_again(&mut self, why: Again) -> Next {
        let counts = self.counts(why);
        let spent = self.tries() >= self.around.policy.max_attempts + LAST_READS;
        if why == Again::QuotaUsedUp || spent || self.is_too_old() {
            return self.end_open(Reason::Unavailable);
        }
        let due = if counts { self.backed_off() } else { self.around.now };
        self.at(self.around.operation, Phase::Settle, due, counts)
    }

    /// Sends again what is open, where and when that is safe.
    fn repeat(&mut self, counts: bool) -> Next {
        let (now, policy) = (self.around.now, self.around.policy);
        let mut due = self.load.claimed.accepted_at;
        let backed_off = self.backed_off();
        for part in &mut self.load.progress.parts {
            let Some(doubt) = part.doubt.as_ref().filter(|_| part.ending.is_none()) else { continue };
            let not_before = match doubt.kind {
                DoubtKind::Unclear => continue,
                DoubtKind::Odd => now,
                DoubtKind::Answered => backed_off,
                DoubtKind::Lost => later(doubt.since, policy.cool_down).max(now),
            };
            if self.load.route.repeat == Repeat::Briefly && not_before > later(doubt.first_sent, BRIEFLY) {
                part.ending = Some(unsettled());
            } else {
                due = due.max(not_before);
            }
        }
        let next =
            self.ended().unwrap_or_else(|| self.at(self.load.route.delete, Phase::Delete, due, counts));
        if self.tries() >= TRIES_TOGETHER && self.is_unclear() { self.alone(next) } else { next }
    }

    /// Still "not found" of several although a read shows it: alone the answer is clear.
    fn is_unclear(&self) -> bool {
        let unclear = |part: &Part| part.doubt.as_ref().is_some_and(|doubt| doubt.kind == DoubtKind::Unclear);
        self.load.progress.parts.iter().any(|part| part.is_open() && unclear(part))
    }

    fn alone(&mut self, next: Next) -> Next {
        self.load.progress.crowd = Some(1);
        match next {
            Next::Again { step, due_at, counts } => {
                let ItemKey { deletion, index } = self.load.claimed.key;
                let group = format!("{}{APART}{deletion}.{index}", base(&step.group));
                Next::Again { step: Step { group, ..step }, due_at, counts }
            }
            ended @ Next::Ended(_) => ended,
        }
    }

    // Steps that all phases share.

    /// The item's next call if something is left to do, else its ending.
    fn go_on(&mut self) -> Next {
        let due = self.load.claimed.accepted_at;
        self.ended().unwrap_or_else(|| self.at(self.load.route.delete, Phase::Delete, due, false))
    }

    fn ended(&self) -> Option<Next> {
        self.load.progress.ending().map(Next::Ended)
    }

    /// Nothing was done: the same again, later.
    fn again(&mut self, why: Again) -> Next {
        let reason = match why {
            Again::Throttled | Again::QuotaUsedUp => Reason::Throttled,
            Again::Unlisted => Reason::VendorError,
            Again::NotSent | Again::Unavailable | Again::Resign => Reason::Unavailable,
        };
        let unlisted_spent = why == Again::Unlisted && self.tries() + 1 >= UNLISTED_TRIES;
        if why == Again::Unlisted && self.around.entries > 1 {
            // One odd id may be the cause; the others must not pay for it.
            return self.split();
        }
        if why == Again::Unlisted && self.load.claimed.step.phase == Phase::Delete {
            // Probably nothing was done; but if it is gone next time, it went by our hand.
            self.doubt(DoubtKind::Odd);
        }
        let counts = self.counts(why);
        let spent = counts && self.tries() + 1 >= self.around.policy.max_attempts;
        if why == Again::QuotaUsedUp || unlisted_spent || spent || self.is_too_old() {
            return self.give_up(reason);
        }
        let due = if counts { self.backed_off() } else { self.around.now };
        let phase = self.load.claimed.step.phase;
        self.at(self.around.operation, phase, due, counts)
    }

    /// Whether this attempt uses up a try. Throttling never does. Signing again does
    /// once it has been needed more often than any clock or key can explain.
    fn counts(&self, why: Again) -> bool {
        match why {
            Again::Throttled => false,
            Again::Resign => self.load.claimed.calls >= self.around.policy.max_attempts,
            Again::NotSent | Again::QuotaUsedUp | Again::Unavailable | Again::Unlisted => true,
        }
    }

    /// No more tries. What may be gone is looked for once more, when the vendor has
    /// surely come to rest; then everything that is open ends.
    fn give_up(&mut self, reason: Reason) -> Next {
        let cool_down = self.around.policy.cool_down;
        let open = |part: &&Part| {
            part.is_open() && part.doubt.as_ref().is_some_and(|d| d.kind >= DoubtKind::Answered)
        };
        let unasked: Vec<Timestamp> = self
            .load
            .progress
            .parts
            .iter()
            .filter(open)
            .filter_map(|part| part.doubt.as_ref())
            .filter(|doubt| doubt.asked.is_none_or(|asked| asked.at < at_rest(doubt, cool_down)))
            .map(|doubt| at_rest(doubt, cool_down))
            .collect();
        match (self.load.route.settle, unasked.into_iter().max()) {
            (Some(read), Some(at_rest)) => {
                ask_again(&mut self.load.progress);
                self.at(read, Phase::Settle, at_rest.max(self.around.now), true)
            }
            _ => self.end_open(reason),
        }
    }

    /// Everything that is open ends: as unknown where a delete may have worked, else as failed.
    fn end_open(&mut self, reason: Reason) -> Next {
        let code = self.around.vendor_code.map(str::to_owned);
        let cool_down = self.around.policy.cool_down;
        for part in self.load.progress.parts.iter_mut().filter(|part| part.ending.is_none()) {
            let kind = part.doubt.as_ref().map(|doubt| doubt.kind);
            let may_be_gone = kind >= Some(DoubtKind::Answered) && !shown_standing(part, cool_down);
            part.ending = Some(if may_be_gone { unsettled() } else { failed(reason, code.clone()) });
        }
        // A target whose parts were never learned (its read failed) has none to end.
        self.ended().unwrap_or_else(|| Next::Ended(failed(reason, code)))
    }

    /// The call was refused as a whole and another item may be the cause: half of them travel apart.
    fn split(&self) -> Next {
        let step = &self.load.claimed.step;
        let (call, half) = self.around.split;
        let step = Step { group: format!("{}{APART}{call:08x}{half}", base(&step.group)), ..step.clone() };
        Next::Again { step, due_at: self.load.claimed.accepted_at, counts: false }
    }

    /// The call was refused as a whole and one of this item's parts may be the cause.
    fn fewer_parts(&mut self) -> Next {
        let half = self.load.carried.len().div_ceil(2);
        self.load.progress.crowd = Some(u32::try_from(half).unwrap_or(u32::MAX));
        self.go_on()
    }

    fn same_step_now(&self) -> Next {
        Next::Again {
            step: self.load.claimed.step.clone(),
            due_at: self.load.claimed.accepted_at,
            counts: false,
        }
    }

    fn at(&self, operation: &'static Operation, phase: Phase, due_at: Timestamp, counts: bool) -> Next {
        next_step(&self.load, self.around.provider, operation, phase, due_at, counts)
    }

    fn end_carried(&mut self, ending: impl Fn(&Part) -> Ending) {
        for n in &self.load.carried {
            if let Some(part) = self.load.progress.parts.get_mut(*n) {
                part.ending = Some(ending(part));
            }
        }
    }

    /// Notes an open question on the carried parts. A graver one that was there before stays.
    fn doubt(&mut self, kind: DoubtKind) {
        let since = self.around.now;
        for n in &self.load.carried {
            if let Some(part) = self.load.progress.parts.get_mut(*n) {
                let earlier = part.doubt.take();
                let graver = earlier.as_ref().map(|doubt| doubt.kind).filter(|known| *known > kind);
                // "Not found" says nothing of when something was last sent.
                let first_sent = earlier
                    .filter(|doubt| doubt.kind > DoubtKind::Unclear)
                    .map_or(self.around.started_at, |doubt| doubt.first_sent);
                part.doubt = Some(Doubt { first_sent, since, kind: graver.unwrap_or(kind), asked: None });
            }
        }
    }

    fn tries(&self) -> u32 {
        self.load.claimed.tries
    }

    fn is_used_up(&self) -> bool {
        let this_one = u32::from(self.load.claimed.step.phase == Phase::Delete);
        self.tries() + this_one >= self.around.policy.max_attempts || self.is_too_old()
    }

    fn is_too_old(&self) -> bool {
        self.around.now > later(self.load.claimed.accepted_at, self.around.policy.max_age)
    }

    /// Full jitter: anywhere between now and the step.
    fn backed_off(&mut self) -> Timestamp {
        let step = backoff_step(self.load.claimed.tries);
        let wait =
            if self.around.overdrawn { BACKOFF_MOST } else { step.mul_f64(self.chance.random::<f64>()) };
        later(self.around.now, wait)
    }

    /// A moment for the vendor to come to rest before it is asked.
    fn soon(&mut self) -> Timestamp {
        let wait = BACKOFF_FIRST.mul_f64(self.chance.random::<f64>());
        later(self.around.now, wait)
    }
}

/// The next call for an item.
fn next_step(
    load: &Load,
    provider: &dyn Provider,
    operation: &'static Operation,
    phase: Phase,
    due_at: Timestamp,
    counts: bool,
) -> Next {
    let open = load.progress.parts.iter().filter(|part| part.is_open()).map(|part| part.name.clone());
    let entry = Entry {
        target: load.claimed.target.clone(),
        asset: load.progress.asset.clone(),
        parts: open.collect(),
    };
    let group = provider.group(operation, &entry);
    let current = &load.claimed.step;
    // Once apart, an item stays apart for the same call: its old company may be what was refused.
    let group = match current.group.rsplit_once(APART) {
        Some((base, apart)) if operation.name == current.operation.as_str() && base == group => {
            format!("{group}{APART}{apart}")
        }
        Some(_) | None => group,
    };
    let operation = OperationName::known(operation.name);
    Next::Again { step: Step { operation, phase, group }, due_at, counts }
}

/// A group without the mark that keeps some of it apart.
fn base(group: &str) -> &str {
    group.rsplit_once(APART).map_or(group, |(base, _)| base)
}

/// Forgets what earlier reads told, so that the next one looks again.
fn ask_again(progress: &mut Progress) {
    for doubt in progress.parts.iter_mut().filter_map(|part| part.doubt.as_mut()) {
        doubt.asked = None;
    }
}

/// When the vendor is surely done with a delete that left a doubt.
fn at_rest(doubt: &Doubt, cool_down: Duration) -> Timestamp {
    match doubt.kind {
        DoubtKind::Lost => later(doubt.since, cool_down),
        DoubtKind::Unclear | DoubtKind::Odd | DoubtKind::Answered => doubt.since,
    }
}

/// Whether a read showed the part standing when the vendor was surely done.
pub(super) fn shown_standing(part: &Part, cool_down: Duration) -> bool {
    let shown = |doubt: &Doubt| doubt.asked.is_some_and(|a| a.stands && a.at >= at_rest(doubt, cool_down));
    part.doubt.as_ref().is_none_or(shown)
}

fn failed(reason: Reason, vendor_code: Option<String>) -> Ending {
    let message = match reason {
        Reason::Throttled => "the vendor kept throttling this operation",
        Reason::VendorError => "the vendor answered with a code that is not known here",
        Reason::Unavailable
        | Reason::Protected
        | Reason::Forbidden
        | Reason::Unsupported
        | Reason::Invalid
        | Reason::Busy
        | Reason::Unsettled
        | Reason::Held
        | Reason::Absent => "the vendor did not do it in all the tries it was given",
    };
    Ending::not_ok(Outcome::Failed, ItemError { vendor_code, ..ItemError::new(reason, message) })
}

fn unsettled() -> Ending {
    let message = "a delete was sent and its answer was lost; neither a repeat nor a read could settle it";
    Ending::not_ok(Outcome::Unknown, ItemError::new(Reason::Unsettled, message))
}

fn backoff_step(tries: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1 << tries.min(16)).min(BACKOFF_MOST)
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
