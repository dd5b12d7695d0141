//! A faulty vendor, and the client of it that dispatch calls.
//!
//! Written from the vendors' rules, sharing nothing with `src/providers` but the
//! words: up to twenty ids in a call or one, lists of what is missing and what is
//! forbidden, errors of the whole call, limits counted in any second, answers that
//! never come and effects that come late. What becomes of the nth call of a lane
//! follows from the seed and n, not from who called before. It keeps a ledger of
//! what it did and refuses nothing that it only notices: `wrong` collects what no
//! call may do.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vodrm::guard::policy::Policy;
use vodrm::journal::memory::MemoryJournal;
use vodrm::journal::{ItemRow, Journal};
use vodrm::providers::{
    Again, Call, CallReport, Effect, Entry, Operation, Provider, ReadFirst, Refusal, Repeat, Route, Verdict,
};
use vodrm::types::asset::{Facts, Source, SourceFile, Standing};
use vodrm::types::clock::Clock;
use vodrm::types::deletion::{DeletionId, ItemState, PartName};
use vodrm::types::effects::GoesWith;
use vodrm::types::outcome::{AttemptClass, ItemError, LaneReason, Outcome, Reason};
use vodrm::types::target::{AccountId, Kind, MediaId, Name, Target, What};

use crate::clock::SimClock;
use crate::gates::Gates;
use crate::plan::Plan;
use crate::trace::Trace;

const fn operation(name: &'static str, effect: Effect, items_per_call: usize) -> Operation {
    Operation { name, effect, published_qps: None, items_per_call, parts_per_call: 20 }
}

static DELETE_VIDEOS: Operation = operation("DeleteVideos", Effect::Delete, 20);
static DELETE_SOURCE: Operation = operation("DeleteSource", Effect::Delete, 20);
static DELETE_IMAGES: Operation = operation("DeleteImages", Effect::Delete, 20);
static READ_VIDEOS: Operation = operation("ReadVideos", Effect::Read, 20);
static READ_SOURCE: Operation = operation("ReadSource", Effect::Read, 1);
static BATCHES: [Operation; 5] = [
    operation("DeleteVideos", Effect::Delete, 20),
    operation("DeleteSource", Effect::Delete, 20),
    operation("DeleteImages", Effect::Delete, 20),
    operation("ReadVideos", Effect::Read, 20),
    operation("ReadSource", Effect::Read, 1),
];
static DELETE_ONE: Operation = operation("DeleteOne", Effect::Delete, 1);
static DESCRIBE: Operation = operation("Describe", Effect::Read, 20);
static SINGLES: [Operation; 2] =
    [operation("DeleteOne", Effect::Delete, 1), operation("Describe", Effect::Read, 20)];

const PROBE: &str = "probe";
/// When a client stops to wait.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// A vendor that did not answer is at rest by then: within the cool-down.
const LATEST_EFFECT: Duration = Duration::from_secs(25);
/// Nothing new starts later than this after a cancel or a pause.
const GRACE: Duration = Duration::from_secs(1);

/// One account as the plan makes it.
#[derive(Debug, Clone)]
pub(crate) struct AccountPlan {
    pub(crate) id: AccountId,
    /// Twenty ids in a call, or one.
    pub(crate) batches: bool,
    /// The vendor's limit of every operation.
    pub(crate) qps: u32,
    pub(crate) share: f64,
    /// Of a thousand calls so many go wrong.
    pub(crate) trouble: u32,
    /// The key does not work from, until.
    pub(crate) outages: Vec<(Duration, Duration)>,
    /// Of images in a call with a missing one, whether the others go.
    pub(crate) images_go: bool,
    pub(crate) objects: BTreeMap<String, Object>,
    pub(crate) references: BTreeMap<String, String>,
    /// What must happen before anything of it is sent.
    pub(crate) policy: Policy,
    /// When a reference comes to mean another object.
    pub(crate) rebound: Vec<(Duration, String, String)>,
}

/// Something that can be deleted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub(crate) stands: bool,
    pub(crate) forbidden: bool,
    /// A call that names it is refused as a whole.
    pub(crate) poisoned: bool,
    pub(crate) busy_until: Duration,
    /// Made again this long after it was deleted.
    pub(crate) made_again_after: Option<Duration>,
}

/// What one delete did, or what was said of it.
#[derive(Debug, Clone)]
pub(crate) struct LedgerRow {
    pub(crate) at: Duration,
    pub(crate) target: Target,
    pub(crate) effective: bool,
    /// The client does not know what became of it.
    pub(crate) lost: bool,
    /// The client was told that it is deleted.
    pub(crate) told_deleted: bool,
}

#[derive(Debug)]
pub(crate) struct Vendor {
    seed: u64,
    clock: Arc<SimClock>,
    model: Arc<MemoryJournal>,
    trace: Arc<Trace>,
    gates: Arc<Gates>,
    /// No more trouble from here on.
    calm: Duration,
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
pub(crate) struct Inside {
    accounts: BTreeMap<AccountId, AccountPlan>,
    coming: BTreeMap<(Duration, u64), Coming>,
    said: BTreeMap<u64, Vec<Verdict>>,
    pub(crate) ledger: Vec<LedgerRow>,
    in_flight: BTreeSet<(AccountId, &'static str, String)>,
    arrivals: BTreeMap<(AccountId, &'static str), Vec<Duration>>,
    last: u64,
    pub(crate) calls: u64,
    pub(crate) wrong: Vec<String>,
    /// Deletions that were stopped, and since when.
    pub(crate) stopped: BTreeMap<DeletionId, Duration>,
}

#[derive(Debug, Clone)]
enum Coming {
    /// A call takes effect; with its rows in the ledger.
    Call {
        call: u64,
        account: AccountId,
        operation: &'static Operation,
        entries: Vec<Entry>,
        rows: Vec<usize>,
    },
    /// An object is made again.
    Remade { account: AccountId, object: String },
    /// A reference means another object.
    Rebound { account: AccountId, reference: String, object: String },
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fate {
    Answered,
    NotSent,
    Throttled,
    QuotaUsedUp,
    Resign,
    UnknownCode,
    /// 500 before anything happened.
    FailedBefore,
    /// 500 after all was done.
    FailedAfter,
    /// A gateway gave up; the call runs on behind it.
    GatewayGaveUp,
    /// No answer, nothing done.
    Silent,
    /// No answer, all done.
    SilentAfter,
    /// No answer, and it is done later.
    SilentLate,
    BadKey,
}

/// Ends the time in which a call is under way, however its future ends.
struct UnderWay<'a>(&'a Vendor, Vec<(AccountId, &'static str, String)>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut inside = self.0.lock();
        for key in &self.1 {
            inside.in_flight.remove(key);
        }
    }
}

impl Vendor {
    pub(crate) fn new(
        seed: u64,
        clock: Arc<SimClock>,
        model: Arc<MemoryJournal>,
        trace: Arc<Trace>,
        gates: Arc<Gates>,
        plan: &Plan,
    ) -> Self {
        let (accounts, calm) = (&plan.accounts, plan.calm);
        let mut inside = Inside::default();
        for account in accounts {
            for (at, reference, object) in &account.rebound {
                inside.last += 1;
                let (account, reference) = (account.id.clone(), reference.clone());
                let rebound = Coming::Rebound { account, reference, object: object.clone() };
                inside.coming.insert((*at, inside.last), rebound);
            }
            inside.accounts.insert(account.id.clone(), account.clone());
        }
        Self { seed, clock, model, trace, gates, calm, inside: Mutex::new(inside) }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("nothing panics under the lock")
    }

    /// Everything that has come about until now.
    pub(crate) fn catch_up(&self) -> MutexGuard<'_, Inside> {
        let (now, mut inside) = (self.clock.uptime(), self.lock());
        while let Some(entry) = inside.coming.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, _), coming) = entry.remove_entry();
            inside.come_about(at, coming);
        }
        inside
    }

    fn chance(&self, account: &AccountId, operation: &str, nth: usize) -> StdRng {
        let mut hasher = DefaultHasher::new();
        (self.seed, account.as_str(), operation, nth).hash(&mut hasher);
        StdRng::seed_from_u64(hasher.finish())
    }

    fn fate(&self, plan: &AccountPlan, operation: &Operation, now: Duration, chance: &mut StdRng) -> Fate {
        if now >= self.calm {
            return Fate::Answered;
        }
        if plan.outages.iter().any(|(from, until)| (*from..*until).contains(&now)) {
            return Fate::BadKey;
        }
        if chance.random_range(0..1_000) >= plan.trouble {
            return Fate::Answered;
        }
        let fates: &[Fate] = match operation.effect {
            Effect::Read => &[
                Fate::NotSent,
                Fate::Throttled,
                Fate::Resign,
                Fate::FailedBefore,
                Fate::Silent,
                Fate::UnknownCode,
            ],
            Effect::Delete | Effect::Block | Effect::Lift => &[
                Fate::NotSent,
                Fate::Throttled,
                Fate::Throttled,
                Fate::QuotaUsedUp,
                Fate::Resign,
                Fate::UnknownCode,
                Fate::FailedBefore,
                Fate::FailedAfter,
                Fate::FailedAfter,
                Fate::GatewayGaveUp,
                Fate::Silent,
                Fate::SilentAfter,
                Fate::SilentAfter,
                Fate::SilentLate,
            ],
        };
        fates[chance.random_range(0..fates.len())]
    }

    async fn call(&self, account: &AccountId, call: &Call) -> CallReport {
        let (number, fate, answer_at, rows) = self.arrive(account, call);
        let of_items = call.entries.iter().filter(|entry| is_of_an_item(entry));
        let keys = of_items.map(|entry| (account.clone(), call.operation.name, key_of(entry)));
        let under_way = UnderWay(self, keys.collect());
        self.clock.sleep_until(answer_at).await;
        drop(under_way);
        self.answer(account, call, number, fate, &rows)
    }

    fn arrive(&self, account: &AccountId, call: &Call) -> (u64, Fate, Duration, Vec<usize>) {
        let now = self.clock.uptime();
        let mut wrong = self.not_journaled(call);
        wrong.extend(self.not_let_through(account, call));
        let mut inside = self.catch_up();
        inside.calls += 1;
        inside.last += 1;
        let number = inside.last;
        let plan = &inside.accounts[account];
        let (qps, lane) = (plan.qps as usize, (account.clone(), call.operation.name));
        let nth = inside.arrivals.get(&lane).map_or(0, Vec::len);
        let mut chance = self.chance(account, call.operation.name, nth);
        let fate = self.fate(plan, call.operation, now, &mut chance);
        let took = Duration::from_millis(chance.random_range(20..400));
        let comes_after = Duration::from_millis(
            chance.random_range(1_000..u64::try_from(LATEST_EFFECT.as_millis()).expect("it is short")),
        );
        let arrivals = inside.arrivals.entry(lane).or_default();
        arrivals.push(now);
        let in_a_second = arrivals.iter().rev().take_while(|at| **at + Duration::from_secs(1) > now).count();
        if in_a_second > qps {
            wrong.push(format!(
                "I5: {in_a_second} calls of {} in a second, {qps} allowed",
                call.operation.name
            ));
        }
        if call.entries.is_empty() || call.entries.len() > call.operation.items_per_call {
            wrong.push(format!("{} entries in a call of {}", call.entries.len(), call.operation.name));
        }
        let mut rows = Vec::new();
        for entry in &call.entries {
            let key = (account.clone(), call.operation.name, key_of(entry));
            if is_of_an_item(entry) && !inside.in_flight.insert(key) {
                wrong.push(format!(
                    "I6: two calls of {} under way for {}",
                    call.operation.name,
                    key_of(entry)
                ));
            }
            if call.operation.effect == Effect::Delete && fate != Fate::NotSent {
                rows.push(inside.ledger.len());
                inside.ledger.push(LedgerRow {
                    at: now,
                    target: entry.target.clone(),
                    effective: false,
                    lost: true,
                    told_deleted: false,
                });
            }
        }
        let effect_at = match fate {
            Fate::Answered | Fate::FailedAfter | Fate::SilentAfter => Some(now + took / 2),
            Fate::GatewayGaveUp | Fate::SilentLate => Some(now + comes_after),
            Fate::NotSent
            | Fate::Throttled
            | Fate::QuotaUsedUp
            | Fate::Resign
            | Fate::UnknownCode
            | Fate::FailedBefore
            | Fate::Silent
            | Fate::BadKey => None,
        };
        if let Some(at) = effect_at {
            let coming = Coming::Call {
                call: number,
                account: account.clone(),
                operation: call.operation,
                entries: call.entries.clone(),
                rows: rows.clone(),
            };
            inside.coming.insert((at, number), coming);
        }
        let answer_at = match fate {
            Fate::Silent | Fate::SilentAfter | Fate::SilentLate => now + CALL_TIMEOUT,
            Fate::Answered
            | Fate::NotSent
            | Fate::Throttled
            | Fate::QuotaUsedUp
            | Fate::Resign
            | Fate::UnknownCode
            | Fate::FailedBefore
            | Fate::FailedAfter
            | Fate::GatewayGaveUp
            | Fate::BadKey => now + took,
        };
        let names: Vec<&str> = call.entries.iter().map(|entry| entry.target.name.as_str()).collect();
        self.trace.add(now, &format!("call {number} {account}/{} {fate:?} {names:?}", call.operation.name));
        for line in &wrong {
            self.trace.add(now, line);
        }
        inside.wrong.extend(wrong);
        (number, fate, answer_at, rows)
    }

    /// I1, I2: every entry must be journaled as being sent, and be wanted still.
    fn not_journaled(&self, call: &Call) -> Vec<String> {
        let now = self.clock.uptime();
        let mut wrong = Vec::new();
        for entry in call.entries.iter().filter(|entry| is_of_an_item(entry)) {
            let name = entry.target.name.as_str();
            let sending = self.sending(entry);
            if sending.is_empty() {
                wrong.push(format!("I2: {name} is sent and no item of it is journaled as being sent"));
            }
            let inside = self.lock();
            let is_stopped = |row: &ItemRow| {
                let since = inside.stopped.get(&row.deletion);
                let was_sent = row.progress.as_ref().is_some_and(vodrm::types::deletion::Progress::was_sent);
                since.is_some_and(|since| *since + GRACE < now) && !was_sent
            };
            if call.operation.effect == Effect::Delete
                && !sending.is_empty()
                && sending.iter().all(is_stopped)
            {
                wrong.push(format!("I1: {name} is sent though its deletion was stopped before"));
            }
        }
        wrong
    }

    /// I1: nothing goes out before it is let on, under a hold, or while it is stopped.
    fn not_let_through(&self, account: &AccountId, call: &Call) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.gates.is_stopped(account) {
            wrong.push(format!("I1: {} of {account} is sent though it is stopped", call.operation.name));
        }
        for entry in call.entries.iter().filter(|entry| is_of_an_item(entry)) {
            let name = entry.target.name.as_str();
            let names = [Some(name), entry.media_id().map(MediaId::as_str)];
            let names: Vec<&str> = names.into_iter().flatten().collect();
            if call.operation.effect == Effect::Delete
                && let Some(hold) = self.gates.held_by(account, &names)
            {
                wrong.push(format!("I1: {name} is sent under the hold {hold}"));
            }
            for row in self.sending(entry) {
                let deletion = self.model.deletion(&row.deletion).now_or_never();
                let deletion = deletion.expect("the model never waits").expect("the model is open");
                let Some(deletion) = deletion else { continue };
                let opens_at = self.gates.opens_at(&deletion);
                if opens_at.is_none_or(|at| at > self.clock.now()) {
                    let needs = self.gates.needs_of(&deletion);
                    wrong.push(format!("I1: {name} is sent of {}, which needs {needs:?}", deletion.seq));
                }
            }
        }
        wrong
    }

    /// Items of this target that are journaled as being sent.
    fn sending(&self, entry: &Entry) -> Vec<ItemRow> {
        let (account, name) = (&entry.target.account, entry.target.name.as_str());
        let rows = self.model.items_of(account, name, None, usize::MAX).now_or_never();
        let rows = rows.expect("the model never waits").expect("the model is open");
        let is_of_it = |row: &ItemRow| row.wanted.as_ref().is_some_and(|w| w.target == entry.target);
        rows.into_iter().filter(|row| row.state == ItemState::Sending && is_of_it(row)).collect()
    }

    fn answer(
        &self,
        account: &AccountId,
        call: &Call,
        number: u64,
        fate: Fate,
        rows: &[usize],
    ) -> CallReport {
        use AttemptClass::{Ambiguous, Answered, NotSent, Refused};
        let mut inside = self.catch_up();
        let deletes = call.operation.effect == Effect::Delete;
        let said = inside.said.remove(&number);
        let all = |verdict: Verdict| vec![verdict; call.entries.len()];
        let doubtful = |unanswered| {
            all(if deletes { Verdict::Doubtful { unanswered } } else { Verdict::Again(Again::Unavailable) })
        };
        let wait = number.is_multiple_of(2).then(|| Duration::from_millis(700));
        let (class, status, code, verdicts) = match fate {
            Fate::Answered => (Answered, Some(200), None, said.unwrap_or_else(|| doubtful(true))),
            Fate::NotSent => (NotSent, None, None, all(Verdict::Again(Again::NotSent))),
            Fate::Throttled => {
                (Refused, Some(429), Some("Throttling"), all(Verdict::Again(Again::Throttled)))
            }
            Fate::QuotaUsedUp => (Refused, Some(403), Some("Quota"), all(Verdict::Again(Again::QuotaUsedUp))),
            Fate::Resign => (Refused, Some(403), Some("Expired"), all(Verdict::Again(Again::Resign))),
            Fate::UnknownCode => (Answered, Some(400), Some("Odd"), all(Verdict::Again(Again::Unlisted))),
            Fate::FailedBefore | Fate::FailedAfter => {
                (Ambiguous, Some(500), Some("Internal"), doubtful(false))
            }
            Fate::GatewayGaveUp => (Ambiguous, Some(502), None, doubtful(true)),
            Fate::Silent | Fate::SilentAfter | Fate::SilentLate => (Ambiguous, None, None, doubtful(true)),
            Fate::BadKey => {
                (Refused, Some(403), Some("BadKey"), all(Verdict::Fault(LaneReason::BadCredentials)))
            }
        };
        for (row, verdict) in rows.iter().zip(&verdicts) {
            let row = &mut inside.ledger[*row];
            row.lost = matches!(
                verdict,
                Verdict::Doubtful { .. } | Verdict::Unclear | Verdict::Again(Again::Unlisted)
            );
            row.told_deleted = *verdict == Verdict::Deleted;
        }
        let short: Vec<String> =
            verdicts.iter().map(|v| format!("{v:?}").chars().take(12).collect()).collect();
        self.trace.add(self.clock.uptime(), &format!("answer {number} {account} {short:?}"));
        CallReport {
            class,
            status,
            code: code.map(str::to_owned),
            request_id: status.map(|_| format!("request-{number}")),
            unlisted: fate == Fate::UnknownCode,
            throttled: (fate == Fate::Throttled).then_some(wait),
            verdicts,
        }
    }
}

/// Whether an item wants it: else it is a probe, or asks for a plan or for a hold.
fn is_of_an_item(entry: &Entry) -> bool {
    entry.target.name.as_str() != PROBE && !entry.parts.is_empty()
}

/// What must not be under way twice: a target, not only its asset.
fn key_of(entry: &Entry) -> String {
    format!("{}:{}:{:?}", entry.target.name.form(), entry.target.name.as_str(), entry.target.kind())
}

fn of_source(id: &str) -> String {
    format!("{id}#source")
}

impl AccountPlan {
    /// The object that an entry is about.
    fn object_of(entry: &Entry) -> String {
        let id = entry.media_id().map_or(entry.target.name.as_str(), MediaId::as_str);
        if matches!(entry.target.what, What::Source { .. }) { of_source(id) } else { id.to_owned() }
    }

    fn object(&self, key: &str) -> Object {
        self.objects.get(key).cloned().unwrap_or_default()
    }

    fn facts(&self, id: &str) -> Verdict {
        let object = self.object(id);
        if !object.stands {
            return Verdict::Absent;
        }
        let source = if self.object(&of_source(id)).stands {
            Source::Stands(SourceFile::default())
        } else {
            Source::Gone
        };
        let facts =
            Facts { id: MediaId::parse(id).ok(), source: Some(source), ..Facts::only(Standing::Stands) };
        Verdict::Facts(Box::new(facts))
    }
}

fn not_ok(outcome: Outcome, code: Reason, of_whole_call: bool, maybe_account: bool) -> Verdict {
    let error = ItemError::new(code, "the vendor said so");
    Verdict::NotOk { outcome, error, of_whole_call, maybe_account }
}

impl Inside {
    fn come_about(&mut self, at: Duration, coming: Coming) {
        match coming {
            Coming::Rebound { account, reference, object } => {
                if let Some(account) = self.accounts.get_mut(&account) {
                    account.objects.insert(object.clone(), Object { stands: true, ..Object::default() });
                    account.references.insert(reference, object);
                }
            }
            Coming::Remade { account, object } => {
                if let Some(known) = self.accounts.get_mut(&account).and_then(|a| a.objects.get_mut(&object))
                {
                    known.stands = true;
                }
            }
            Coming::Call { call, account, operation, entries, rows } => {
                let verdicts = match operation.effect {
                    Effect::Read => {
                        let plan = &self.accounts[&account];
                        entries.iter().map(|entry| read(plan, entry)).collect()
                    }
                    Effect::Delete | Effect::Block | Effect::Lift => {
                        self.delete(at, &account, operation, &entries, &rows)
                    }
                };
                self.said.insert(call, verdicts);
            }
        }
    }

    fn delete(
        &mut self,
        at: Duration,
        account: &AccountId,
        operation: &Operation,
        entries: &[Entry],
        rows: &[usize],
    ) -> Vec<Verdict> {
        let plan = &self.accounts[account];
        let keys: Vec<String> = entries.iter().map(AccountPlan::object_of).collect();
        let objects: Vec<Object> = keys.iter().map(|key| plan.object(key)).collect();
        let (several, all) = (entries.len() > 1, |verdict: Verdict| vec![verdict; entries.len()]);
        if objects.iter().any(|object| object.poisoned) {
            return all(not_ok(Outcome::Refused, Reason::Invalid, true, false));
        }
        if objects.iter().any(|object| object.stands && object.busy_until > at) {
            return all(not_ok(Outcome::Busy, Reason::Busy, true, false));
        }
        let images = operation.name == DELETE_IMAGES.name;
        let some_missing = images && several && objects.iter().any(|object| !object.stands);
        let they_go = !some_missing || plan.images_go;
        let mut verdicts = Vec::new();
        for ((object, key), row) in objects.iter().zip(&keys).zip(rows) {
            verdicts.push(match object {
                _ if some_missing => Verdict::Unclear,
                Object { forbidden: true, .. } => {
                    not_ok(Outcome::Refused, Reason::Forbidden, false, !several)
                }
                Object { stands: false, .. } => Verdict::Absent,
                _ => Verdict::Deleted,
            });
            if they_go && object.stands && !object.forbidden {
                self.take_away(at, account, key);
                self.ledger[*row].effective = true;
                self.ledger[*row].at = at;
            }
        }
        verdicts
    }

    fn take_away(&mut self, at: Duration, account: &AccountId, key: &str) {
        let Some(plan) = self.accounts.get_mut(account) else { return };
        let source = of_source(key);
        let Some(object) = plan.objects.get_mut(key) else { return };
        object.stands = false;
        let made_again = object.made_again_after;
        // With the asset goes its source.
        if let Some(source) = plan.objects.get_mut(&source) {
            source.stands = false;
            source.made_again_after = None;
        }
        if let Some(after) = made_again {
            self.last += 1;
            let remade = Coming::Remade { account: account.clone(), object: key.to_owned() };
            self.coming.insert((at + after, self.last), remade);
        }
    }
}

fn read(plan: &AccountPlan, entry: &Entry) -> Verdict {
    match (&entry.target.name, &entry.asset) {
        (Name::Reference(reference), None) => match plan.references.get(reference.as_str()) {
            Some(id) => plan.facts(id),
            None => Verdict::Absent,
        },
        _ => plan.facts(entry.media_id().map_or(entry.target.name.as_str(), MediaId::as_str)),
    }
}

/// The client of one account.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) account: AccountId,
    pub(crate) batches: bool,
    pub(crate) vendor: Arc<Vendor>,
}

#[async_trait]
impl Provider for Client {
    fn name(&self) -> &'static str {
        if self.batches { "batches" } else { "singles" }
    }

    fn kinds(&self) -> &'static [Kind] {
        if self.batches { &[Kind::Media, Kind::Source, Kind::Image] } else { &[Kind::Media, Kind::Source] }
    }

    fn operations(&self) -> &'static [Operation] {
        if self.batches { &BATCHES } else { &SINGLES }
    }

    fn route(&self, target: &Target) -> Result<Route, Refusal> {
        let of =
            |delete, settle, repeat, part| Route { resolve: None, delete, settle, repeat, parts: vec![part] };
        let by_id = matches!(target.name, Name::Id(_));
        let by_reference = matches!(target.name, Name::Reference(_));
        match (&target.what, self.batches) {
            (What::Media, true) if by_id || by_reference => Ok(Route {
                resolve: by_reference.then_some((&READ_VIDEOS, ReadFirst::Reference)),
                ..of(&DELETE_VIDEOS, Some(&READ_VIDEOS), Repeat::Always, PartName::Asset)
            }),
            (What::Source { .. }, true) if by_id => {
                Ok(of(&DELETE_SOURCE, Some(&READ_SOURCE), Repeat::Briefly, PartName::Source))
            }
            (What::Image, true) => Ok(of(&DELETE_IMAGES, None, Repeat::Always, PartName::Asset)),
            (What::Media, false) if by_id => {
                Ok(of(&DELETE_ONE, Some(&DESCRIBE), Repeat::Always, PartName::Asset))
            }
            (What::Source { .. }, false) if by_id => {
                Ok(of(&DELETE_ONE, Some(&DESCRIBE), Repeat::Briefly, PartName::Source))
            }
            _ => Err(Refusal::Unsupported("this vendor has no such delete".to_owned())),
        }
    }

    fn group(&self, operation: &Operation, entry: &Entry) -> String {
        let alone = operation.items_per_call == 1;
        let form = if entry.media_id().is_some() { "id" } else { entry.target.name.form() };
        if alone { format!("one:{}", entry.target.name.as_str()) } else { form.to_owned() }
    }

    async fn call(&self, call: &Call) -> CallReport {
        self.vendor.call(&self.account, call).await
    }

    fn probe(&self) -> Call {
        let target = Target {
            account: self.account.clone(),
            name: Name::parse("id", PROBE).expect("it is a name"),
            what: What::Media,
        };
        let operation = if self.batches { &READ_VIDEOS } else { &DESCRIBE };
        Call { operation, entries: vec![Entry { target, asset: None, parts: vec![PartName::Asset] }] }
    }

    fn portrait(&self, _: &MediaId) -> Vec<Call> {
        vec![self.probe()]
    }

    fn survey(&self, target: &Target) -> Option<(&'static Operation, Entry)> {
        let operation = self.route(target).ok()?.settle?;
        // No item is sent with it, which the parts tell.
        Some((operation, Entry { target: target.clone(), asset: None, parts: Vec::new() }))
    }

    fn effects(&self, _: &Target) -> Vec<GoesWith> {
        Vec::new()
    }
}
