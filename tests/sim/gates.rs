//! What must have happened before anything of a deletion is sent, as seen from outside.
//!
//! Written down when somebody asks or is told, never read from what dispatch or
//! the journal make of it: from whom a decision came and when, which holds and
//! stop switches are surely on. The vendor asks here at every call. What cannot be
//! known from outside (whether a write whose answer was lost was done) is never
//! held against anybody.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use vodrm::guard::policy::Policy;
use vodrm::journal::DeletionRow;
use vodrm::types::deletion::DeletionId;
use vodrm::types::lifecycle::Verb;
use vodrm::types::target::AccountId;

use crate::checker::reason_of;
use crate::plan::{Ask, Plan};

/// Times are kept in whole milliseconds.
const ROUNDING: Duration = Duration::from_millis(1);

/// What must happen before a deletion runs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Needs {
    /// Somebody starts it, within so long.
    pub(crate) plan: Option<Duration>,
    /// Another approves it, within so long.
    pub(crate) approval: Option<Duration>,
    pub(crate) delay: Duration,
}

impl Needs {
    /// What the strictest of the policies asks for.
    pub(crate) fn of(ask: &Ask, policy_of: impl Fn(&AccountId) -> Policy) -> Self {
        let mut needs = Self { delay: ask.wish.delay, ..Self::default() };
        for wanted in &ask.wanted {
            let policy = policy_of(&wanted.target.account);
            let too_many = policy.approve_above.is_some_and(|most| ask.wanted.len() as u64 > most);
            if too_many || policy.approve_kinds.contains(&wanted.target.kind()) {
                let valid = policy.approval_valid_for;
                needs.approval = Some(needs.approval.map_or(valid, |known| known.min(valid)));
            }
            if ask.wish.dry_run {
                let valid = policy.plan_valid_for;
                needs.plan = Some(needs.plan.map_or(valid, |known| known.min(valid)));
            }
            needs.delay = needs.delay.max(policy.grace);
        }
        needs
    }
}

/// A start or an approval that somebody asked for, having seen the right digest or none.
#[derive(Debug, Clone)]
struct Decision {
    verb: Verb,
    by: String,
    at: Timestamp,
}

/// What is on, since its number was answered, unless it was lifted under a later number.
#[derive(Debug, Clone, Copy, Default)]
struct Switch {
    on: bool,
    lifted: u64,
}

#[derive(Debug)]
pub(crate) struct Gates {
    needs: Vec<Needs>,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    last: u64,
    decisions: BTreeMap<DeletionId, Vec<Decision>>,
    holds: BTreeMap<(AccountId, String), Switch>,
    stops: BTreeMap<Option<AccountId>, Switch>,
    /// How often one was surely on.
    stopped: usize,
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    at + SignedDuration::try_from(by).expect("a run is short")
}

/// Whether a hold of this name, or with a `*` at its end, covers an asset.
fn covers(hold: &str, name: &str) -> bool {
    hold.strip_suffix('*').map_or(hold == name, |start| name.starts_with(start))
}

impl Gates {
    pub(crate) fn new(plan: &Plan) -> Self {
        let policy_of = |id: &AccountId| {
            let account = plan.accounts.iter().find(|account| account.id == *id);
            account.map(|account| account.policy.clone()).unwrap_or_default()
        };
        let needs = plan.requests.iter().map(|ask| Needs::of(ask, policy_of)).collect();
        Self { needs, inside: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inside> {
        self.inside.lock().expect("nothing panics under the lock")
    }

    pub(crate) fn needs_of(&self, row: &DeletionRow) -> Needs {
        let request = (0..self.needs.len()).find(|n| row.reason == Some(reason_of(*n)));
        request.map(|n| self.needs[n].clone()).unwrap_or_default()
    }

    /// Somebody decides, having seen the digest or nothing.
    pub(crate) fn decides(&self, id: &DeletionId, verb: Verb, by: &str, at: Timestamp) {
        let decision = Decision { verb, by: by.to_owned(), at };
        self.lock().decisions.entry(id.clone()).or_default().push(decision);
    }

    /// From when on a deletion may be sent, as far as anybody has asked for that.
    pub(crate) fn opens_at(&self, row: &DeletionRow) -> Option<Timestamp> {
        let needs = self.needs_of(row);
        let inside = self.lock();
        let decisions = inside.decisions.get(&row.id).map_or(&[][..], Vec::as_slice);
        let of = |verb: Verb| decisions.iter().filter(move |decision| decision.verb == verb);
        let begun = later(row.created_at, ROUNDING);
        let starts: Vec<(Timestamp, Option<&str>)> = match needs.plan {
            None => vec![(row.created_at, None)],
            Some(valid) => of(Verb::Start)
                .filter(|start| start.at <= later(begun, valid))
                .map(|start| (start.at, Some(start.by.as_str())))
                .collect(),
        };
        let opened = starts.into_iter().filter_map(|(started_at, starter)| {
            let Some(valid) = needs.approval else { return Some(started_at) };
            let in_time = |at| needs.plan.is_some() || at <= later(begun, valid);
            let approvals = of(Verb::Approve).filter(|approval| {
                let own = approval.by == row.requested_by || Some(approval.by.as_str()) == starter;
                !own && approval.at >= started_at && in_time(approval.at)
            });
            approvals.map(|approval| approval.at).min()
        });
        opened.min().map(|at| later(at, needs.delay.saturating_sub(ROUNDING)))
    }

    /// A number for what is about to be put on.
    pub(crate) fn next(&self) -> u64 {
        let mut inside = self.lock();
        inside.last += 1;
        inside.last
    }

    /// It was answered that the hold is on.
    pub(crate) fn held(&self, account: &AccountId, id: &str, number: u64) {
        self.lock().holds.entry((account.clone(), id.to_owned())).or_default().put(number);
    }

    /// Somebody is about to lift it.
    pub(crate) fn lifts(&self, account: &AccountId, id: &str) {
        let number = self.next();
        self.lock().holds.entry((account.clone(), id.to_owned())).or_default().lift(number);
    }

    pub(crate) fn stopped(&self, account: Option<&AccountId>, number: u64) {
        let mut inside = self.lock();
        let switch = inside.stops.entry(account.cloned()).or_default();
        switch.put(number);
        let is_on = switch.on;
        inside.stopped += usize::from(is_on);
    }

    pub(crate) fn stops(&self) -> usize {
        self.lock().stopped
    }

    pub(crate) fn restarts(&self, account: Option<&AccountId>) {
        let number = self.next();
        self.lock().stops.entry(account.cloned()).or_default().lift(number);
    }

    pub(crate) fn is_stopped(&self, account: &AccountId) -> bool {
        let inside = self.lock();
        let on = |of: Option<&AccountId>| inside.stops.get(&of.cloned()).is_some_and(|switch| switch.on);
        on(None) || on(Some(account))
    }

    /// The hold that an asset is under, by one of its names.
    pub(crate) fn held_by(&self, account: &AccountId, names: &[&str]) -> Option<String> {
        let inside = self.lock();
        let on = inside.holds.iter().filter(|((of, _), switch)| of == account && switch.on);
        let mut on = on.map(|((_, id), _)| id.clone());
        on.find(|id| names.iter().any(|name| covers(id, name)))
    }
}

impl Switch {
    fn put(&mut self, number: u64) {
        // The answer to an earlier one may come after it was lifted.
        self.on |= number > self.lifted;
    }

    fn lift(&mut self, number: u64) {
        *self = Self { on: false, lifted: number };
    }
}
