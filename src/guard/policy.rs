//! What an account's policy asks of a deletion before anything of it is sent.
//!
//! Pure: the caller's wish and what was counted go in, the deletion's terms come
//! out. A deletion that touches several accounts must do what the strictest of
//! them asks. Its own file because this is the one place that decides whether a
//! second person must look; who that may be is the journal's to check, in the
//! transaction that lets the deletion go on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::types::lifecycle::Terms;
use crate::types::target::{AccountId, Kind};

/// How long a plan can be started, where nothing is said.
pub const PLAN_VALID_FOR: Duration = Duration::from_hours(24);
/// How long a deletion waits for its approval, where nothing is said.
pub const APPROVAL_VALID_FOR: Duration = Duration::from_hours(72);
/// Longest delay that a caller or a policy can ask for.
pub const MOST_DELAY: Duration = Duration::from_hours(30 * 24);

/// The policy of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// A deletion of more items than this needs an approval; 0: each does.
    pub approve_above: Option<u64>,
    /// Targets of these kinds always need one.
    pub approve_kinds: Vec<Kind>,
    /// At least so long nothing is sent.
    pub grace: Duration,
    /// A deletion must say why.
    pub require_reason: bool,
    /// How long a plan can be started.
    pub plan_valid_for: Duration,
    /// How long an approval is waited for.
    pub approval_valid_for: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            approve_above: None,
            approve_kinds: Vec::new(),
            grace: Duration::ZERO,
            require_reason: false,
            plan_valid_for: PLAN_VALID_FOR,
            approval_valid_for: APPROVAL_VALID_FOR,
        }
    }
}

/// What a caller wishes for its deletion.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wish {
    /// Only a plan.
    pub dry_run: bool,
    /// The plan tells what stands at the vendor.
    pub check: bool,
    /// So long nothing is sent.
    pub delay: Duration,
    /// Playback is blocked while it waits.
    pub quarantine: bool,
}

/// What of a deletion its terms depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    items: u64,
    kinds: BTreeMap<AccountId, BTreeSet<Kind>>,
}

impl Tally {
    /// Counts an item; one that could not be read has no target.
    pub fn add(&mut self, target: Option<(&AccountId, Kind)>) {
        self.items = self.items.saturating_add(1);
        let Some((account, kind)) = target else { return };
        match self.kinds.get_mut(account) {
            Some(kinds) => drop(kinds.insert(kind)),
            None => drop(self.kinds.insert(account.clone(), BTreeSet::from([kind]))),
        }
    }

    /// How many items there are.
    #[must_use]
    pub fn items(&self) -> u64 {
        self.items
    }

    /// The accounts that were named.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountId> {
        self.kinds.keys()
    }
}

/// What must happen before a deletion runs.
#[must_use]
pub fn terms<'p>(wish: Wish, tally: &Tally, policy_of: impl Fn(&AccountId) -> Option<&'p Policy>) -> Terms {
    let mut plan = None;
    let mut approval = None;
    let mut delay = wish.delay;
    for (account, kinds) in &tally.kinds {
        let Some(policy) = policy_of(account) else { continue };
        plan = Some(shorter(plan, policy.plan_valid_for));
        if policy.asks(tally.items, kinds) {
            approval = Some(shorter(approval, policy.approval_valid_for));
        }
        delay = delay.max(policy.grace);
    }
    let plan = wish.dry_run.then(|| plan.unwrap_or(PLAN_VALID_FOR));
    Terms { plan, approval, delay, check: wish.check && wish.dry_run, quarantine: wish.quarantine }
}

fn shorter(known: Option<Duration>, other: Duration) -> Duration {
    known.map_or(other, |known| known.min(other))
}

impl Policy {
    /// Whether a deletion needs an approval: all its items count, wherever they are.
    fn asks(&self, items: u64, kinds: &BTreeSet<Kind>) -> bool {
        self.approve_above.is_some_and(|most| items > most)
            || self.approve_kinds.iter().any(|kind| kinds.contains(kind))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn account(name: &str) -> AccountId {
        AccountId::parse(name).unwrap()
    }

    fn tally(items: &[(&str, Kind)]) -> Tally {
        let mut tally = Tally::default();
        for (name, kind) in items {
            tally.add(Some((&account(name), *kind)));
        }
        tally
    }

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn without_a_policy_nothing_is_asked() {
        let plain = terms(Wish::default(), &tally(&[("a", Kind::Media)]), |_| None);
        assert_eq!(plain, Terms::default());
    }

    #[test]
    fn the_strictest_of_all_accounts_counts() {
        let strict = Policy {
            approve_above: Some(2),
            grace: HOUR * 2,
            approval_valid_for: HOUR * 5,
            plan_valid_for: HOUR,
            ..Policy::default()
        };
        let loose = Policy { grace: HOUR, ..Policy::default() };
        let of = |id: &AccountId| Some(if id.as_str() == "strict" { &strict } else { &loose });
        // Two items of the strict account alone would do without; there are three in all.
        let mixed = tally(&[("strict", Kind::Media), ("strict", Kind::Media), ("loose", Kind::Media)]);
        let wish = Wish { dry_run: true, delay: HOUR, ..Wish::default() };
        let made = terms(wish, &mixed, of);
        assert_eq!((made.approval, made.delay, made.plan), (Some(HOUR * 5), HOUR * 2, Some(HOUR)));
        let few = terms(wish, &tally(&[("strict", Kind::Media), ("loose", Kind::Media)]), of);
        assert_eq!(few.approval, None);
    }

    #[test]
    fn nought_means_always_and_kinds_ask_by_themselves() {
        let always = Policy { approve_above: Some(0), ..Policy::default() };
        let one = tally(&[("a", Kind::Media)]);
        assert!(terms(Wish::default(), &one, |_| Some(&always)).approval.is_some());
        let sources = Policy { approve_kinds: vec![Kind::Source], ..Policy::default() };
        assert!(terms(Wish::default(), &one, |_| Some(&sources)).approval.is_none());
        let source = tally(&[("a", Kind::Source)]);
        assert!(terms(Wish::default(), &source, |_| Some(&sources)).approval.is_some());
    }

    proptest! {
        #[test]
        fn more_items_never_ask_for_less(most in 0_u64..50, items in 1_usize..60, grace in 0_u64..100, delay in 0_u64..100) {
            let policy = Policy { approve_above: Some(most), grace: Duration::from_secs(grace), ..Policy::default() };
            let wish = Wish { delay: Duration::from_secs(delay), ..Wish::default() };
            let some = tally(&vec![("a", Kind::Media); items]);
            let made = terms(wish, &some, |_| Some(&policy));
            prop_assert_eq!(made.approval.is_some(), u64::try_from(items).unwrap() > most);
            prop_assert!(made.delay >= policy.grace && made.delay >= wish.delay);
        }
    }
}
