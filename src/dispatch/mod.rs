//! When work goes out. No HTTP, no SQL, no vendor name.
//!
//! `Dispatch::submit` journals a deletion and wakes its lanes. A lane, one per
//! (account, operation), waits for a permit of its bucket, lets the journal hand
//! out what is due, makes one call and records what came of it:
//!
//! ```text
//! submit ──▶ journal ──▶ lane: permit ─▶ claim ─▶ call ─▶ record ──▶ wake
//!                          ▲                                 │
//!                          └──── next step or retry ◀────────┘
//! ```
//!
//! An item may take several turns, in several lanes: a read that must come first,
//! the delete, a read that settles a lost answer. Which turn is next is decided by
//! pure functions (`batch`, `resolve`, `retry`, `settle`); loops only act.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Items become a call.
pub mod batch;

/// The token bucket.
pub mod bucket;

/// How many retries an account may cost.
pub mod budget;

/// Whether a lane may send.
pub mod gate;

/// The loop that sends.
pub mod lane;

/// The token bucket as a middleware.
pub mod quota;

/// What a read before a delete proves.
pub mod resolve;

/// What follows from a verdict.
pub mod retry;

/// What a read proves about a part.
pub mod settle;

/// From a request to journaled items.
pub mod submit;

/// From a stream of lines to journaled items.
pub mod upload;

/// The life cycle: pause, resume, cancel, retry, settle.
pub mod verbs;

/// When a deletion ends.
pub mod forecast;

/// The timer loop.
mod sweep;

/// Who waits for what.
pub mod wake;

use bucket::Rate;
use budget::Budget;
use gate::Gate;
use lane::Lane;
use quota::{BucketView, LocalPermits, Permits};
use retry::Policy;
use wake::{Wakes, Watch};

use crate::journal::{self, Change, Journal, Next, Rescue};
use crate::providers::{self, Provider, Refusal, Verdict};
use crate::types::asset::{Facts, Standing};
use crate::types::chance::Chance;
use crate::types::clock::Clock;
use crate::types::deletion::{DeletionId, LaneId};
use crate::types::metrics::{LaneLabels, Metrics};
use crate::types::outcome::LaneReason;
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};
use crate::types::target::{AccountId, Kind, MediaId, OperationName};

/// How long a caller's own read waits for permits and the vendor.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// An account to serve.
#[derive(Debug)]
pub struct AccountConfig {
    /// Its name.
    pub id: AccountId,
    /// Its vendor's client.
    pub provider: Arc<dyn Provider>,
    /// The region, for people.
    pub region: Option<String>,
    /// Accounts with equal groups share their buckets.
    pub quota_group: String,
    /// What each operation may cost; the default where nothing is said.
    pub rates: BTreeMap<&'static str, Rate>,
}

/// What dispatch needs to work.
#[derive(Debug)]
pub struct Parts {
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What is drawn at random.
    pub chance: Chance,
    /// What is counted.
    pub metrics: Metrics,
    /// Who runs loops and calls, and waits for them at the end.
    pub tasks: TaskTracker,
    /// Ends the loops; calls under way go on to their record.
    pub stop: CancellationToken,
    /// How often and how long an item is tried.
    pub policy: Policy,
    /// Waiting interactive items of one lane, at most.
    pub queue_depth: u64,
}

/// An account at work.
#[derive(Debug)]
pub struct Account {
    id: AccountId,
    provider: Arc<dyn Provider>,
    region: Option<String>,
    gate: Gate,
    budget: Mutex<Budget>,
}

impl Account {
    fn is_overdrawn(&self) -> bool {
        self.budget.lock().unwrap_or_else(PoisonError::into_inner).is_overdrawn()
    }

    fn settle_budget(&self, changes: &[Change]) {
        let retries = changes.iter().filter(|c| matches!(c.next, Next::Again { counts: true, .. })).count();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let done =
            changes.iter().filter(|c| matches!(&c.next, Next::Ended(end) if end.error.is_none())).count();
        budget.take(retries);
        budget.pay_in(done);
    }
}

/// What loops and handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    chance: Chance,
    metrics: Metrics,
    tasks: TaskTracker,
    stop: CancellationToken,
    policy: Policy,
    queue_depth: u64,
    accounts: BTreeMap<AccountId, Arc<Account>>,
    lanes: BTreeMap<LaneId, Arc<Lane>>,
    wakes: Wakes,
    healthy: watch::Sender<bool>,
    /// Its clones are outcomes of this process that wait to be written.
    unrecorded: Arc<()>,
}

/// The front of this folder.
#[derive(Debug, Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
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

/// Why a caller's own read gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such account.
    #[error("there is no such account")]
    UnknownAccount,
    /// The account is blocked.
    #[error("the account is blocked: {}", .0.as_str())]
    Blocked(LaneReason),
    /// No permit or no answer came in time, or the vendor throttled.
    #[error("the vendor could not be asked in time")]
    TooLate,
    /// The vendor does not let this account read it.
    #[error("the vendor refused: {0:?}")]
    Refused(ItemError),
    /// The vendor failed.
    #[error("the vendor failed{}", .0.as_ref().map(|code| format!(" with {code}")).unwrap_or_default())]
    Failed(Option<String>),
}

impl Dispatch {
    /// Builds lanes and buckets; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts, configs: Vec<AccountConfig>) -> Self {
        let mut buckets: HashMap<(String, &'static str), Arc<dyn Permits>> = HashMap::new();
        let (mut accounts, mut lanes) = (BTreeMap::new(), BTreeMap::new());
        for config in configs {
            let account = Arc::new(Account {
                id: config.id.clone(),
                provider: Arc::clone(&config.provider),
                region: config.region,
                gate: Gate::default(),
                budget: Mutex::default(),
            });
            for operation in config.provider.operations() {
                let rate = config.rates.get(operation.name).copied().unwrap_or_default();
                let permits = buckets
                    .entry((config.quota_group.clone(), operation.name))
                    .or_insert_with(|| Arc::new(LocalPermits::new(rate, Arc::clone(&parts.clock))));
                let id =
                    LaneId { account: config.id.clone(), operation: OperationName::known(operation.name) };
                let lane = Lane::new(id.clone(), Arc::clone(&account), operation, Arc::clone(permits));
                lanes.insert(id, Arc::new(lane));
            }
            accounts.insert(config.id, account);
        }
        let shared = Shared {
            journal: parts.journal,
            clock: parts.clock,
            chance: parts.chance,
            metrics: parts.metrics,
            tasks: parts.tasks,
            stop: parts.stop,
            policy: parts.policy,
            queue_depth: parts.queue_depth,
            accounts,
            lanes,
            wakes: Wakes::default(),
            healthy: watch::Sender::new(true),
            unrecorded: Arc::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes back what a dead process left, then starts the loops.
    pub async fn start(&self) -> Result<(), journal::Error> {
        let taken_back = sweep::take_back(&self.shared, Rescue::All).await?;
        let open = self.shared.journal.open_lanes().await?;
        let waiting: u64 = open.iter().map(|lane| lane.waiting).sum();
        if taken_back > 0 || waiting > 0 {
            tracing::info!(taken_back, waiting, "open items of an earlier run go on");
        }
        for open in open {
            let Some(lane) = self.shared.lanes.get(&open.lane) else {
                tell_unserved(&open.lane, open.waiting);
                continue;
            };
            // The ones taken back above have been counted as they came; the journal's count is the truth.
            lane.recount(open.waiting);
        }
        for lane in self.shared.lanes.values() {
            self.shared.tasks.spawn(lane::run(Arc::clone(&self.shared), Arc::clone(lane)));
        }
        self.shared.tasks.spawn(sweep::run(Arc::clone(&self.shared)));
        Ok(())
    }

    /// The journal, for reads.
    #[must_use]
    pub fn journal(&self) -> &Arc<dyn Journal> {
        &self.shared.journal
    }

    /// Whether the journal worked when it was last used.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.shared.is_healthy()
    }

    /// Whether new work is still taken.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.shared.stop.is_cancelled()
    }

    /// Resolves once no new work goes out.
    pub async fn stopping(&self) {
        self.shared.stop.cancelled().await;
    }

    /// A place to wait for a deletion.
    #[must_use]
    pub fn subscribe(&self, id: &DeletionId) -> Watch {
        self.shared.wakes.subscribe(id)
    }

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

    /// Probes a blocked account now and opens it if the probe goes through.
    pub async fn unblock(&self, id: &AccountId) -> Option<AccountView> {
        let account = self.shared.accounts.get(id)?;
        if self.shared.blocked(account).is_some() {
            self.shared.probe(account).await;
        }
        self.account(id)
    }

    /// What stands at the vendor under this id; `None` if nothing does.
    pub async fn look(&self, account: &AccountId, id: &MediaId) -> Result<Option<Facts>, ReadError> {
        let account = self.shared.accounts.get(account).ok_or(ReadError::UnknownAccount)?;
        let reads = self.shared.portrait(account, id);
        tokio::select! {
            facts = reads => facts,
            () = self.shared.clock.sleep(READ_PATIENCE) => Err(ReadError::TooLate),
        }
    }
}

/// The providers that accounts can have.
pub fn provider_names() -> impl Iterator<Item = &'static str> {
    providers::registry::PROVIDERS.iter().map(|listed| listed.name)
}

/// The ending of an item that a provider refuses to serve.
pub(crate) fn refused(provider: &dyn Provider, refusal: &Refusal) -> Ending {
    let error = match refusal {
        Refusal::Unsupported(message) => providers::unsupported(provider, message.clone()),
        Refusal::Invalid { message, .. } => ItemError::new(Reason::Invalid, message.clone()),
    };
    Ending::not_ok(Outcome::Refused, error)
}

fn tell_unserved(lane: &LaneId, items: u64) {
    tracing::error!(%lane, items,
        "the journal holds items of an account or operation that is not configured; they wait");
}

impl Shared {
    fn lanes_of(&self, account: &Account) -> impl Iterator<Item = &Arc<Lane>> {
        // Lanes are in order of their accounts: only these are looked at, however many there are.
        let first = LaneId { account: account.id.clone(), operation: OperationName::known("") };
        self.lanes.range(first..).map(|(_, lane)| lane).take_while(|lane| lane.id.account == account.id)
    }

    fn lane(&self, account: &AccountId, operation: &str) -> Option<&Arc<Lane>> {
        let operation = OperationName::parse(operation).ok()?;
        self.lanes.get(&LaneId { account: account.clone(), operation })
    }

    /// The account's own reason before those of its lanes.
    fn blocked(&self, account: &Account) -> Option<LaneReason> {
        let of_lanes = || self.lanes_of(account).find_map(|lane| lane.gate.blocked());
        account.gate.blocked().or_else(of_lanes).map(|blocked| blocked.reason)
    }

    /// Closes a gate and says so once. Who closes it wakes those who wait behind it, but only after
    /// the call's own items are recorded: their outcome may be what somebody waits for.
    fn block(&self, gate: &Gate, lane: &LaneId, reason: LaneReason) {
        if gate.close(reason, self.clock.now()) {
            tracing::error!(%lane, reason = reason.as_str(), "blocked: nothing is sent until a probe goes through");
        }
    }

    /// One harmless read; if it goes through, everything of the account is open again.
    async fn probe(&self, account: &Account) {
        let call = account.provider.probe();
        let Some(lane) = self.lane(&account.id, call.operation.name) else { return };
        let probe = async {
            let mut client = lane.client();
            let Ok(_) = client.ready().await;
            lane::exchange(self, lane, &mut client, call, 1).await.0
        };
        let report = tokio::select! {
            biased;
            report = probe => report,
            () = self.clock.sleep(READ_PATIENCE) => return,
        };
        let works = !report.verdicts.is_empty()
            && report.verdicts.iter().all(|v| matches!(v, Verdict::Facts(_) | Verdict::Absent));
        tracing::info!(account = %account.id, works, vendor.code = report.code, "probed a blocked account");
        if works {
            account.gate.open();
            for lane in self.lanes_of(account) {
                lane.gate.open();
                lane.wake();
            }
        }
    }

    async fn portrait(&self, account: &Account, id: &MediaId) -> Result<Option<Facts>, ReadError> {
        let mut facts = Facts::only(Standing::Untold);
        for (n, call) in account.provider.portrait(id).into_iter().enumerate() {
            let Some(lane) = self.lane(&account.id, call.operation.name) else { continue };
            if let Some(blocked) = lane.blocked() {
                return Err(ReadError::Blocked(blocked.reason));
            }
            let mut client = lane.client();
            let Ok(_) = client.ready().await;
            let (report, _) = lane::exchange(self, lane, &mut client, call, 1).await;
            match report.verdicts.into_iter().next() {
                Some(Verdict::Facts(more)) => facts = facts.and(*more),
                Some(Verdict::Absent) => facts = facts.and(Facts::only(Standing::Missing)),
                Some(Verdict::Fault(reason)) => {
                    self.block(&account.gate, &lane.id, reason);
                    self.wakes.wake_all();
                    return Err(ReadError::Blocked(reason));
                }
                // The first read tells whether it stands; what the others cannot tell is left out.
                Some(Verdict::NotOk { error, .. }) if n == 0 => return Err(ReadError::Refused(error)),
                _ if n == 0 && report.throttled.is_some() => return Err(ReadError::TooLate),
                _ if n == 0 => return Err(ReadError::Failed(report.code)),
                _ => {}
            }
            if facts.standing == Standing::Missing {
                return Ok(None);
            }
        }
        Ok(Some(facts))
    }

    fn is_healthy(&self) -> bool {
        *self.healthy.borrow()
    }

    /// Outcomes of this process wait to be written while this is held.
    fn hold_rescue(&self) -> Arc<()> {
        Arc::clone(&self.unrecorded)
    }

    /// Whether a lease that ran out can only mean that its sender is gone.
    fn may_rescue(&self) -> bool {
        Arc::strong_count(&self.unrecorded) == 1
    }

    fn journal_failed(&self, error: &journal::Error) {
        // A refusal or a full queue says nothing of the disk.
        if matches!(error, journal::Error::Invalid(_) | journal::Error::Overloaded) {
            return;
        }
        if self.healthy.send_replace(false) {
            tracing::error!(%error, "the journal failed: nothing is sent until it works again");
        }
    }

    fn journal_works(&self) {
        let changed = self.healthy.send_if_modified(|healthy| !std::mem::replace(healthy, true));
        if changed {
            tracing::info!("the journal works again");
        }
    }

    fn show_depth(&self, id: &LaneId, lane: &Lane) {
        let labels = LaneLabels { account: id.account.to_string(), operation: id.operation.to_string() };
        let depth = i64::try_from(lane.depth()).unwrap_or(i64::MAX);
        self.metrics.queue_depth.get_or_create(&labels).set(depth);
        self.metrics.blocked.get_or_create(&labels).set(i64::from(lane.blocked().is_some()));
    }
}
