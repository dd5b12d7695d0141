//! From a checked request to journaled items, and out.
//!
//! Everything that can be said without a vendor is said here: which targets are
//! duplicates, which must wait for another on the same asset, which the provider
//! cannot serve. Then the deletion is journaled, in one commit. An item that
//! finds a free permit is journaled as `sending` in that commit and goes out at
//! once; the others wait in their lanes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OwnedSemaphorePermit;

use super::call::{self, Outlet};
use super::digest::Digester;
use super::lane::{LEASE, Lane};
use super::quota::{Quota, VendorClient};
use super::wake::Watch;
use super::{Dispatch, Shared, refusals, steps};
use crate::guard::caller::Caller;
use crate::guard::holds::{self, Holds};
use crate::guard::policy::{self, Tally, Wish};
use crate::journal::{self, CapReached, NewDeletion, NewItem, Once, Start};
use crate::providers::{Operation, Refusal};
use crate::types::deletion::{DeletionId, DeletionSeq, IfAbsent, LaneId, Wanted};
use crate::types::lifecycle::{DeletionState, Passed, Terms};
use crate::types::outcome::{Ending, ItemError, LaneReason, Outcome, Reason};
use crate::types::target::{AccountId, Name, Target};

/// Longest `Retry-After` that a full queue answers with.
const MOST_RETRY_AFTER_S: u64 = 3_600;

/// A request that has been checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The caller.
    pub caller: Arc<Caller>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// What is to happen before anything is sent.
    pub wish: Wish,
    /// The targets, in input order; at least one.
    pub wanted: Vec<Wanted>,
    /// The caller waits for the outcome: behind a blocked lane that is pointless, so it is refused.
    pub waits: bool,
    /// The caller's key, if it gave one.
    pub once: Option<Once>,
}

/// A deletion that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// Its public name.
    pub id: DeletionId,
    /// The journal's number.
    pub seq: DeletionSeq,
    /// Wakes when it ends; made before it could.
    pub watch: Watch,
    /// It has ended already.
    pub finished: bool,
    /// A person, or its time, must come before anything of it is sent.
    pub is_ahead: bool,
    /// It was there already: an equal request with the same key made it.
    pub replayed: bool,
}

/// Why nothing was accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// A target names an account that is not configured.
    #[error("target {index} names an unknown account")]
    UnknownAccount {
        /// The target's position.
        index: usize,
    },
    /// Values that a provider would read as something else.
    #[error("{} fields are invalid", .0.len())]
    Invalid(Vec<InvalidField>),
    /// A lane is blocked and the caller would wait.
    #[error("account {account} is blocked: {}", reason.as_str())]
    Blocked {
        /// The account.
        account: AccountId,
        /// Why.
        reason: LaneReason,
    },
    /// A lane's queue is full.
    #[error("{waiting} items wait in lane {lane} already")]
    QueueFull {
        /// The lane.
        lane: LaneId,
        /// Items that wait in it.
        waiting: u64,
        /// Seconds until there should be room.
        retry_after_s: u64,
    },
    /// The caller's key was used for another request.
    #[error("the key was used for another request")]
    KeyReused,
    /// A request with the caller's key is still being received.
    #[error("a request with this key is still being received")]
    KeyBusy,
    /// More items than the caller may have in one deletion.
    #[error("at most {limit} items may be in one deletion of this caller")]
    TooManyItems {
        /// The cap.
        limit: u64,
    },
    /// More items than are left of the caller's day.
    #[error("{} of {} items are left for this caller today", cap.left, cap.limit)]
    DailyCap {
        /// The cap.
        cap: CapReached,
        /// When it was asked.
        now: Timestamp,
    },
    /// The policy of an account asks for a reason.
    #[error("account {0} asks for a reason")]
    ReasonMissing(AccountId),
    /// Playback cannot be blocked, or there is no time in which it would be.
    #[error("playback cannot be blocked: {0}")]
    NoQuarantine(&'static str),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopping,
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// A field of a target that cannot work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidField {
    /// The target's position.
    pub index: usize,
    /// The field as a JSON Pointer below the target.
    pub field: String,
    /// What is wrong, and the fix.
    pub message: String,
}

type Direct = (Quota<VendorClient>, OwnedSemaphorePermit);

impl Dispatch {
    /// Accepts a request: on disk before this returns, and before anything is sent.
    ///
    /// Runs as a task of its own, so that a caller that hangs up half-way cannot
    /// leave items journaled as sending that nobody sends.
    pub async fn submit(&self, request: Request) -> Result<Accepted, SubmitError> {
        let dispatch = self.clone();
        let accepting = self.shared.tasks.spawn(async move {
            let caller = Arc::clone(&request.caller);
            let accepted = dispatch.accept(request).await;
            accepted.inspect_err(|error| tell_cap(&dispatch.shared, &caller, error))
        });
        // No time limit: a 5xx now and a delete later would be worse than a late answer.
        accepting.await.unwrap_or_else(|_| {
            Err(SubmitError::Journal(journal::Error::Uncertain("accepting it failed half-way".to_owned())))
        })
    }

    /// Why a target would wait behind a blocked lane now, if it would.
    #[must_use]
    pub fn holds_up(&self, target: &Target) -> Option<LaneReason> {
        blocked_for(&self.shared, target)
    }

    async fn accept(&self, request: Request) -> Result<Accepted, SubmitError> {
        let shared = &self.shared;
        if self.is_stopping() {
            return Err(SubmitError::Stopping);
        }
        // Before anything can refuse it: behind a blocked lane or a full queue, too, a repeat gets its answer.
        if let Some(once) = &request.once
            && let Some(known) = shared.journal.known(&request.caller.name, once).await?
        {
            return self.answer_to_key(known).await;
        }
        let mut starts = plan(shared, &request.caller, &request.wanted)?;
        let terms = terms(shared, &request, &starts)?;
        let runs = terms.state(Passed::Nothing) == DeletionState::Running;
        if request.waits && runs {
            refuse_blocked(shared, &request.wanted, &starts)?;
        }
        let leased_at = shared.clock.uptime();
        let direct =
            if runs { take_free_permits(shared, &request.wanted, &mut starts) } else { BTreeMap::new() };
        // What does not run yet takes nobody's place.
        let places =
            if runs { reserve(shared, &request.wanted, &starts)? } else { Places { held: Vec::new() } };
        let daily_cap = request.caller.caps.max_items_per_day;
        let id = DeletionId::new();
        let watch = shared.wakes.subscribe(&id);
        let mut digest = Digester::new(request.if_absent);
        request.wanted.iter().for_each(|one| digest.add(Some(&one.target)));
        let items = request.wanted.into_iter().zip(starts);
        let deletion = NewDeletion {
            id: id.clone(),
            requested_by: request.caller.name.clone(),
            reason: request.reason,
            if_absent: request.if_absent,
            items: items.map(|(wanted, start)| NewItem { wanted: Some(wanted), start }).collect(),
            digest: digest.finish(),
            once: request.once,
            terms,
            daily_cap,
        };
        let moves = shared.moves();
        let appended = shared.heard(shared.journal.append(deletion).await)?;
        let journal::Accepted::New(appended) = appended else {
            // Nothing was made: permits and places are given back as they are dropped here.
            return self.answer_to_key(appended).await;
        };
        crate::types::crash::point("after-accept");
        places.keep();
        drop(moves);
        send(shared, direct, leased_at, appended.claimed);
        if !runs {
            shared.deadline_set.notify_one();
            super::chores::begin(shared, appended.seq);
        }
        Ok(Accepted {
            id,
            seq: appended.seq,
            watch,
            finished: appended.finished,
            is_ahead: !runs,
            replayed: false,
        })
    }

    /// The answer to a request whose key is in use.
    async fn answer_to_key(&self, known: journal::Accepted) -> Result<Accepted, SubmitError> {
        match known {
            journal::Accepted::Known(id) => self.replayed(id).await,
            journal::Accepted::KeyBusy => Err(SubmitError::KeyBusy),
            // A new one is not in use; no caller comes with it.
            journal::Accepted::CapReached(cap) => {
                Err(SubmitError::DailyCap { cap, now: self.shared.clock.now() })
            }
            journal::Accepted::KeyReused | journal::Accepted::New(_) => Err(SubmitError::KeyReused),
        }
    }

    /// The deletion that an equal request made.
    async fn replayed(&self, id: DeletionId) -> Result<Accepted, SubmitError> {
        let watch = self.subscribe(&id);
        let gone = || journal::Error::Unavailable("the deletion of this key was just removed".to_owned());
        let row = self.shared.journal.deletion(&id).await?.ok_or_else(gone)?;
        Ok(Accepted {
            id,
            seq: row.seq,
            watch,
            finished: row.counts.open() == 0,
            is_ahead: row.state.is_ahead(),
            replayed: true,
        })
    }
}

/// A cap that was reached is a decision: the audit tells of it.
pub(super) fn tell_cap(shared: &Arc<Shared>, caller: &Caller, error: &SubmitError) {
    if let SubmitError::TooManyItems { .. } | SubmitError::DailyCap { .. } = error {
        refusals::refused(shared, Some(&caller.name), None, error.to_string());
    }
}

/// How each item starts, as far as it is known before a permit is looked for. Pure but for the lookups.
fn plan(shared: &Shared, caller: &Caller, wanted: &[Wanted]) -> Result<Vec<Start>, SubmitError> {
    let holds = shared.holds();
    let mut invalid = Vec::new();
    let mut leaders: HashMap<Target, u32> = HashMap::with_capacity(wanted.len());
    let mut last_of_asset: HashMap<(AccountId, Name), u32> = HashMap::with_capacity(wanted.len());
    let mut starts = Vec::with_capacity(wanted.len());
    for (index, one) in wanted.iter().enumerate() {
        let target = &one.target;
        let account = shared.accounts.get(&target.account).ok_or(SubmitError::UnknownAccount { index })?;
        let position = u32::try_from(index).unwrap_or(u32::MAX);
        let provider = account.provider.as_ref();
        let start = match provider.route(target) {
            Err(Refusal::Invalid { field, message }) => {
                invalid.push(InvalidField { index, field, message });
                continue;
            }
            Err(unsupported) => Start::Ended(super::refused(provider, &unsupported)),
            Ok(_) if let Some(refused) = forbidden(caller, &holds, target) => Start::Ended(refused),
            Ok(route) => match leaders.entry(target.identity()) {
                Entry::Occupied(known) => Start::Follows { leader: *known.get() },
                Entry::Vacant(new) => {
                    new.insert(position);
                    let step = steps::first(provider, route, target);
                    // Different targets on one asset run one after another, in order.
                    match last_of_asset.insert((target.account.clone(), target.name.clone()), position) {
                        Some(earlier) => Start::After { earlier, step },
                        None => Start::Waits(step),
                    }
                }
            },
        };
        starts.push(start);
    }
    if invalid.is_empty() { Ok(starts) } else { Err(SubmitError::Invalid(invalid)) }
}

/// Why a target that could be served must not be: the caller may not, or it is under a hold.
pub(super) fn forbidden(caller: &Caller, holds: &Holds, target: &Target) -> Option<Ending> {
    if !caller.may_delete(target.kind()) {
        let message = format!("this caller may not delete `{}`", target.kind().as_str());
        return Some(Ending::not_ok(Outcome::Refused, ItemError::new(Reason::Forbidden, message)));
    }
    holds.on(target, None).map(|hold| holds::refused(hold))
}

/// What must happen before the deletion runs, or why it cannot be so.
fn terms(shared: &Shared, request: &Request, starts: &[Start]) -> Result<Terms, SubmitError> {
    let mut tally = Tally::default();
    request.wanted.iter().for_each(|one| tally.add(Some((&one.target.account, one.target.kind()))));
    let limit = request.caller.caps.max_items;
    if let Some(limit) = limit.filter(|limit| *limit < tally.items()) {
        return Err(SubmitError::TooManyItems { limit });
    }
    let can_block = || {
        let mut open =
            request.wanted.iter().zip(starts).filter(|(_, start)| !matches!(start, Start::Ended(_)));
        open.all(|(one, _)| shared.can_block(&one.target))
    };
    terms_of(shared, request.wish, &tally, request.reason.is_some(), can_block)
}

/// The same for a deletion whose items are counted.
pub(super) fn terms_of(
    shared: &Shared,
    wish: Wish,
    tally: &Tally,
    has_reason: bool,
    can_block: impl FnOnce() -> bool,
) -> Result<Terms, SubmitError> {
    let policy_of = |id: &AccountId| shared.accounts.get(id).map(|account| &account.policy);
    let asks_why = |id: &&AccountId| policy_of(id).is_some_and(|policy| policy.require_reason);
    if let Some(account) = tally.accounts().find(asks_why).filter(|_| !has_reason) {
        return Err(SubmitError::ReasonMissing(account.clone()));
    }
    let terms = policy::terms(wish, tally, policy_of);
    if terms.quarantine && terms.delay.is_zero() {
        return Err(SubmitError::NoQuarantine("there is no time in which it would be blocked: give a delay"));
    }
    if terms.quarantine && !can_block() {
        let why = "playback can be blocked of whole assets (`media`) on Tencent only";
        return Err(SubmitError::NoQuarantine(why));
    }
    Ok(terms)
}

fn refuse_blocked(shared: &Shared, wanted: &[Wanted], starts: &[Start]) -> Result<(), SubmitError> {
    for (one, start) in wanted.iter().zip(starts) {
        if matches!(start, Start::Ended(_) | Start::Follows { .. }) {
            continue;
        }
        if let Some(reason) = blocked_for(shared, &one.target) {
            return Err(SubmitError::Blocked { account: one.target.account.clone(), reason });
        }
    }
    Ok(())
}

/// Why the lanes that a target goes through are blocked, if one is.
fn blocked_for(shared: &Shared, target: &Target) -> Option<LaneReason> {
    let account = &target.account;
    let route = shared.accounts.get(account)?.provider.route(target).ok()?;
    let operations = [Some(route.delete), route.resolve.map(|(read, _)| read)];
    let blocked = |operation: &Operation| shared.lane(account, operation.name)?.blocked();
    operations.into_iter().flatten().find_map(blocked).map(|blocked| blocked.reason)
}

fn lane_of<'a>(shared: &'a Shared, target: &Target, start: &Start) -> Option<&'a Arc<Lane>> {
    match start {
        Start::Waits(step) | Start::Sends { step, .. } => {
            shared.lane(&target.account, step.operation.as_str())
        }
        Start::Ended(_) | Start::Follows { .. } | Start::After { .. } => None,
    }
}

/// Turns waiting items into sending ones where a lane is idle and a permit is free: one call's worth a lane.
fn take_free_permits(shared: &Shared, wanted: &[Wanted], starts: &mut [Start]) -> BTreeMap<LaneId, Direct> {
    let mut direct: BTreeMap<LaneId, Direct> = BTreeMap::new();
    let mut tried: HashMap<LaneId, Option<(String, usize)>> = HashMap::new();
    for (one, start) in wanted.iter().zip(starts) {
        let Some(lane) = lane_of(shared, &one.target, start) else { continue };
        let Start::Waits(step) = start else { continue };
        let room = tried.entry(lane.id.clone()).or_insert_with(|| {
            let client = lane.try_client()?;
            direct.insert(lane.id.clone(), client);
            Some((step.group.clone(), lane.operation.items_per_call))
        });
        if let Some((group, left)) = room
            && *group == step.group
            && *left > 0
        {
            *left -= 1;
            *start = Start::Sends { step: step.clone(), lease: LEASE };
        }
    }
    direct
}

/// Places in the lanes' queues; given back unless kept.
struct Places {
    held: Vec<(Arc<Lane>, usize)>,
}

impl Places {
    /// The items are journaled: the lanes may come for them.
    fn keep(mut self) {
        for (lane, items) in self.held.drain(..) {
            lane.fill(items);
        }
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        self.held.iter().for_each(|(lane, items)| lane.give_back(*items));
    }
}

fn reserve(shared: &Shared, wanted: &[Wanted], starts: &[Start]) -> Result<Places, SubmitError> {
    let mut needed: BTreeMap<LaneId, (Arc<Lane>, usize)> = BTreeMap::new();
    for (one, start) in wanted.iter().zip(starts) {
        if let (Start::Waits(_), Some(lane)) = (start, lane_of(shared, &one.target, start)) {
            needed.entry(lane.id.clone()).or_insert_with(|| (Arc::clone(lane), 0)).1 += 1;
        }
    }
    let mut places = Places { held: Vec::with_capacity(needed.len()) };
    for (lane, items) in needed.into_values() {
        lane.reserve(items, shared.queue_depth).map_err(|waiting| SubmitError::QueueFull {
            lane: lane.id.clone(),
            waiting,
            retry_after_s: time_to_drain_s(&lane, waiting),
        })?;
        places.held.push((lane, items));
    }
    Ok(places)
}

/// Seconds until a lane has worked off what waits, at its present rate.
fn time_to_drain_s(lane: &Lane, waiting: u64) -> u64 {
    let waiting = f64::from(u32::try_from(waiting).unwrap_or(u32::MAX));
    let seconds = Duration::try_from_secs_f64(waiting / lane.items_per_second())
        .map_or(MOST_RETRY_AFTER_S, |d| d.as_secs());
    seconds.clamp(1, MOST_RETRY_AFTER_S)
}

/// Sends what was journaled as sending, a call a lane. A permit whose items the journal
/// has not handed out (their targets are being sent for another deletion) is given back.
fn send(
    shared: &Arc<Shared>,
    direct: BTreeMap<LaneId, Direct>,
    leased_at: Duration,
    claimed: Vec<journal::Claimed>,
) {
    let mut by_lane = call::by_lane(claimed);
    for (id, (client, place)) in direct {
        if let (Some(lane), Some(items)) = (shared.lanes.get(&id), by_lane.remove(&id)) {
            let outlet = Outlet { client, place: Some(place), leased_at };
            shared.tasks.spawn(call::deliver(Arc::clone(shared), Arc::clone(lane), outlet, items));
        }
    }
}
