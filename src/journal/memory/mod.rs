//! The journal as plain maps in memory: the model of the contract.
//!
//! For simulations, and as the second opinion in tests of the other stores. It is
//! written to be obviously right: one mutex, full scans, nothing cached that can
//! be counted. Nothing survives the process, so the service cannot be started on
//! it. This file is the door; `state` has the rules of items, `queues` whose turn
//! it is, and the other files follow the trait by subject.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Accepted, Asked, Begun, CallRecord, CapReached, Change, Chore, Claim, Claimed, DeletionFilter,
    DeletionRow, Error, ItemFilter, ItemRow, Journal, LaneShare, Lapsed, NewDeletion, NewItem, NewUpload,
    Noted, Once, OpenLane, Receipt, Recorded, Rescue, Retry, Seal, Sealed, Settled, Settlement, Turned,
    audit,
};
use crate::types::clock::Clock;
use crate::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use crate::types::hold::{Hold, HoldId, Stop};
use crate::types::lifecycle::Pause;
use crate::types::target::AccountId;

/// Deletions, items, and what follows from an ending.
mod state;

/// Whose turn it is.
mod queues;

/// Ways in.
mod accepting;

/// Handing out and recording.
mod sending;

/// Verbs and what they leave to do.
mod turning;

/// Caps, holds, stops.
mod guarding;

/// What was decided, sent and answered.
mod trail;

/// What readers are told.
mod reading;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod twins;

use state::{State, Written};

/// A journal in memory.
#[derive(Debug)]
pub struct MemoryJournal {
    state: Mutex<State>,
    clock: Arc<dyn Clock>,
}

impl MemoryJournal {
    /// An empty journal.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { state: Mutex::new(State::default()), clock }
    }

    /// Opens it again after [`Journal::close`], as a file is opened again.
    pub fn reopen(&self) {
        self.lock().closed = false;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> Result<T, Error> {
        let state = self.lock();
        if state.closed { Err(closed()) } else { Ok(read(&state)) }
    }

    /// A write that is known to fit before it changes anything, or never fails.
    fn write<T>(
        &self,
        write: impl FnOnce(&mut State, &mut Written) -> Result<T, Error>,
    ) -> Result<(T, Recorded), Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(closed());
        }
        let mut written = Written::at(floor(self.clock.now()));
        let done = write(&mut state, &mut written)?;
        Ok((done, state.close_up(written)))
    }

    /// A write that may find out half-way that it does not fit: it is made on a copy.
    fn try_write<T>(
        &self,
        write: impl FnOnce(&mut State, &mut Written) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (Ok(done), _) =
            self.write_within(|state, written| Ok(Ok::<_, Infallible>(write(state, written)?)))?;
        Ok(done)
    }

    /// One that may also find out half-way that it goes over a limit.
    fn write_within<T, L>(
        &self,
        write: impl FnOnce(&mut State, &mut Written) -> Result<Result<T, L>, Error>,
    ) -> Result<(Result<T, L>, Recorded), Error> {
        self.write(|state, written| {
            let mut copy = state.clone();
            let done = write(&mut copy, written)?;
            if done.is_ok() {
                *state = copy;
            }
            Ok(done)
        })
    }
}

fn closed() -> Error {
    Error::Unavailable("it is closed".to_owned())
}

/// A time as it is kept: whole milliseconds.
fn floor(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// A time before which nothing may happen, as it is kept.
fn ceiling(time: Timestamp) -> Timestamp {
    let down = floor(time);
    if down == time { down } else { later(down, Duration::from_millis(1)) }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    let by = jiff::SignedDuration::try_from(by).unwrap_or(jiff::SignedDuration::MAX);
    floor(time.saturating_add(by).unwrap_or(Timestamp::MAX))
}

fn invalid<T>(why: impl Into<String>) -> Result<T, Error> {
    Err(Error::Invalid(why.into()))
}

#[async_trait]
impl Journal for MemoryJournal {
    async fn append(&self, deletion: NewDeletion) -> Result<Accepted, Error> {
        let (done, _) = self.write_within(|state, written| state.append(deletion, written))?;
        Ok(done.unwrap_or_else(Accepted::CapReached))
    }

    async fn known(&self, requested_by: &str, once: &Once) -> Result<Option<Accepted>, Error> {
        Ok(self.write(|state, written| Ok(state.known(requested_by, once, written.now)))?.0)
    }

    async fn begin(&self, upload: NewUpload) -> Result<Begun, Error> {
        Ok(self.write(|state, written| state.begin(upload, written))?.0)
    }

    async fn stage(&self, upload: DeletionSeq, from: u32, items: Vec<NewItem>) -> Result<(), Error> {
        self.try_write(|state, written| state.stage(upload, from, items, written))
    }

    async fn seal(&self, upload: DeletionSeq, seal: Seal) -> Result<Sealed, Error> {
        let (done, recorded) = self.write_within(|state, written| state.seal(upload, &seal, written))?;
        if let Err(reached) = done {
            return Ok(Sealed::CapReached(reached));
        }
        let touched = recorded.touched.into_iter().find(|touched| touched.seq == upload);
        touched.map(Sealed::Done).ok_or_else(|| Error::Invalid("a seal that touched nothing".to_owned()))
    }

    async fn discard(&self, upload: DeletionSeq) -> Result<(), Error> {
        self.write(|state, _| {
            state.discard(upload);
            Ok(())
        })
        .map(|_| ())
    }

    async fn discard_unsealed(&self, begun_before: Timestamp) -> Result<usize, Error> {
        Ok(self.write(|state, _| Ok(state.discard_unsealed(begun_before)))?.0)
    }

    async fn claim(&self, lane: &LaneId, max: usize, lease: Duration) -> Result<Claim, Error> {
        Ok(self.write(|state, written| Ok(state.claim(lane, max, lease, written)))?.0)
    }

    async fn record(&self, call: CallRecord, changes: Vec<Change>) -> Result<Recorded, Error> {
        Ok(self
            .write(|state, written| {
                state.record(&call, changes, written);
                Ok(())
            })?
            .1)
    }

    async fn rescue(&self, which: Rescue, max: usize, lease: Duration) -> Result<Vec<Claimed>, Error> {
        Ok(self.write(|state, written| Ok(state.rescue(which, max, lease, written)))?.0)
    }

    async fn turn(&self, deletion: &DeletionId, asked: Asked) -> Result<Option<Turned>, Error> {
        let (done, recorded) = self.write(|state, written| state.turn(deletion, &asked, written))?;
        Ok(self.turned(done, recorded))
    }

    async fn cancel_step(&self, deletion: DeletionSeq, max: usize) -> Result<(Recorded, bool), Error> {
        let (more, recorded) = self.write(|state, written| Ok(state.cancel_step(deletion, max, written)))?;
        Ok((recorded, more))
    }

    async fn retriable(&self, deletion: DeletionSeq, from: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.read(|state| state.retriable(deletion, from, limit))
    }

    async fn retry(&self, deletion: &DeletionId, retry: Retry) -> Result<Option<Turned>, Error> {
        let (done, recorded) = self.write(|state, written| Ok(state.retry(deletion, retry, written)))?;
        Ok(self.turned(done, recorded))
    }

    async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, Error> {
        let (was_unknown, recorded) =
            self.write(|state, written| Ok(state.settle(key, &settlement, written)))?;
        let row = self.lock().row(key);
        Ok(match (was_unknown, row) {
            (true, Some(row)) => Settled::Done(row, recorded),
            (false, Some(row)) => Settled::Wrong(row),
            (_, None) => Settled::NoItem,
        })
    }

    async fn note(&self, deletion: DeletionSeq, noted: Noted) -> Result<bool, Error> {
        self.try_write(|state, _| state.note(deletion, noted))
    }

    async fn lapsed(&self, limit: usize) -> Result<Lapsed, Error> {
        let now = floor(self.clock.now());
        self.read(|state| state.lapsed(limit, now))
    }

    async fn hold(&self, hold: Hold) -> Result<(), Error> {
        self.write(|state, written| {
            state.hold(hold, written.now);
            Ok(())
        })
        .map(|_| ())
    }

    async fn lift(&self, account: &AccountId, id: &HoldId, by: &str) -> Result<Option<Hold>, Error> {
        Ok(self.write(|state, written| Ok(state.lift(account, id, by, written.now)))?.0)
    }

    async fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.read(|state| state.guards.holds())
    }

    async fn stop(&self, stop: Stop) -> Result<bool, Error> {
        Ok(self.write(|state, written| Ok(state.stop(stop, written.now)))?.0)
    }

    async fn restart(
        &self,
        account: Option<&AccountId>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, Error> {
        Ok(self.write(|state, written| Ok(state.restart(account, by, reason, written.now)))?.0)
    }

    async fn stops(&self) -> Result<Vec<Stop>, Error> {
        self.read(|state| state.guards.stops())
    }

    async fn audit(&self, entries: Vec<audit::Entry>) -> Result<(), Error> {
        self.try_write(|state, written| state.trail.add_all(written.now, entries))
    }

    async fn audited(&self, filter: audit::AuditFilter, limit: usize) -> Result<Vec<audit::Record>, Error> {
        self.read(|state| state.trail.read(&filter, limit))
    }

    async fn chores(&self) -> Result<Vec<Chore>, Error> {
        self.read(State::chores)
    }

    async fn pause_all(&self, pause: Pause) -> Result<usize, Error> {
        Ok(self.write(|state, written| Ok(state.pause_all(&pause, written)))?.0)
    }

    async fn clean(&self, finished_before: Timestamp, max: usize) -> Result<bool, Error> {
        Ok(self.write(|state, written| Ok(state.clean(finished_before, max, written)))?.0)
    }

    async fn open_lanes(&self) -> Result<Vec<OpenLane>, Error> {
        self.read(State::open_lanes)
    }

    async fn shares(&self, deletion: DeletionSeq) -> Result<Vec<LaneShare>, Error> {
        self.read(|state| state.shares(deletion))
    }

    async fn deletion(&self, id: &DeletionId) -> Result<Option<DeletionRow>, Error> {
        self.read(|state| state.by_id(id).map(|seq| state.deletion_row(seq))).map(Option::flatten)
    }

    async fn deletions(&self, filter: DeletionFilter, limit: usize) -> Result<Vec<DeletionRow>, Error> {
        self.read(|state| state.deletions(&filter, limit))
    }

    async fn items(
        &self,
        deletion: DeletionSeq,
        filter: ItemFilter,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        self.read(|state| state.items(deletion, &filter, limit))
    }

    async fn outcomes(&self, deletion: DeletionSeq, after: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.read(|state| state.outcomes(deletion, after, limit))
    }

    async fn item(&self, key: ItemKey) -> Result<Option<Receipt>, Error> {
        self.read(|state| state.receipt(key))
    }

    async fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        self.read(|state| state.items_of(account, id, before, limit))
    }

    async fn size(&self) -> Result<u64, Error> {
        // Nothing is on disk.
        self.read(|_| 0)
    }

    async fn check(&self) -> Result<(), Error> {
        self.read(|_| ())
    }

    async fn close(&self) {
        self.lock().closed = true;
    }
}

/// What a verb came to, before the row is read.
#[derive(Debug, Clone, Copy)]
enum Verdict {
    /// It did something to this deletion.
    Done(DeletionSeq),
    /// It would have changed nothing.
    Same(DeletionSeq),
    /// It does not fit.
    Wrong(DeletionSeq),
    /// The digest that was given is another.
    OtherDigest(DeletionSeq),
    /// It is the asker's own.
    Own(DeletionSeq),
    /// The asker has not so many items left today.
    CapReached(CapReached),
    /// There is no such deletion.
    Nobody,
}

impl MemoryJournal {
    fn turned(&self, verdict: Verdict, recorded: Recorded) -> Option<Turned> {
        let state = self.lock();
        match verdict {
            Verdict::Done(seq) => Some(Turned::Done(state.deletion_row(seq)?, recorded)),
            Verdict::Same(seq) => Some(Turned::Same(state.deletion_row(seq)?)),
            Verdict::Wrong(seq) => Some(Turned::Wrong(state.deletion_row(seq)?)),
            Verdict::OtherDigest(seq) => Some(Turned::OtherDigest(state.deletion_row(seq)?)),
            Verdict::Own(seq) => Some(Turned::Own(state.deletion_row(seq)?)),
            Verdict::CapReached(reached) => Some(Turned::CapReached(reached)),
            Verdict::Nobody => None,
        }
    }
}

/// Callers' keys, by caller and key.
type Keys = BTreeMap<(String, String), state::Key>;
