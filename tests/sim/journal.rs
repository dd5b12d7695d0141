//! The model journal behind a disk that fails for a while.
//!
//! Writes may be refused, or done and their answer lost, or answered late; reads
//! fail only while the store is down. Beside that it writes down every use, for
//! the trace. What the model keeps is never touched from here.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use vodrm::journal::memory::MemoryJournal;
use vodrm::journal::*;
use vodrm::types::clock::Clock;
use vodrm::types::deletion::{DeletionId, DeletionSeq, ItemKey, LaneId};
use vodrm::types::hold::{Hold, HoldId, Stop};
use vodrm::types::lifecycle::Pause;
use vodrm::types::target::AccountId;

use crate::clock::SimClock;
use crate::trace::Trace;

/// What is wrong with the disk for a while.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing works.
    Down,
    /// Nothing can be written.
    Full,
    /// What is written is written, and its answer is lost.
    AnswersLost,
    /// Nothing is written, and nobody can tell.
    WritesLost,
    /// It takes its time.
    Slow,
}

#[derive(Debug)]
pub(crate) struct FaultyJournal {
    pub(crate) model: Arc<MemoryJournal>,
    pub(crate) clock: Arc<SimClock>,
    pub(crate) trace: Arc<Trace>,
    pub(crate) seed: u64,
    pub(crate) troubles: Vec<(Duration, Duration, Trouble)>,
    pub(crate) uses: AtomicU64,
}

#[derive(Clone, Copy, PartialEq)]
enum Use {
    Read,
    Write,
}

impl FaultyJournal {
    /// The trouble that this use meets.
    fn trouble(&self, chance: &mut StdRng) -> Option<Trouble> {
        let now = self.clock.uptime();
        let here = |(from, until, _): &&(Duration, Duration, Trouble)| (*from..*until).contains(&now);
        let (_, _, trouble) = self.troubles.iter().find(here)?;
        // A disk that is down is down; the others fail now and then.
        (*trouble == Trouble::Down || chance.random_bool(0.6)).then_some(*trouble)
    }

    async fn through<T: Debug>(
        &self,
        name: &str,
        kind: Use,
        work: impl Future<Output = Result<T, Error>>,
        tell: impl FnOnce(&T) -> String,
    ) -> Result<T, Error> {
        let nth = self.uses.fetch_add(1, Ordering::Relaxed);
        let mut chance = StdRng::seed_from_u64(self.seed ^ nth.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let trouble = self.trouble(&mut chance);
        let lost = || Err(Error::Uncertain("the answer was lost".to_owned()));
        let result = match (trouble, kind) {
            (Some(Trouble::Down), _) => Err(Error::Unavailable("the disk is gone".to_owned())),
            (Some(Trouble::Full), Use::Write) => Err(Error::DiskFull),
            (Some(Trouble::WritesLost), Use::Write) => lost(),
            (Some(Trouble::AnswersLost), Use::Write) => match work.await {
                Ok(_) => lost(),
                refused => refused,
            },
            (Some(Trouble::Slow), Use::Write) => {
                let done = work.await;
                self.clock.sleep(Duration::from_millis(chance.random_range(5..3_000))).await;
                done
            }
            _ => work.await,
        };
        if kind == Use::Write {
            let told = match &result {
                Ok(done) => tell(done),
                Err(error) => format!("{error:?}"),
            };
            self.trace.add(self.clock.uptime(), &format!("journal {name}: {trouble:?} {told}"));
        }
        result
    }

    async fn read<T: Debug>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.through(name, Use::Read, work, |_| String::new()).await
    }

    async fn write<T: Debug>(
        &self,
        name: &str,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.through(name, Use::Write, work, |_| String::new()).await
    }
}

fn keys(items: &[Claimed]) -> String {
    let short = |item: &Claimed| format!("{}.{}@{}", item.key.deletion, item.key.index, item.generation);
    items.iter().map(short).collect::<Vec<_>>().join(" ")
}

fn recorded(done: &Recorded) -> String {
    let touched: Vec<(DeletionSeq, bool)> = done.touched.iter().map(|t| (t.seq, t.finished)).collect();
    format!("{:?} waiting {} stale {} touched {touched:?}", done.ended, done.waiting.len(), done.stale)
}

#[expect(clippy::ref_option, reason = "it is told of results as they come")]
fn turned(done: &Option<Turned>) -> String {
    match done {
        None => "nobody".to_owned(),
        Some(Turned::Done(row, done)) => format!("{} {} {}", row.seq, row.state, recorded(done)),
        Some(Turned::Same(row)) => format!("{} {} the same", row.seq, row.state),
        Some(Turned::Wrong(row)) => format!("{} {} wrong", row.seq, row.state),
        Some(Turned::OtherDigest(row)) => format!("{} {} another digest", row.seq, row.state),
        Some(Turned::Own(row)) => format!("{} {} their own", row.seq, row.state),
        Some(Turned::CapReached(cap)) => format!("{cap:?}"),
    }
}

#[async_trait]
impl Journal for FaultyJournal {
    async fn append(&self, deletion: NewDeletion) -> Result<Accepted, Error> {
        let tell = |done: &Accepted| match done {
            Accepted::New(new) => format!("{} sends {}", new.seq, keys(&new.claimed)),
            Accepted::Known(_) => "known".to_owned(),
            Accepted::KeyReused | Accepted::KeyBusy | Accepted::CapReached(_) => format!("{done:?}"),
        };
        self.through("append", Use::Write, self.model.append(deletion), tell).await
    }

    async fn known(&self, requested_by: &str, once: &Once) -> Result<Option<Accepted>, Error> {
        self.model.known(requested_by, once).await
    }

    async fn begin(&self, upload: NewUpload) -> Result<Begun, Error> {
        self.write("begin", self.model.begin(upload)).await
    }

    async fn stage(&self, upload: DeletionSeq, from: u32, items: Vec<NewItem>) -> Result<(), Error> {
        self.write("stage", self.model.stage(upload, from, items)).await
    }

    async fn seal(&self, upload: DeletionSeq, seal: Seal) -> Result<Sealed, Error> {
        self.write("seal", self.model.seal(upload, seal)).await
    }

    async fn discard(&self, upload: DeletionSeq) -> Result<(), Error> {
        self.write("discard", self.model.discard(upload)).await
    }

    async fn discard_unsealed(&self, begun_before: Timestamp) -> Result<usize, Error> {
        self.write("discard_unsealed", self.model.discard_unsealed(begun_before)).await
    }

    async fn claim(&self, lane: &LaneId, max: usize, lease: Duration) -> Result<Claim, Error> {
        let tell = |done: &Claim| format!("{lane} {}", keys(&done.items));
        self.through("claim", Use::Write, self.model.claim(lane, max, lease), tell).await
    }

    async fn record(&self, call: CallRecord, changes: Vec<Change>) -> Result<Recorded, Error> {
        let what = |change: &Change| {
            let next = match &change.next {
                Next::Ended(ending) => {
                    format!("{}{}", ending.outcome.as_str(), if ending.inferred { "?" } else { "" })
                }
                Next::Again { step, due_at, .. } => format!("{}@{due_at}", step.operation),
            };
            format!("{}.{} {next}", change.key.deletion, change.key.index)
        };
        let lines: Vec<String> = changes.iter().map(what).collect();
        let tell = |done: &Recorded| format!("{lines:?} {}", recorded(done));
        self.through("record", Use::Write, self.model.record(call, changes), tell).await
    }

    async fn rescue(&self, which: Rescue, max: usize, lease: Duration) -> Result<Vec<Claimed>, Error> {
        let tell = |done: &Vec<Claimed>| keys(done);
        self.through("rescue", Use::Write, self.model.rescue(which, max, lease), tell).await
    }

    async fn turn(&self, deletion: &DeletionId, asked: Asked) -> Result<Option<Turned>, Error> {
        let name = format!("turn {}", asked.verb.as_str());
        self.through(&name, Use::Write, self.model.turn(deletion, asked), turned).await
    }

    async fn cancel_step(&self, deletion: DeletionSeq, max: usize) -> Result<(Recorded, bool), Error> {
        let tell = |(done, more): &(Recorded, bool)| format!("{deletion} {} {more}", recorded(done));
        self.through("cancel_step", Use::Write, self.model.cancel_step(deletion, max), tell).await
    }

    async fn retriable(&self, deletion: DeletionSeq, from: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.read("retriable", self.model.retriable(deletion, from, limit)).await
    }

    async fn retry(&self, deletion: &DeletionId, retry: Retry) -> Result<Option<Turned>, Error> {
        self.through("retry", Use::Write, self.model.retry(deletion, retry), turned).await
    }

    async fn settle(&self, key: ItemKey, settlement: Settlement) -> Result<Settled, Error> {
        self.write("settle", self.model.settle(key, settlement)).await
    }

    async fn note(&self, deletion: DeletionSeq, noted: Noted) -> Result<bool, Error> {
        let name = format!("note {deletion} {:?} {:?}", noted.chore, noted.next);
        self.write(&name, self.model.note(deletion, noted)).await
    }

    async fn lapsed(&self, limit: usize) -> Result<Lapsed, Error> {
        self.read("lapsed", self.model.lapsed(limit)).await
    }

    async fn hold(&self, hold: Hold) -> Result<(), Error> {
        self.write(&format!("hold {}/{}", hold.account, hold.id), self.model.hold(hold.clone())).await
    }

    async fn lift(&self, account: &AccountId, id: &HoldId, by: &str) -> Result<Option<Hold>, Error> {
        self.write(&format!("lift {account}/{id}"), self.model.lift(account, id, by)).await
    }

    async fn holds(&self) -> Result<Vec<Hold>, Error> {
        self.read("holds", self.model.holds()).await
    }

    async fn stop(&self, stop: Stop) -> Result<bool, Error> {
        self.write("stop", self.model.stop(stop)).await
    }

    async fn restart(
        &self,
        account: Option<&AccountId>,
        by: &str,
        reason: Option<&str>,
    ) -> Result<bool, Error> {
        self.write("restart", self.model.restart(account, by, reason)).await
    }

    async fn stops(&self) -> Result<Vec<Stop>, Error> {
        self.read("stops", self.model.stops()).await
    }

    async fn audit(&self, entries: Vec<audit::Entry>) -> Result<(), Error> {
        self.write("audit", self.model.audit(entries)).await
    }

    async fn audited(&self, filter: audit::AuditFilter, limit: usize) -> Result<Vec<audit::Record>, Error> {
        self.read("audited", self.model.audited(filter, limit)).await
    }

    async fn chores(&self) -> Result<Vec<Chore>, Error> {
        self.read("chores", self.model.chores()).await
    }

    async fn pause_all(&self, pause: Pause) -> Result<usize, Error> {
        self.write("pause_all", self.model.pause_all(pause)).await
    }

    async fn clean(&self, finished_before: Timestamp, max: usize) -> Result<bool, Error> {
        self.write("clean", self.model.clean(finished_before, max)).await
    }

    async fn open_lanes(&self) -> Result<Vec<OpenLane>, Error> {
        self.read("open_lanes", self.model.open_lanes()).await
    }

    async fn shares(&self, deletion: DeletionSeq) -> Result<Vec<LaneShare>, Error> {
        self.read("shares", self.model.shares(deletion)).await
    }

    async fn deletion(&self, id: &DeletionId) -> Result<Option<DeletionRow>, Error> {
        self.read("deletion", self.model.deletion(id)).await
    }

    async fn deletions(&self, filter: DeletionFilter, limit: usize) -> Result<Vec<DeletionRow>, Error> {
        self.read("deletions", self.model.deletions(filter, limit)).await
    }

    async fn items(
        &self,
        deletion: DeletionSeq,
        filter: ItemFilter,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        self.read("items", self.model.items(deletion, filter, limit)).await
    }

    async fn outcomes(&self, deletion: DeletionSeq, after: u32, limit: usize) -> Result<Vec<ItemRow>, Error> {
        self.read("outcomes", self.model.outcomes(deletion, after, limit)).await
    }

    async fn item(&self, key: ItemKey) -> Result<Option<Receipt>, Error> {
        self.read("item", self.model.item(key)).await
    }

    async fn items_of(
        &self,
        account: &AccountId,
        id: &str,
        before: Option<ItemKey>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, Error> {
        self.read("items_of", self.model.items_of(account, id, before, limit)).await
    }

    async fn size(&self) -> Result<u64, Error> {
        self.read("size", self.model.size()).await
    }

    async fn check(&self) -> Result<(), Error> {
        self.write("check", self.model.check()).await
    }

    async fn close(&self) {
        // The model outlives the processes that use it.
    }
}
