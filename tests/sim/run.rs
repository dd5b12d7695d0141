//! Plays one world: a process after the other over one journal, until all is quiet.
//!
//! Everything of a life runs on one thread: the driver moves time on only when no
//! task has anything to do, to the next sleeper or the next event, whichever is
//! first. A process dies by the end of its runtime: every task stops where it
//! stands, and what is under way at the vendor goes on without it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::dispatch::bucket::Rate;
use vodrm::dispatch::submit::{Accepted, Request, SubmitError};
use vodrm::dispatch::upload::{Begun, NewUpload};
use vodrm::dispatch::{AccountConfig, Dispatch, Parts};
use vodrm::guard::caller::{Caller, Caps};
use vodrm::journal::memory::MemoryJournal;
use vodrm::journal::{self, Asked, Once as OnceKey, Settlement, Turned};
use vodrm::types::chance::Chance;
use vodrm::types::clock::Clock;
use vodrm::types::deletion::Digest;
use vodrm::types::hold::{Hold, HoldId, Stop};
use vodrm::types::lifecycle::{DeletionState, Verb};
use vodrm::types::metrics::Metrics;
use vodrm::types::outcome::{Ending, Outcome, Reason};
use vodrm::types::target::AccountId;

use crate::checker::{Checker, Told, reason_of};
use crate::clock::SimClock;
use crate::gates::Gates;
use crate::journal::FaultyJournal;
use crate::plan::{BOSS, Decide, Event, Plan};
use crate::trace::Trace;
use crate::vendor::{Client, Vendor};

/// How often the promises are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// After this much quiet time everything must have ended.
const PATIENCE: Duration = Duration::from_hours(4);
/// How long a caller's key is kept.
const KEEP: Duration = Duration::from_hours(24);
const OPERATOR: &str = "operator";

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    pub(crate) hash: u64,
    pub(crate) calls: u64,
    pub(crate) effective: usize,
    pub(crate) lost: usize,
    pub(crate) lives: u64,
    pub(crate) outcomes: [u64; Outcome::ALL.len()],
    pub(crate) inferred: usize,
    pub(crate) coalesced: usize,
    pub(crate) reopened: usize,
    pub(crate) uploads: usize,
    pub(crate) started: usize,
    pub(crate) approved: usize,
    pub(crate) rejected: usize,
    pub(crate) expired: usize,
    /// Sent after a delay.
    pub(crate) delayed: usize,
    /// Items that a hold kept.
    pub(crate) held: usize,
    /// Times that a stop switch was surely on.
    pub(crate) stops: usize,
}

/// What went wrong, and the last of what happened.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) why: String,
    pub(crate) trace: String,
}

struct World {
    seed: u64,
    plan: Plan,
    clock: Arc<SimClock>,
    vendor: Arc<Vendor>,
    journal: Arc<FaultyJournal>,
    trace: Arc<Trace>,
    gates: Arc<Gates>,
    told: Arc<Mutex<Vec<Told>>>,
    events: VecDeque<(Duration, Event)>,
    checker: Checker,
}

enum End {
    Died(Duration),
    Quiet,
}

pub(crate) fn run(seed: u64, in_full: bool) -> Result<Summary, Failure> {
    count_panics();
    let (clock, trace) = (SimClock::start(), Arc::new(Trace::new(in_full)));
    let plan = Plan::draw(seed);
    let model = Arc::new(MemoryJournal::new(Arc::clone(&clock) as _));
    let gates = Arc::new(Gates::new(&plan));
    let vendor = Vendor::new(
        seed,
        Arc::clone(&clock),
        Arc::clone(&model),
        Arc::clone(&trace),
        Arc::clone(&gates),
        &plan,
    );
    let journal = FaultyJournal {
        model: Arc::clone(&model),
        clock: Arc::clone(&clock),
        trace: Arc::clone(&trace),
        seed,
        troubles: plan.disk.clone(),
        uses: AtomicU64::new(0),
    };
    let mut world = World {
        seed,
        clock,
        vendor: Arc::new(vendor),
        journal: Arc::new(journal),
        trace: Arc::clone(&trace),
        gates,
        told: Arc::new(Mutex::new(vec![Told::Nothing; plan.requests.len()])),
        events: plan.events.iter().cloned().collect(),
        checker: Checker::new(model),
        plan,
    };
    let fail = |why| Failure { why, trace: trace.last_lines() };
    world.play().map_err(fail)
}

impl World {
    fn play(&mut self) -> Result<Summary, String> {
        let mut lives = 0;
        loop {
            lives += 1;
            let idle = Arc::new(Idle::default());
            let on_park = Arc::clone(&idle);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .on_thread_park(move || on_park.parked())
                .build()
                .expect("a runtime without I/O");
            let end = runtime.block_on(self.live(&idle, lives))?;
            drop(runtime);
            match end {
                End::Died(down) => self.clock.advance_to(self.clock.uptime() + down),
                End::Quiet => break,
            }
        }
        let inside = self.vendor.catch_up();
        let told = self.told.lock().expect("nothing panics under the lock");
        self.checker.end(&self.plan, &inside, &told)?;
        let mut summary = Summary {
            hash: self.trace.hash(),
            calls: inside.calls,
            effective: inside.ledger.iter().filter(|row| row.effective).count(),
            lost: inside.ledger.iter().filter(|row| row.lost).count(),
            lives,
            stops: self.gates.stops(),
            ..Summary::default()
        };
        for row in self.checker.deletions() {
            summary.reopened += usize::try_from(row.round).unwrap_or_default();
            summary.uploads += usize::from(row.bulk);
            summary.started += usize::from(row.review.started.is_some());
            summary.approved += usize::from(row.review.approved.is_some());
            summary.rejected += usize::from(row.state == DeletionState::Rejected);
            summary.expired += usize::from(row.state == DeletionState::Expired);
            summary.delayed += usize::from(!row.terms.delay.is_zero() && row.started_at.is_some());
            for (sum, one) in summary.outcomes.iter_mut().zip(row.counts.by_outcome) {
                *sum += one;
            }
            for item in self.checker.items(&row) {
                let error = item.ending.as_ref().and_then(|ending| ending.error.as_ref());
                summary.held += usize::from(error.is_some_and(|error| error.code == Reason::Held));
                summary.coalesced += usize::from(item.coalesced_with.is_some());
                summary.inferred += usize::from(item.ending.is_some_and(|ending| ending.inferred));
            }
        }
        Ok(summary)
    }

    fn dispatch(&self, tasks: &TaskTracker, life: u64) -> Dispatch {
        let parts = Parts {
            journal: Arc::clone(&self.journal) as _,
            clock: Arc::clone(&self.clock) as _,
            chance: Chance::seeded(self.seed ^ (life << 32)),
            metrics: Metrics::new(),
            tasks: tasks.clone(),
            stop: CancellationToken::new(),
            policy: self.plan.policy,
            queue_depth: self.plan.queue_depth,
            keep: KEEP,
        };
        let configs = self.plan.accounts.iter().map(|account| {
            let client = Client {
                account: account.id.clone(),
                batches: account.batches,
                vendor: Arc::clone(&self.vendor),
            };
            let rate = Rate { qps: f64::from(account.qps), share: account.share };
            let operations = vodrm::providers::Provider::operations(&client);
            AccountConfig {
                id: account.id.clone(),
                region: None,
                quota_group: account.id.to_string(),
                rates: operations.iter().map(|operation| (operation.name, rate)).collect(),
                provider: Arc::new(client),
                policy: account.policy.clone(),
            }
        });
        Dispatch::new(parts, configs.collect())
    }

    async fn live(&mut self, idle: &Idle, life: u64) -> Result<End, String> {
        let tasks = TaskTracker::new();
        let dispatch = self.dispatch(&tasks, life);
        let (started, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        {
            let (dispatch, started, failed) = (dispatch.clone(), Arc::clone(&started), Arc::clone(&failed));
            tasks.spawn(async move {
                let flag = if dispatch.start().await.is_ok() { started } else { failed };
                flag.store(true, Ordering::Relaxed);
            });
        }
        self.trace.add(self.clock.uptime(), &format!("life {life}"));
        let mut next_look = self.clock.uptime();
        let mut quiet_since = None;
        loop {
            idle.wait().await;
            self.alarms()?;
            let now = self.clock.uptime();
            if failed.load(Ordering::Relaxed) {
                // A service that cannot read its journal ends; somebody starts it again.
                return Ok(End::Died(Duration::from_secs(1)));
            }
            if self.events.front().is_some_and(|(at, _)| *at <= now)
                && let Some((_, event)) = self.events.pop_front()
            {
                self.trace.add(now, &format!("event {event:?}"));
                match event {
                    Event::Die(down) => return Ok(End::Died(down)),
                    _ if !started.load(Ordering::Relaxed) => {}
                    Event::Ask(request) => self.ask(&dispatch, &tasks, request),
                    Event::Decide(request, decide) => self.decide(&dispatch, &tasks, request, decide),
                    Event::Hold(account, id) => self.hold(&dispatch, &tasks, account, id),
                    Event::Lift(account, id) => self.lift(&dispatch, &tasks, account, id),
                    Event::Stop(account) => self.stop(&dispatch, &tasks, account),
                    Event::Restart(account) => self.restart(&dispatch, &tasks, account),
                    Event::Turn(request, verb) => self.turn(&dispatch, &tasks, request, verb),
                    Event::Settle(request) => self.settle(&dispatch, &tasks, request),
                }
                continue;
            }
            if now >= next_look {
                next_look = now + LOOK;
                self.checker.look()?;
                if now > self.plan.calm {
                    self.resume_all(&dispatch, &tasks);
                    self.lift_all(&dispatch, &tasks);
                }
                let at_rest = now > self.plan.calm && self.events.is_empty() && self.checker.is_at_rest();
                match quiet_since {
                    _ if !at_rest => quiet_since = None,
                    None => quiet_since = Some(now),
                    Some(since) if since + Duration::from_secs(70) < now => {
                        self.nothing_waits(&dispatch)?;
                        return Ok(End::Quiet);
                    }
                    Some(_) => {}
                }
            }
            if now > self.plan.calm + PATIENCE {
                return Err(format!("I3: still open after all has been quiet: {}", self.open()));
            }
            let event = self.events.front().map(|(at, _)| *at);
            let next = [self.clock.next(), event, Some(next_look)].into_iter().flatten().min();
            self.clock.advance_to(next.unwrap_or(next_look));
        }
    }

    fn alarms(&self) -> Result<(), String> {
        if let Some(panic) = PANIC.with_borrow_mut(Option::take) {
            return Err(format!("I10: {panic}"));
        }
        let wrong = self.vendor.lock().wrong.first().cloned();
        wrong.map_or(Ok(()), Err)
    }

    fn open(&self) -> String {
        let rows = self.checker.deletions().into_iter().filter(|row| row.counts.open() > 0);
        let tell = |row| {
            let items = self.checker.items(&row);
            let open: Vec<String> = items
                .iter()
                .filter(|item| item.ending.is_none())
                .map(|item| format!("{} {:?} {:?}", item.key.index, item.state, item.coalesced_with))
                .collect();
            format!("{} {}: {open:?}", row.seq, row.state)
        };
        rows.map(tell).collect::<Vec<_>>().join("; ")
    }

    /// I7: what operators see of the lanes adds up, too.
    fn nothing_waits(&self, dispatch: &Dispatch) -> Result<(), String> {
        for account in self.plan.accounts.iter().filter_map(|account| dispatch.account(&account.id)) {
            for lane in account.lanes {
                if lane.queue_depth != 0 {
                    let (depth, id) = (lane.queue_depth, &account.id);
                    return Err(format!("I7: {depth} items are shown to wait in {id}/{}", lane.operation));
                }
            }
        }
        Ok(())
    }

    fn ask(&self, dispatch: &Dispatch, tasks: &TaskTracker, request: usize) {
        let (ask, dispatch, told) =
            (self.plan.requests[request].clone(), dispatch.clone(), Arc::clone(&self.told));
        told.lock().expect("nothing panics under the lock")[request] = Told::Unsure;
        let fingerprint = fingerprint(&ask);
        let caller = Arc::new(self.caller(&ask.caller));
        tasks.spawn(async move {
            let reason = Some(reason_of(request));
            let answer = match ask.upload {
                None => {
                    let once = ask.key.map(|key| OnceKey { key, fingerprint, keep: KEEP });
                    let (if_absent, wish) = (ask.if_absent, ask.wish);
                    let (wanted, waits) = (ask.wanted, ask.waits);
                    let request = Request { caller, reason, if_absent, wish, wanted, waits, once };
                    dispatch.submit(request).await.map(Some)
                }
                Some(whole) => {
                    let key = ask.key.clone().map(|key| (key, KEEP));
                    let (if_absent, wish) = (ask.if_absent, ask.wish);
                    let new = NewUpload { caller, reason, if_absent, wish, key };
                    let fingerprint = ask.key.map(|_| fingerprint);
                    upload(&dispatch, new, ask.wanted, whole, fingerprint).await
                }
            };
            told.lock().expect("nothing panics under the lock")[request] = match answer {
                Ok(Some(accepted)) => Told::Accepted(accepted.id, accepted.replayed),
                Err(SubmitError::Journal(journal::Error::Uncertain(_))) => Told::Unsure,
                Ok(None) | Err(_) => Told::Refused,
            };
        });
    }

    fn turn(&self, dispatch: &Dispatch, tasks: &TaskTracker, request: usize, verb: Verb) {
        let told = self.told.lock().expect("nothing panics under the lock")[request].clone();
        let Told::Accepted(id, _) = told else { return };
        let (dispatch, vendor, clock) = (dispatch.clone(), Arc::clone(&self.vendor), Arc::clone(&self.clock));
        tasks.spawn(async move {
            if matches!(verb, Verb::Resume | Verb::Retry) {
                vendor.lock().stopped.remove(&id);
            }
            if let Ok(Some(Turned::Done(row, _))) = dispatch.turn(&id, Asked::of(verb, OPERATOR)).await
                && is_stopped(row.state)
            {
                vendor.lock().stopped.entry(id).or_insert(clock.uptime());
            }
        });
    }

    fn caller(&self, name: &str) -> Caller {
        let max_items_per_day = self.plan.caps.get(name).copied();
        Caller { caps: Caps { max_items: None, max_items_per_day }, ..Caller::unlimited(name) }
    }

    /// Somebody who has seen a deletion, or thinks so, lets it go on, or does not.
    fn decide(&self, dispatch: &Dispatch, tasks: &TaskTracker, request: usize, decide: Decide) {
        let told = self.told.lock().expect("nothing panics under the lock")[request].clone();
        let Told::Accepted(id, _) = told else { return };
        let Some(row) = self.checker.deletions().into_iter().find(|row| row.id == id) else { return };
        let Decide { verb, by, seen } = decide;
        let digest = seen.map(|right| if right { row.digest } else { Digest([0xee; 32]) });
        if seen != Some(false) {
            self.gates.decides(&id, verb, &by, self.clock.now());
        }
        let daily_cap = self.plan.caps.get(&by).copied();
        let asked = Asked { digest, daily_cap, ..Asked::of(verb, &by) };
        let (dispatch, vendor, clock) = (dispatch.clone(), Arc::clone(&self.vendor), Arc::clone(&self.clock));
        tasks.spawn(async move {
            if let Ok(Some(Turned::Done(row, _))) = dispatch.turn(&id, asked).await
                && is_stopped(row.state)
            {
                vendor.lock().stopped.entry(id).or_insert(clock.uptime());
            }
        });
    }

    fn hold(&self, dispatch: &Dispatch, tasks: &TaskTracker, account: AccountId, id: HoldId) {
        let (dispatch, gates, number) = (dispatch.clone(), Arc::clone(&self.gates), self.gates.next());
        let (reason, held_by) = ("evidence".to_owned(), BOSS.to_owned());
        let hold = Hold {
            account: account.clone(),
            id: id.clone(),
            asset: None,
            reason,
            held_by,
            held_at: self.clock.now(),
        };
        tasks.spawn(async move {
            if dispatch.hold(hold).await.is_ok() {
                gates.held(&account, id.as_str(), number);
            }
        });
    }

    fn lift(&self, dispatch: &Dispatch, tasks: &TaskTracker, account: AccountId, id: HoldId) {
        self.gates.lifts(&account, id.as_str());
        let dispatch = dispatch.clone();
        tasks.spawn(async move { dispatch.lift(&account, &id, BOSS).await.ok() });
    }

    fn stop(&self, dispatch: &Dispatch, tasks: &TaskTracker, account: Option<AccountId>) {
        let (dispatch, gates, number) = (dispatch.clone(), Arc::clone(&self.gates), self.gates.next());
        let (by, at) = (BOSS.to_owned(), self.clock.now());
        let stop = Stop { account: account.clone(), reason: None, by, at };
        tasks.spawn(async move {
            if dispatch.stop(stop).await.is_ok() {
                gates.stopped(account.as_ref(), number);
            }
        });
    }

    fn restart(&self, dispatch: &Dispatch, tasks: &TaskTracker, account: Option<AccountId>) {
        self.gates.restarts(account.as_ref());
        let dispatch = dispatch.clone();
        tasks.spawn(async move { dispatch.restart(account, BOSS, None).await.ok() });
    }

    /// When all is over, nothing is held or stopped for good: what waits must end.
    fn lift_all(&self, dispatch: &Dispatch, tasks: &TaskTracker) {
        for hold in self.checker.holds() {
            self.lift(dispatch, tasks, hold.account, hold.id);
        }
        for stop in self.checker.stops() {
            self.restart(dispatch, tasks, stop.account);
        }
    }

    /// An operator who has seen why a deletion is paused lets it go on.
    fn resume_all(&self, dispatch: &Dispatch, tasks: &TaskTracker) {
        for row in self.checker.deletions().into_iter().filter(|row| row.state == DeletionState::Paused) {
            let (dispatch, vendor) = (dispatch.clone(), Arc::clone(&self.vendor));
            tasks.spawn(async move {
                vendor.lock().stopped.remove(&row.id);
                dispatch.turn(&row.id, Asked::of(Verb::Resume, OPERATOR)).await.ok();
            });
        }
    }

    fn settle(&self, dispatch: &Dispatch, tasks: &TaskTracker, request: usize) {
        let told = self.told.lock().expect("nothing panics under the lock")[request].clone();
        let Told::Accepted(id, _) = told else { return };
        for row in self.checker.deletions().into_iter().filter(|row| row.id == id) {
            let unknown = |item: &vodrm::journal::ItemRow| {
                item.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Unknown)
            };
            for item in self.checker.items(&row).into_iter().filter(unknown) {
                let dispatch = dispatch.clone();
                let settlement = Settlement {
                    ending: Ending::deleted(),
                    by: "operator".to_owned(),
                    reason: Some("looked at the console".to_owned()),
                };
                tasks.spawn(async move {
                    dispatch.settle(item.key, settlement).await.ok();
                });
            }
        }
    }
}

/// Whether nothing more of a deletion in this state begins.
fn is_stopped(state: DeletionState) -> bool {
    state == DeletionState::Paused || state.is_dead()
}

async fn upload(
    dispatch: &Dispatch,
    new: NewUpload,
    wanted: Vec<vodrm::types::deletion::Wanted>,
    whole: bool,
    fingerprint: Option<Digest>,
) -> Result<Option<Accepted>, SubmitError> {
    let mut upload = match dispatch.begin_upload(new).await? {
        Begun::Upload(upload) => upload,
        Begun::Known { .. } => return Ok(None),
        Begun::KeyBusy => return Err(SubmitError::KeyBusy),
    };
    let lines = wanted.len();
    for (line, one) in (1..).zip(wanted) {
        if !whole && usize::try_from(line) == Ok(lines) {
            // The body breaks off.
            return Ok(None);
        }
        upload.push(line, Ok(one)).await?;
    }
    upload.seal(fingerprint).await.map(Some)
}

fn fingerprint(ask: &crate::plan::Ask) -> Digest {
    let mut hasher = DefaultHasher::new();
    format!("{:?} {:?} {:?} {:?}", ask.wanted, ask.wish, ask.if_absent, ask.upload).hash(&mut hasher);
    let mut digest = [0; 32];
    digest[..8].copy_from_slice(&hasher.finish().to_le_bytes());
    Digest(digest)
}

/// Tells the driver that every task waits.
#[derive(Default)]
struct Idle {
    driver: Mutex<Option<Waker>>,
    is_parked: AtomicBool,
}

impl Idle {
    fn parked(&self) {
        if let Some(driver) = self.driver.lock().expect("nothing panics under the lock").take() {
            self.is_parked.store(true, Ordering::Relaxed);
            driver.wake();
        }
    }

    async fn wait(&self) {
        poll_fn(|context| {
            if self.is_parked.swap(false, Ordering::Relaxed) {
                return Poll::Ready(());
            }
            *self.driver.lock().expect("nothing panics under the lock") = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// A task that panics must not go unseen: each run is on one thread.
fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            PANIC.with_borrow_mut(|panic| *panic = Some(info.to_string()));
            usual(info);
        }));
    });
    PANIC.with_borrow_mut(|panic| *panic = None);
}
