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

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Items become a call.
pub mod batch;

/// Accounts at work.
pub mod accounts;

/// The token bucket.
pub mod bucket;

/// How many retries an account may cost.
pub mod budget;

/// Whether a lane may send.
pub mod gate;

/// One call.
mod call;

/// Work that goes in steps.
mod chores;

/// What stands at the vendors.
mod checks;

/// Blocked playback.
mod quarantine;

/// Calls that no item asked for.
mod errand;

/// What a deletion asks for, in one number.
pub mod digest;

/// What goes on, or ends, by its time.
mod deadlines;

/// Whether a deletion goes wrong in bulk.
pub mod health;

/// What must not be deleted.
pub mod holds;

/// The loop that sends.
pub mod lane;

/// How fast deletions go.
pub mod pace;

/// Reads that no item asked for.
pub mod probe;

/// The token bucket as a middleware.
pub mod quota;

/// What came of items, written down and told.
mod record;

/// What a read before a delete proves.
pub mod resolve;

/// Requests that were refused.
pub mod refusals;

/// What follows from a verdict.
pub mod retry;

/// What a read proves about a part.
pub mod settle;

/// The first call of a target.
pub mod steps;

/// From a request to journaled items.
pub mod submit;

/// From a stream of lines to journaled items.
pub mod upload;

/// The life cycle: pause, resume, cancel, retry, settle.
pub mod verbs;

/// When a deletion ends.
pub mod forecast;

/// Stop switches.
pub mod stops;

/// The timer loop.
mod sweep;

/// Who waits for what.
pub mod wake;

/// How many calls may leave in any second.
pub mod window;

pub use accounts::{Account, AccountView, LaneView};
pub use probe::ReadError;

use bucket::Rate;
use health::Runs;
use lane::Lane;
use pace::Paces;
use quota::{LocalPermits, Permits};
use retry::Policy;
use wake::{Wakes, Watch};

use crate::guard::holds::Holds;
use crate::guard::policy;
use crate::journal::{self, Journal, Rescue};
use crate::providers::{self, Provider, Refusal};
use crate::types::chance::Chance;
use crate::types::clock::Clock;
use crate::types::deletion::{DeletionId, DeletionSeq, LaneId};
use crate::types::hold::Stop;
use crate::types::metrics::Metrics;
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};
use crate::types::target::{AccountId, OperationName, Target};

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
    /// What must happen before anything is sent.
    pub policy: policy::Policy,
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
    /// How long finished deletions are kept.
    pub keep: Duration,
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
    keep: Duration,
    accounts: BTreeMap<AccountId, Arc<Account>>,
    lanes: BTreeMap<LaneId, Arc<Lane>>,
    wakes: Wakes,
    /// How fast deletions go, for forecasts.
    paces: Mutex<Paces>,
    /// Rows of equal failures.
    runs: Mutex<Runs>,
    /// Deletions that are just being paused by themselves.
    pausing: Mutex<BTreeSet<DeletionSeq>>,
    /// Writes that move items into or out of lanes: begun, and counted by the lanes too.
    moves_begun: AtomicU64,
    moves_counted: AtomicU64,
    /// What must not be deleted, as the journal had it at the look with this number.
    holds: RwLock<(u64, Arc<Holds>)>,
    /// The stop switches that are on, likewise.
    stops: Mutex<(u64, Vec<Stop>)>,
    /// The look that could not be made after a hold or stop switch was written; 0 if there is none.
    /// While there is, what is in force is not known, so nothing is sent.
    unsure_since: AtomicU64,
    /// Looks at holds and stop switches: a later one never gives way to an earlier one.
    looks: AtomicU64,
    /// Requests that were refused, for the audit.
    refusals: Mutex<refusals::Refusals>,
    /// A deletion has got a deadline.
    deadline_set: Notify,
    /// Places for checks of plans.
    checks: Semaphore,
    /// Deletions whose chores are being worked off.
    at_work: Mutex<chores::AtWork>,
    healthy: watch::Sender<bool>,
    /// Its clones are outcomes of this process that wait to be written.
    unrecorded: Arc<()>,
}

/// The front of this folder.
#[derive(Debug, Clone)]
pub struct Dispatch {
    shared: Arc<Shared>,
}

impl Dispatch {
    /// Builds lanes and buckets; nothing runs yet.
    #[must_use]
    pub fn new(parts: Parts, configs: Vec<AccountConfig>) -> Self {
        let mut buckets: HashMap<(String, &'static str), Arc<dyn Permits>> = HashMap::new();
        let (mut accounts, mut lanes) = (BTreeMap::new(), BTreeMap::new());
        for config in configs {
            let account = Arc::new(Account::new(&config));
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
            keep: parts.keep,
            accounts,
            lanes,
            wakes: Wakes::default(),
            paces: Mutex::default(),
            runs: Mutex::default(),
            pausing: Mutex::default(),
            moves_begun: AtomicU64::new(0),
            moves_counted: AtomicU64::new(0),
            holds: RwLock::default(),
            stops: Mutex::default(),
            unsure_since: AtomicU64::new(0),
            looks: AtomicU64::new(0),
            refusals: Mutex::default(),
            deadline_set: Notify::new(),
            checks: Semaphore::new(errand::MOST_CHECKS),
            at_work: Mutex::default(),
            healthy: watch::Sender::new(true),
            unrecorded: Arc::new(()),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Takes back what a dead process left, then starts the loops.
    pub async fn start(&self) -> Result<(), journal::Error> {
        // Before anything can go out.
        self.shared.read_guards().await?;
        // One process uses the journal: whoever was uploading is gone.
        let unsealed = self.shared.journal.discard_unsealed(self.shared.clock.now()).await?;
        let taken_back = sweep::take_back(&self.shared, Rescue::All).await?;
        let open = sweep::recount(&self.shared).await?;
        let waiting: u64 = open.iter().map(|lane| lane.waiting).sum();
        if taken_back > 0 || waiting > 0 || unsealed > 0 {
            tracing::info!(taken_back, waiting, unsealed, "open items of an earlier run go on");
        }
        for open in open.iter().filter(|open| !self.shared.lanes.contains_key(&open.lane)) {
            tell_unserved(&open.lane, open.waiting);
        }
        for lane in self.shared.lanes.values() {
            self.shared.tasks.spawn(lane::run(Arc::clone(&self.shared), Arc::clone(lane)));
        }
        self.tell_audit_head().await;
        chores::begin_all(&self.shared).await?;
        self.shared.tasks.spawn(sweep::run(Arc::clone(&self.shared)));
        self.shared.tasks.spawn(deadlines::run(Arc::clone(&self.shared)));
        Ok(())
    }

    /// Says in the log where the audit chain ends, so that a chain that was made anew does not fit
    /// what somebody else has kept.
    pub async fn tell_audit_head(&self) {
        sweep::tell_audit_head(&self.shared).await;
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
}

/// The providers that accounts can have.
pub fn provider_names() -> impl Iterator<Item = &'static str> {
    providers::registry::PROVIDERS.iter().map(|listed| listed.name)
}

/// The ending of an item that a provider refuses to serve.
pub(crate) fn refused(provider: &dyn Provider, refusal: &Refusal) -> Ending {
    Ending::not_ok(Outcome::Refused, refusal_error(provider, refusal))
}

/// What a provider's refusal is called.
fn refusal_error(provider: &dyn Provider, refusal: &Refusal) -> ItemError {
    match refusal {
        Refusal::Unsupported(message) => providers::unsupported(provider, message.clone()),
        Refusal::Invalid { message, .. } => ItemError::new(Reason::Invalid, message.clone()),
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_unserved(lane: &LaneId, items: u64) {
    tracing::error!(%lane, items,
        "the journal holds items of an account or operation that is not configured; they wait");
}

/// A write that moves items is under way.
struct Moves<'a>(&'a Shared);

impl Drop for Moves<'_> {
    fn drop(&mut self) {
        self.0.moves_counted.fetch_add(1, Ordering::SeqCst);
    }
}

impl Shared {
    fn lanes_of(&self, account: &Account) -> impl Iterator<Item = &Arc<Lane>> {
        // Lanes are in order of their accounts: only these are looked at, however many there are.
        let first = LaneId { account: account.id.clone(), operation: OperationName::known("") };
        self.lanes.range(first..).map(|(_, lane)| lane).take_while(|lane| lane.id.account == account.id)
    }

    /// Whether the playback of a target can be blocked.
    fn can_block(&self, target: &Target) -> bool {
        self.accounts.get(&target.account).is_some_and(|account| account.provider.can_block(target))
    }

    fn lane(&self, account: &AccountId, operation: &str) -> Option<&Arc<Lane>> {
        let operation = OperationName::parse(operation).ok()?;
        self.lanes.get(&LaneId { account: account.clone(), operation })
    }

    fn paces(&self) -> MutexGuard<'_, Paces> {
        locked(&self.paces)
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        locked(&self.runs)
    }

    fn pausing(&self) -> MutexGuard<'_, BTreeSet<DeletionSeq>> {
        locked(&self.pausing)
    }

    fn at_work(&self) -> MutexGuard<'_, chores::AtWork> {
        locked(&self.at_work)
    }

    /// A deletion has ended: nothing more is measured of it.
    fn forget(&self, deletion: DeletionSeq) {
        self.paces().forget(deletion);
        self.runs().forget(deletion);
    }

    /// Held from before such a write until the lanes have counted what it did.
    fn moves(&self) -> Moves<'_> {
        self.moves_begun.fetch_add(1, Ordering::SeqCst);
        Moves(self)
    }

    /// The number of such writes, if none is under way.
    fn moves_at_rest(&self) -> Option<u64> {
        let counted = self.moves_counted.load(Ordering::SeqCst);
        (self.moves_begun.load(Ordering::SeqCst) == counted).then_some(counted)
    }

    /// Items of a deletion may go that could not before.
    async fn wake_lanes_of(&self, deletion: DeletionSeq) {
        let shares = self.journal.shares(deletion).await;
        self.wake_these(shares.map(|shares| shares.into_iter().map(|share| share.lane).collect()));
    }

    /// So much has come to wait that the journal is asked for the numbers.
    async fn recount_and_wake(&self) {
        let open = sweep::recount(self).await;
        self.wake_these(open.map(|open| open.into_iter().map(|open| open.lane).collect()));
    }

    fn wake_these(&self, lanes: Result<Vec<LaneId>, journal::Error>) {
        match lanes {
            Ok(lanes) => lanes.iter().filter_map(|id| self.lanes.get(id)).for_each(|lane| lane.wake()),
            // One look too many does no harm.
            Err(_) => self.lanes.values().for_each(|lane| lane.wake()),
        }
    }

    /// The number of a look at the journal that begins now.
    fn look(&self) -> u64 {
        self.looks.fetch_add(1, Ordering::SeqCst).saturating_add(1)
    }

    /// Reads holds and stop switches back after one was written. If that fails nothing is sent
    /// until the sweep has read them.
    async fn read_guards(&self) -> Result<(), journal::Error> {
        let look = self.look();
        let read = async {
            holds::load(self).await?;
            stops::load(self).await
        };
        let read = read.await;
        match &read {
            Err(_) => drop(self.unsure_since.fetch_max(look, Ordering::SeqCst)),
            // A look that began later than the one that failed has seen what that one could not.
            Ok(()) => drop(
                self.unsure_since
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |since| (since <= look).then_some(0)),
            ),
        }
        read
    }

    /// Whether it is known what must not be sent.
    fn knows_guards(&self) -> bool {
        self.unsure_since.load(Ordering::SeqCst) == 0
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

    /// Takes what the journal answered as news of its health.
    fn heard<T>(&self, answer: Result<T, journal::Error>) -> Result<T, journal::Error> {
        match &answer {
            Ok(_) => self.journal_works(),
            Err(error) => self.journal_failed(error),
        }
        answer
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
}
