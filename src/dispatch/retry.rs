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
use crate::journal::{Change, Claimed, Next};
use crate::providers::{Again, Entry, Operation, Provider, Repeat, Verdict};
use crate::types::asset::{Facts, Standing};
use crate::types::deletion::{Doubt, DoubtKind, ItemKey, Part, PartName, Phase, Step};
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};

/// Longest time after which a delete that is not safe to repeat may still be
/// repeated: soon enough that the same selector cannot mean a new object (FAULTS.md, 2).
pub const BRIEFLY: Duration = Duration::from_secs(60);
/// First step of the back-off; the wait is drawn between nothing and the step.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Largest step of the back-off.
const BACKOFF_MOST: Duration = Duration::from_secs(30);
/// Tries for a vendor code that is in no table.
const UNLISTED_TRIES: u32 = 3;
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
    /// When the call ended.
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

/// Ends the parts whose repeat comes too late to be safe, whatever held it up: a throttled or blocked lane, or a
/// process that was down. A change if that leaves nothing to send.
pub fn end_overdue(load: &mut Load, now: Timestamp) -> Option<Change> {
    if load.route.repeat == Repeat::Always || load.claimed.step.phase != Phase::Delete {
        return None;
    }
    let overdue = |part: &Part| {
        let doubt = part.doubt.as_ref().filter(|doubt| part.is_open() && doubt.kind > DoubtKind::Unclear);
        doubt.is_some_and(|doubt| now > later(doubt.since, BRIEFLY))
    };
    load.progress
        .parts
        .iter_mut()
        .filter(|part| overdue(part))
        .for_each(|part| part.ending = Some(unsettled()));
    let parts = &load.progress.parts;
    load.carried.retain(|n| parts.get(*n).is_some_and(Part::is_open));
    if !load.carried.is_empty() {
        return None;
    }
    let Claimed { key, generation, step, accepted_at, .. } = &load.claimed;
    // Parts that did not fit into this call have a turn of their own.
    let others = || Next::Again { step: step.clone(), due_at: *accepted_at, counts: false };
    let next = load.progress.ending().map_or_else(others, Next::Ended);
    Some(Change { key: *key, generation: *generation, progress: Some(load.progress.clone()), next })
}

/// A plain item that ends at once leaves nothing to remember but its ending.
fn worth_keeping(
    load: &Load,
    next: &Next,
    before: Option<&crate::types::deletion::Progress>,
) -> Option<crate::types::deletion::Progress> {
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
            Verdict::Absent => Next::Ended(Ending::absent()),
            Verdict::NotOk { outcome, error, of_whole_call, .. } => {
                if of_whole_call && self.around.entries > 1 {
                    return self.split();
                }
                Next::Ended(Ending::not_ok(outcome, error))
            }
            Verdict::Again(why) => self.again(why),
            Verdict::Fault(_) => self.same_step_now(),
            Verdict::Unclear if self.around.entries > 1 => self.split(),
            // A read deletes nothing: whatever it left open, it may simply be made again.
            Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Deleted => self.again(Again::Unavailable),
        }
    }

    fn resolve(&mut self, facts: &Facts) -> Next {
        let Some((_, need)) = self.load.route.resolve else { return self.go_on() };
        match resolve::resolve(need, &self.load.claimed.target, &self.load.route.parts, facts) {
            Ok(progress) => {
                self.load.progress = progress;
                self.go_on()
            }
            Err(ending) => Next::Ended(ending),
        }
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
                self.end_carried(|_| Ending::not_ok(outcome, error.clone()));
                self.go_on()
            }
            Verdict::Unclear => self.unclear(),
            Verdict::Doubtful { unanswered } => {
                self.doubt(if unanswered { DoubtKind::Lost } else { DoubtKind::Answered });
                self.after_doubt()
            }
            Verdict::Again(why) => self.again(why),
            Verdict::Fault(_) => self.same_step_now(),
            Verdict::Facts(_) => {
                // A provider that reads instead of deleting has told us nothing of a delete.
                self.doubt(DoubtKind::Answered);
                self.after_doubt()
            }
        }
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
        // No read can tell whether the others of the call went, so from here on "not found" may be our doing.
        self.doubt(DoubtKind::Answered);
        if self.around.entries > 1 { self.split() } else { self.fewer_parts() }
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
            Verdict::Unclear | Verdict::Doubtful { .. } | Verdict::Deleted => {
                return self.read_again(Again::Unavailable);
            }
        };
        for n in self.load.carried.clone() {
            if let Some(part) = self.load.progress.parts.get_mut(n) {
                match settle::standing(&part.name, &facts) {
                    Standing::Missing if part.may_be_gone() => part.ending = Some(Ending::inferred()),
                    Standing::Missing => part.ending = Some(Ending::absent()),
                    Standing::Stands | Standing::Untold => {
                        if let Some(doubt) = &mut part.doubt {
                            doubt.asked = true;
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
        let counts = !matches!(why, Again::Throttled | Again::Resign);
        let spent = self.tries() >= self.around.policy.max_attempts + LAST_READS;
        if why == Again::QuotaUsedUp || spent || self.is_too_old() {
            return self.give_up(Reason::Unavailable);
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
                DoubtKind::Answered => backed_off,
                DoubtKind::Lost => later(doubt.latest, policy.cool_down).max(now),
            };
            if self.load.route.repeat == Repeat::Briefly && not_before > later(doubt.since, BRIEFLY) {
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
                let base = step.group.split('~').next().unwrap_or_default();
                let ItemKey { deletion, index } = self.load.claimed.key;
                let group = format!("{base}~{deletion}.{index}");
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
        let counts = !matches!(why, Again::Throttled | Again::Resign);
        let spent = counts && self.tries() + 1 >= self.around.policy.max_attempts;
        if why == Again::QuotaUsedUp || unlisted_spent || spent || self.is_too_old() {
            return self.give_up(reason);
        }
        let due = if counts { self.backed_off() } else { self.around.now };
        let phase = self.load.claimed.step.phase;
        self.at(self.around.operation, phase, due, counts)
    }

    /// Everything that is open ends: as unknown where a delete may have worked, else as failed.
    fn give_up(&mut self, reason: Reason) -> Next {
        let code = self.around.vendor_code.map(str::to_owned);
        for part in self.load.progress.parts.iter_mut().filter(|part| part.ending.is_none()) {
            // A vendor that did answer, and whose library still shows the part, has failed to delete it.
            let stands = part.doubt.as_ref().is_some_and(|d| d.kind < DoubtKind::Lost && d.asked);
            part.ending = Some(if part.may_be_gone() && !stands {
                unsettled()
            } else {
                let message = match reason {
                    Reason::Throttled => "the vendor kept throttling this operation",
                    Reason::VendorError => "the vendor answered with a code that is not known here",
                    _ => "the vendor did not do it in all the tries it was given",
                };
                let error = ItemError { vendor_code: code.clone(), ..ItemError::new(reason, message) };
                Ending::not_ok(Outcome::Failed, error)
            });
        }
        // A target whose parts were never learned (its read failed) has none to end.
        self.ended().unwrap_or_else(|| {
            let error =
                ItemError { vendor_code: code, ..ItemError::new(reason, "what to delete could not be read") };
            Next::Ended(Ending::not_ok(Outcome::Failed, error))
        })
    }

    /// The call was refused as a whole and another item may be the cause: half of them travel apart.
    fn split(&self) -> Next {
        let step = &self.load.claimed.step;
        let base = step.group.split('~').next().unwrap_or_default();
        let (call, half) = self.around.split;
        let step = Step { group: format!("{base}~{call:08x}{half}"), ..step.clone() };
        Next::Again { step, due_at: self.load.claimed.accepted_at, counts: false }
    }

    /// The call was refused as a whole and one of this item's parts may be the cause.
    fn fewer_parts(&mut self) -> Next {
        let half = self.load.carried.len().div_ceil(2).max(1);
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
        let open: Vec<PartName> =
            self.load.progress.parts.iter().filter(|p| p.is_open()).map(|p| p.name.clone()).collect();
        let entry = Entry {
            target: self.load.claimed.target.clone(),
            asset: self.load.progress.asset.clone(),
            parts: open,
        };
        let group = self.around.provider.group(operation, &entry);
        let current = &self.load.claimed.step;
        // Once apart, an item stays apart for the same call: its old company may be what was refused.
        let group = match current.group.split_once('~') {
            Some((base, apart)) if operation.name == current.operation.as_str() && base == group => {
                format!("{group}~{apart}")
            }
            Some(_) | None => group,
        };
        let operation = crate::types::target::OperationName::known(operation.name);
        Next::Again { step: Step { operation, phase, group }, due_at, counts }
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
        let (sent_at, latest) = (self.load.claimed.handed_out_at, self.around.now);
        for n in &self.load.carried {
            if let Some(part) = self.load.progress.parts.get_mut(*n) {
                let before = part.doubt.as_ref();
                let since = before.map_or(sent_at, |doubt| doubt.since);
                let kind = before.map_or(kind, |doubt| doubt.kind.max(kind));
                part.doubt = Some(Doubt { since, latest, kind, asked: false });
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

fn unsettled() -> Ending {
    let message = "a delete was sent and its answer was lost; neither a repeat nor a read could settle it";
    Ending::not_ok(Outcome::Unknown, ItemError::new(Reason::Unsettled, message))
}

fn backoff_step(tries: u32) -> Duration {
    BACKOFF_FIRST.saturating_mul(1 << tries.min(16)).min(BACKOFF_MOST)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}
