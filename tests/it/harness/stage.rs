//! Lanes, permits and a journal on a clock that the test moves, without HTTP.
//!
//! For what takes minutes and is about milliseconds: quota, fairness, forecasts,
//! verbs that race. The vendor is a function that answers after a time of its own.
//! Time moves only when nothing is left to do at the present moment, and then to
//! the next moment that somebody waits for: a journal that is slow on a busy
//! machine costs the test real time and no time of the clock, unless the test says
//! how long a commit takes.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::ops::Bound;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::dispatch::bucket::Rate;
use vodrm::dispatch::retry::Policy;
use vodrm::dispatch::submit::{Accepted, Request, SubmitError};
use vodrm::dispatch::upload::{Begun, NewUpload, Upload};
use vodrm::dispatch::{AccountConfig, Dispatch, Parts};
use vodrm::guard::caller::Caller;
use vodrm::guard::policy::{self, Wish};
use vodrm::journal::sqlite::SqliteJournal;
use vodrm::journal::{
    self, Asked, CallRecord, Change, Chore, Claim, DeletionFilter, DeletionRow, Error, ItemFilter, ItemRow,
    Journal, LaneShare, Lapsed, NewDeletion, NewItem, Noted, OpenLane, Receipt, Recorded, Rescue, Retry,
    Seal, Sealed, Settled, Settlement, Turned, audit,
};
use vodrm::providers::{
    Call, CallReport, Effect, Entry, Operation, Provider, Refusal, Repeat, Route, Verdict,
};
use vodrm::types::chance::Chance;
use vodrm::types::clock::Clock;
use vodrm::types::deletion::{DeletionId, DeletionSeq, IfAbsent, ItemKey, LaneId, PartName, Wanted};
use vodrm::types::effects::GoesWith;
use vodrm::types::hold::{Hold, HoldId, Stop};
use vodrm::types::lifecycle::Pause;
use vodrm::types::metrics::Metrics;
use vodrm::types::outcome::{AttemptClass, ItemError, Outcome, Reason};
use vodrm::types::target::{AccountId, Kind, MediaId, Name, Target, What};

/// The accounts of a stage: one takes twenty items a call, the other one.
pub(crate) const MANY: &str = "many";
pub(crate) const ONE: &str = "one";

/// Turns after which every task that could go on has gone on.
const TURNS: usize = 48;

static MANY_OPERATIONS: [Operation; 2] = [
    Operation {
        name: "DeleteMany",
        effect: Effect::Delete,
        published_qps: None,
        items_per_call: 20,
        parts_per_call: 20,
    },
    Operation {
        name: "ReadMany",
        effect: Effect::Read,
        published_qps: None,
        items_per_call: 20,
        parts_per_call: 20,
    },
];
static ONE_OPERATIONS: [Operation; 2] = [
    Operation {
        name: "DeleteOne",
        effect: Effect::Delete,
        published_qps: None,
        items_per_call: 1,
        parts_per_call: 1,
    },
    Operation {
        name: "ReadOne",
        effect: Effect::Read,
        published_qps: None,
        items_per_call: 20,
        parts_per_call: 20,
    },
];

/// A clock that knows who waits for when.
#[derive(Debug)]
pub(crate) struct StageClock {
    start: Timestamp,
    uptime: watch::Sender<Duration>,
    awaited: Mutex<BTreeMap<Duration, usize>>,
}

impl StageClock {
    fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { start, uptime: watch::Sender::new(Duration::ZERO), awaited: Mutex::default() })
    }

    /// Moves time on to the next moment that somebody waits for, but not beyond this one.
    fn move_on(&self, at_most: Duration) {
        let after = (Bound::Excluded(self.uptime()), Bound::Unbounded);
        let next = self.awaited.lock().unwrap().range(after).next().map(|(at, _)| *at);
        if let Some(next) = next.or((at_most < Duration::MAX).then_some(at_most)) {
            self.uptime.send_replace(next.min(at_most));
        }
    }
}

/// Somebody waits for this moment.
struct Awaited<'a>(&'a StageClock, Duration);

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        let mut awaited = self.0.awaited.lock().unwrap();
        if let Some(count) = awaited.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                awaited.remove(&self.1);
            }
        }
    }
}

#[async_trait]
impl Clock for StageClock {
    fn now(&self) -> Timestamp {
        self.start + self.uptime()
    }

    fn uptime(&self) -> Duration {
        *self.uptime.borrow()
    }

    async fn sleep_until(&self, uptime: Duration) {
        if self.uptime() >= uptime {
            return;
        }
        *self.awaited.lock().unwrap().entry(uptime).or_default() += 1;
        let _awaited = Awaited(self, uptime);
        self.uptime.subscribe().wait_for(|now| *now >= uptime).await.unwrap();
    }
}

/// What a vendor says of one entry.
pub(crate) type Says = Box<dyn Fn(&Operation, &str) -> Verdict + Send + Sync>;

/// One call as the vendor saw it leave.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) operation: &'static str,
    pub(crate) ids: Vec<String>,
}

/// A vendor that is a function.
pub(crate) struct Vendor {
    operations: &'static [Operation],
    clock: Arc<StageClock>,
    pub(crate) takes: Duration,
    says: Mutex<Says>,
    seen: Mutex<Vec<Seen>>,
}

impl fmt::Debug for Vendor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vendor").field("operations", &self.operations).finish_non_exhaustive()
    }
}

impl Vendor {
    pub(crate) fn says(&self, says: impl Fn(&Operation, &str) -> Verdict + Send + Sync + 'static) {
        *self.says.lock().unwrap() = Box::new(says);
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

#[async_trait]
impl Provider for Vendor {
    fn name(&self) -> &'static str {
        "paper"
    }
    fn kinds(&self) -> &'static [Kind] {
        &[Kind::Media]
    }
    fn operations(&self) -> &'static [Operation] {
        self.operations
    }
    fn route(&self, target: &Target) -> Result<Route, Refusal> {
        if target.what != What::Media {
            return Err(Refusal::Unsupported("only media".to_owned()));
        }
        if target.name.as_str().starts_with("bad") {
            return Err(Refusal::Invalid { field: "/id".to_owned(), message: "must not be bad".to_owned() });
        }
        Ok(Route {
            resolve: None,
            delete: &self.operations[0],
            settle: Some(&self.operations[1]),
            repeat: Repeat::Always,
            parts: vec![PartName::Asset],
        })
    }
    fn group(&self, _: &Operation, _: &Entry) -> String {
        "id".to_owned()
    }
    async fn call(&self, call: &Call) -> CallReport {
        let ids: Vec<String> = call.entries.iter().map(|e| e.target.name.as_str().to_owned()).collect();
        let at = self.clock.uptime();
        self.seen.lock().unwrap().push(Seen { at, operation: call.operation.name, ids: ids.clone() });
        self.clock.sleep(self.takes).await;
        let verdicts: Vec<Verdict> = {
            let says = self.says.lock().unwrap();
            ids.iter().map(|id| says(call.operation, id)).collect()
        };
        let code_of = |verdict: &Verdict| {
            if let Verdict::NotOk { error, .. } = verdict { error.vendor_code.clone() } else { None }
        };
        let code = verdicts.iter().find_map(code_of);
        CallReport {
            class: AttemptClass::Answered,
            status: Some(200),
            code,
            request_id: None,
            unlisted: false,
            throttled: None,
            verdicts,
        }
    }
    fn probe(&self) -> Call {
        unreachable!("no account is blocked here")
    }
    fn portrait(&self, _: &MediaId) -> Vec<Call> {
        Vec::new()
    }
    fn survey(&self, _: &Target) -> Option<(&'static Operation, Entry)> {
        None
    }
    fn effects(&self, _: &Target) -> Vec<GoesWith> {
        Vec::new()
    }
}

/// The vendor will not do it, for good, and says so with a code.
pub(crate) fn refused(code: &str) -> Verdict {
    let error = ItemError { vendor_code: Some(code.to_owned()), ..ItemError::new(Reason::Protected, "no") };
    Verdict::NotOk { outcome: Outcome::Refused, error, of_whole_call: false, maybe_account: false }
}

/// Not now.
pub(crate) fn busy() -> Verdict {
    let error = ItemError { vendor_code: Some("Busy".to_owned()), ..ItemError::new(Reason::Busy, "not now") };
    Verdict::NotOk { outcome: Outcome::Busy, error, of_whole_call: false, maybe_account: false }
}

/// A journal of which one can tell whether it is at work.
#[derive(Debug)]
struct Watched {
    inner: SqliteJournal,
    at_work: watch::Sender<usize>,
    clock: Arc<StageClock>,
    takes: Duration,
}

impl Watched {
    async fn count<T>(&self, work: impl Future<Output = T>) -> T {
        self.at_work.send_modify(|count| *count += 1);
        let done = work.await;
        self.at_work.send_modify(|count| *count -= 1);
        if !self.takes.is_zero() {
            self.clock.sleep(self.takes).await;
        }
        done
    }
}

macro_rules! watched {
    ($(fn $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)*) => {
        #[async_trait]
        impl Journal for Watched {
            $(async fn $name(&self, $($arg: $type),*) -> Result<$out, Error> {
                self.count(self.inner.$name($($arg),*)).await
            })*
            async fn close(&self) {
                self.inner.close().await;
            }
        }
    };
}

watched! {
    fn append(deletion: NewDeletion) -> journal::Accepted;
    fn known(requested_by: &str, once: &journal::Once) -> Option<journal::Accepted>;
    fn begin(upload: journal::NewUpload) -> journal::Begun;
    fn stage(upload: DeletionSeq, from: u32, items: Vec<NewItem>) -> ();
    fn seal(upload: DeletionSeq, seal: Seal) -> Sealed;
    fn discard(upload: DeletionSeq) -> ();
    fn discard_unsealed(begun_before: Timestamp) -> usize;
    fn claim(lane: &LaneId, max: usize, lease: Duration) -> Claim;
    fn record(call: CallRecord, changes: Vec<Change>) -> Recorded;
    fn rescue(which: Rescue, max: usize, lease: Duration) -> Vec<journal::Claimed>;
    fn turn(deletion: &DeletionId, asked: Asked) -> Option<Turned>;
    fn cancel_step(deletion: DeletionSeq, max: usize) -> (Recorded, bool);
    fn retriable(deletion: DeletionSeq, from: u32, limit: usize) -> Vec<ItemRow>;
    fn retry(deletion: &DeletionId, retry: Retry) -> Option<Turned>;
    fn settle(key: ItemKey, settlement: Settlement) -> Settled;
    fn note(deletion: DeletionSeq, noted: Noted) -> bool;
    fn lapsed(limit: usize) -> Lapsed;
    fn hold(hold: Hold) -> ();
    fn lift(account: &AccountId, id: &HoldId, by: &str) -> Option<Hold>;
    fn holds() -> Vec<Hold>;
    fn stop(stop: Stop) -> bool;
    fn restart(account: Option<&AccountId>, by: &str, reason: Option<&str>) -> bool;
    fn stops() -> Vec<Stop>;
    fn audit(entries: Vec<audit::Entry>) -> ();
    fn audited(filter: audit::AuditFilter, limit: usize) -> Vec<audit::Record>;
    fn chores() -> Vec<Chore>;
    fn pause_all(pause: Pause) -> usize;
    fn clean(finished_before: Timestamp, max: usize) -> bool;
    fn open_lanes() -> Vec<OpenLane>;
    fn shares(deletion: DeletionSeq) -> Vec<LaneShare>;
    fn deletion(id: &DeletionId) -> Option<DeletionRow>;
    fn deletions(filter: DeletionFilter, limit: usize) -> Vec<DeletionRow>;
    fn items(deletion: DeletionSeq, filter: ItemFilter, limit: usize) -> Vec<ItemRow>;
    fn outcomes(deletion: DeletionSeq, after: u32, limit: usize) -> Vec<ItemRow>;
    fn item(key: ItemKey) -> Option<Receipt>;
    fn items_of(account: &AccountId, id: &str, before: Option<ItemKey>, limit: usize) -> Vec<ItemRow>;
    fn size() -> u64;
    fn check() -> ();
}

/// How a stage is set.
pub(crate) struct Set {
    /// What each account may use.
    pub(crate) rates: [(&'static str, Rate); 2],
    /// How long a vendor takes for a call.
    pub(crate) vendor_takes: Duration,
    /// How long the journal takes for anything, by the clock.
    pub(crate) journal_takes: Duration,
    /// How often an item is tried.
    pub(crate) max_attempts: u32,
    /// How long a finished deletion is kept.
    pub(crate) keep: Duration,
    /// What both accounts ask before anything is sent.
    pub(crate) policy: policy::Policy,
}

impl Default for Set {
    fn default() -> Self {
        Self {
            rates: [(MANY, Rate { qps: 30.0, share: 0.9 }), (ONE, Rate { qps: 100.0, share: 0.9 })],
            vendor_takes: Duration::from_millis(50),
            journal_takes: Duration::ZERO,
            max_attempts: 8,
            keep: Duration::from_hours(24 * 90),
            policy: policy::Policy::default(),
        }
    }
}

/// Everything one test needs.
pub(crate) struct Stage {
    pub(crate) dispatch: Dispatch,
    pub(crate) clock: Arc<StageClock>,
    pub(crate) stop: CancellationToken,
    vendors: BTreeMap<&'static str, Arc<Vendor>>,
    journal: Arc<Watched>,
    tasks: TaskTracker,
    made: AtomicUsize,
    /// Removed with the stage.
    _folder: TempDir,
}

impl Stage {
    pub(crate) async fn new(set: Set) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = StageClock::at("2026-11-20T10:00:00Z".parse().unwrap());
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let metrics = Metrics::new();
        let inner =
            SqliteJournal::open(&folder.path().join("journal.db"), Arc::clone(&shared), metrics.clone());
        let journal = Arc::new(Watched {
            inner: inner.unwrap(),
            at_work: watch::Sender::new(0),
            clock: Arc::clone(&clock),
            takes: set.journal_takes,
        });
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let (mut vendors, mut configs) = (BTreeMap::new(), Vec::new());
        for (name, rate) in set.rates {
            let operations: &'static [Operation] =
                if name == MANY { &MANY_OPERATIONS } else { &ONE_OPERATIONS };
            let vendor = Arc::new(Vendor {
                operations,
                clock: Arc::clone(&clock),
                takes: set.vendor_takes,
                says: Mutex::new(Box::new(|_, _| Verdict::Deleted)),
                seen: Mutex::default(),
            });
            vendors.insert(name, Arc::clone(&vendor));
            configs.push(AccountConfig {
                id: AccountId::parse(name).unwrap(),
                provider: vendor,
                region: None,
                policy: set.policy.clone(),
                quota_group: name.to_owned(),
                rates: operations.iter().map(|operation| (operation.name, rate)).collect(),
            });
        }
        let parts = Parts {
            journal: Arc::clone(&journal) as _,
            clock: shared,
            chance: Chance::seeded(7),
            metrics,
            tasks: tasks.clone(),
            stop: stop.clone(),
            policy: Policy {
                max_attempts: set.max_attempts,
                max_age: Duration::from_hours(24),
                cool_down: Duration::from_secs(30),
            },
            queue_depth: 10_000,
            keep: set.keep,
        };
        let dispatch = Dispatch::new(parts, configs);
        let stage = Self {
            dispatch,
            clock,
            stop,
            vendors,
            journal,
            tasks,
            made: AtomicUsize::new(0),
            _folder: folder,
        };
        let dispatch = stage.dispatch.clone();
        stage.drive(async move { dispatch.start().await }).await.unwrap();
        stage
    }

    pub(crate) fn vendor(&self, account: &str) -> &Arc<Vendor> {
        &self.vendors[account]
    }

    /// Until nothing is left to do at this moment.
    async fn settle(&self) {
        let mut at_work = self.journal.at_work.subscribe();
        loop {
            at_work.borrow_and_update();
            for _ in 0..TURNS {
                tokio::task::yield_now().await;
            }
            // Something that was begun and ended meanwhile may have led to more.
            if !at_work.has_changed().unwrap() && *at_work.borrow() == 0 {
                return;
            }
            at_work.wait_for(|count| *count == 0).await.unwrap();
        }
    }

    /// Lets time pass, a little at a time.
    pub(crate) async fn pass(&self, time: Duration) {
        let until = self.clock.uptime() + time;
        while self.clock.uptime() < until {
            self.settle().await;
            self.clock.move_on(until);
        }
        self.settle().await;
    }

    /// Lets time pass until this is done.
    pub(crate) async fn drive<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.settle() => {}
            }
            // What it waits for may have come to pass just now.
            tokio::select! { biased; done = &mut work => return done, () = std::future::ready(()) => {} }
            self.clock.move_on(Duration::MAX);
        }
    }

    /// Ids that nobody has used yet.
    pub(crate) fn ids(&self, count: usize) -> Vec<String> {
        let first = self.made.fetch_add(count, Ordering::Relaxed);
        (first..first + count).map(|n| format!("id{n:08}")).collect()
    }

    pub(crate) fn wanted(account: &str, id: &str) -> Wanted {
        let target = Target {
            account: AccountId::parse(account).unwrap(),
            name: Name::parse("id", id).unwrap(),
            what: What::Media,
        };
        Wanted { target, label: None }
    }

    pub(crate) fn request(by: &str, account: &str, ids: &[String]) -> Request {
        Request {
            caller: Arc::new(Caller::unlimited(by)),
            reason: None,
            if_absent: IfAbsent::Ok,
            wish: Wish::default(),
            wanted: ids.iter().map(|id| Self::wanted(account, id)).collect(),
            waits: false,
            once: None,
        }
    }

    pub(crate) async fn submit(&self, by: &str, account: &str, ids: &[String]) -> Accepted {
        self.drive(self.dispatch.submit(Self::request(by, account, ids))).await.unwrap()
    }

    pub(crate) async fn begin(&self, by: &str, key: Option<&str>) -> Result<Begun, SubmitError> {
        let new = NewUpload {
            caller: Arc::new(Caller::unlimited(by)),
            reason: None,
            if_absent: IfAbsent::Ok,
            wish: Wish::default(),
            key: key.map(|key| (key.to_owned(), Duration::from_hours(24))),
        };
        self.drive(self.dispatch.begin_upload(new)).await
    }

    pub(crate) async fn receiving(&self, by: &str, key: Option<&str>) -> Box<Upload> {
        match self.begin(by, key).await.unwrap() {
            Begun::Upload(upload) => upload,
            other @ (Begun::Known { .. } | Begun::KeyBusy) => panic!("{other:?}"),
        }
    }

    pub(crate) async fn upload(&self, by: &str, account: &str, ids: &[String]) -> Accepted {
        let mut upload = self.receiving(by, None).await;
        let work = async {
            for (line, id) in (1..).zip(ids) {
                upload.push(line, Ok(Self::wanted(account, id))).await?;
            }
            upload.seal(None).await
        };
        self.drive(work).await.unwrap()
    }

    pub(crate) async fn row(&self, id: &DeletionId) -> DeletionRow {
        self.drive(self.dispatch.journal().deletion(id)).await.unwrap().unwrap()
    }

    /// Lets time pass until a deletion has ended, at most so long.
    pub(crate) async fn ended(&self, id: &DeletionId, within: Duration) -> DeletionRow {
        let until = self.clock.uptime() + within;
        loop {
            let row = self.row(id).await;
            if row.counts.open() == 0 {
                return row;
            }
            assert!(self.clock.uptime() < until, "it has not ended: {row:?}");
            self.pass(Duration::from_millis(20)).await;
        }
    }

    /// Stops in order.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.tasks.close();
        self.drive(self.tasks.wait()).await;
        self.journal.close().await;
    }
}
