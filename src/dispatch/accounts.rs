//! Accounts at work, and how they look to people.
//!
//! What the lanes of one account share: its client, its gate, its retry budget.
//! Its own file because views of it are read by many and change nothing. Who may
//! see an account is decided above; how it is probed is `probe.rs`.

use std::sync::{Arc, Mutex, PoisonError};

use super::budget::Budget;
use super::gate::Gate;
use super::lane::Lane;
use super::quota::BucketView;
use super::{AccountConfig, Dispatch, Shared};
use crate::guard::policy::Policy;
use crate::journal::{Change, Next};
use crate::providers::Provider;
use crate::types::deletion::LaneId;
use crate::types::effects::GoesWith;
use crate::types::metrics::LaneLabels;
use crate::types::outcome::LaneReason;
use crate::types::target::{AccountId, Kind, Target};

/// An account at work.
#[derive(Debug)]
pub struct Account {
    pub(super) id: AccountId,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) region: Option<String>,
    pub(super) gate: Gate,
    /// Closed while a stop switch is on, its own or that of all.
    pub(super) stop: Gate,
    pub(super) policy: Policy,
    budget: Mutex<Budget>,
}

impl Account {
    pub(super) fn new(config: &AccountConfig) -> Self {
        Self {
            id: config.id.clone(),
            provider: Arc::clone(&config.provider),
            region: config.region.clone(),
            gate: Gate::default(),
            stop: Gate::default(),
            policy: config.policy.clone(),
            budget: Mutex::default(),
        }
    }

    pub(super) fn is_overdrawn(&self) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).is_overdrawn()
    }

    pub(super) fn settle_budget(&self, changes: &[Change]) {
        let retries = changes.iter().filter(|c| matches!(c.next, Next::Again { counts: true, .. })).count();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let done =
            changes.iter().filter(|c| matches!(&c.next, Next::Ended(end) if end.error.is_none())).count();
        budget.take(retries);
        budget.pay_in(done);
    }
}

/// An account, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountView {
    /// Its name.
    pub id: AccountId,
    /// Its provider.
    pub provider: &'static str,
    /// Its region.
    pub region: Option<String>,
    /// The kinds it can serve.
    pub kinds: &'static [Kind],
    /// Why it is blocked, if it is or one of its lanes is.
    pub blocked: Option<LaneReason>,
    /// Its lanes.
    pub lanes: Vec<LaneView>,
}

/// A lane, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneView {
    /// The vendor action.
    pub operation: &'static str,
    /// Why it is blocked, if it is.
    pub blocked: Option<LaneReason>,
    /// Its bucket.
    pub bucket: BucketView,
    /// Items that wait.
    pub queue_depth: u64,
}

impl Dispatch {
    /// Every account's name.
    #[must_use]
    pub fn account_ids(&self) -> Vec<AccountId> {
        self.shared.accounts.keys().cloned().collect()
    }

    /// Whether there is such an account.
    #[must_use]
    pub fn has_account(&self, id: &AccountId) -> bool {
        self.shared.accounts.contains_key(id)
    }

    /// One account, for people.
    #[must_use]
    pub fn account(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.shared.accounts.get(id)?;
        let lanes: Vec<LaneView> = self
            .shared
            .lanes_of(account)
            .map(|lane| LaneView {
                operation: lane.operation.name,
                blocked: lane.blocked().map(|blocked| blocked.reason),
                bucket: lane.bucket(),
                queue_depth: lane.depth(),
            })
            .collect();
        Some(AccountView {
            id: account.id.clone(),
            provider: account.provider.name(),
            region: account.region.clone(),
            kinds: account.provider.kinds(),
            blocked: self.shared.blocked(account),
            lanes,
        })
    }

    /// Why an account is blocked, if it is or one of its lanes is. Every request
    /// that waits asks this more than once, so no view is made for it.
    #[must_use]
    pub fn blocked(&self, id: &AccountId) -> Option<LaneReason> {
        self.shared.blocked(self.shared.accounts.get(id)?)
    }

    /// What goes with a target when it is deleted, as its vendor's pages say.
    #[must_use]
    pub fn effects(&self, target: &Target) -> Vec<GoesWith> {
        let account = self.shared.accounts.get(&target.account);
        account.map(|account| account.provider.effects(target)).unwrap_or_default()
    }

    /// Probes a blocked account now and opens it if the probe goes through.
    pub async fn unblock(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.shared.accounts.get(id)?;
        if self.shared.blocked(account).is_some() {
            self.shared.probe(account).await;
        }
        self.account(id)
    }
}

impl Shared {
    /// The account's own reason before those of its lanes.
    pub(super) fn blocked(&self, account: &Account) -> Option<LaneReason> {
        let of_lanes = || self.lanes_of(account).find_map(|lane| lane.gate.blocked());
        account
            .stop
            .blocked()
            .or_else(|| account.gate.blocked())
            .or_else(of_lanes)
            .map(|blocked| blocked.reason)
    }

    /// Closes a gate and says so once. Who closes it wakes those who wait behind it, but only after
    /// the call's own items are recorded: their outcome may be what somebody waits for.
    pub(super) fn block(&self, gate: &Gate, lane: &LaneId, reason: LaneReason) {
        if gate.close(reason, self.clock.now()) {
            tracing::error!(%lane, reason = reason.as_str(), "blocked: nothing is sent until a probe goes through");
        }
    }

    pub(super) fn show_depth(&self, id: &LaneId, lane: &Lane) {
        let labels = LaneLabels { account: id.account.to_string(), operation: id.operation.to_string() };
        let depth = i64::try_from(lane.depth()).unwrap_or(i64::MAX);
        self.metrics.queue_depth.get_or_create(&labels).set(depth);
        self.metrics.blocked.get_or_create(&labels).set(i64::from(lane.blocked().is_some()));
    }
}
