//! From a stream of lines to journaled items.
//!
//! An upload is staged in chunks that nobody sees and sealed by one commit, so
//! that one that breaks off deletes nothing. While one chunk is written the next
//! is read: never more than two are in memory. Its own file because it is the way
//! in of large deletions; how lines are read is `api`'s business, and duplicates
//! are found by the journal.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::digest::Digester;
use super::submit::{Accepted, SubmitError, forbidden, tell_cap, terms_of};
use super::wake::Watch;
use super::{Dispatch, Shared, steps};
use crate::guard::caller::Caller;
use crate::guard::policy::{Tally, Wish};
use crate::journal::{self, NewItem, Seal, Sealed, Start};
use crate::providers::Refusal;
use crate::types::crash;
use crate::types::deletion::{DeletionId, DeletionSeq, Digest, IfAbsent, Wanted};
use crate::types::lifecycle::{DeletionState, Passed};
use crate::types::outcome::{Ending, ItemError, Outcome, Reason};

/// Items in the first write of an upload, and the most in a later one. Each write is as
/// large as what is staged already: other writes wait briefly for a small upload, and in a
/// large one a page of the names' index serves many items of a commit.
pub const SMALLEST_CHUNK: usize = 1_000;
/// See [`SMALLEST_CHUNK`].
pub const LARGEST_CHUNK: usize = 8_000;
/// How often dropping a broken upload is tried; what is left then goes with the next start or sweep.
const DISCARD_TRIES: u32 = 5;

/// An upload that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUpload {
    /// The caller.
    pub caller: Arc<Caller>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// What is to happen before anything is sent.
    pub wish: Wish,
    /// The caller's key, and how long it is kept.
    pub key: Option<(String, Duration)>,
}

/// What became of the beginning.
#[derive(Debug)]
pub enum Begun {
    /// Lines may come.
    Upload(Box<Upload>),
    /// The key has this deletion already: it is the answer if the body's fingerprint is this one.
    Known {
        /// Its public name.
        id: DeletionId,
        /// What its request was.
        fingerprint: Digest,
    },
    /// Another request with the key is still being received.
    KeyBusy,
}

/// An upload under way. Dropped before it is sealed, it leaves nothing behind.
#[derive(Debug)]
pub struct Upload {
    shared: Arc<Shared>,
    /// Where it is dropped, which may be anywhere.
    runtime: Handle,
    id: DeletionId,
    seq: DeletionSeq,
    caller: Arc<Caller>,
    wish: Wish,
    has_reason: bool,
    tally: Tally,
    /// Every target so far stands where its playback can be blocked.
    can_block: bool,
    digest: Digester,
    /// Items that are not written yet, the first with index `staged`.
    buffer: Vec<NewItem>,
    staged: u32,
    items: u32,
    valid: u32,
    /// The chunk before the buffer, on its way to the disk.
    in_flight: Option<JoinHandle<Result<(), journal::Error>>>,
    /// Nothing is left to be dropped.
    done: bool,
}

impl Dispatch {
    /// Begins an upload.
    pub async fn begin_upload(&self, upload: NewUpload) -> Result<Begun, SubmitError> {
        let dispatch = self.clone();
        // A task of its own: if the caller hangs up now, what was begun is dropped and its key is free again.
        let beginning = self.shared.tasks.spawn(async move { dispatch.begin(upload).await });
        beginning.await.unwrap_or_else(|_| Err(half_way("beginning")))
    }

    async fn begin(&self, upload: NewUpload) -> Result<Begun, SubmitError> {
        let shared = &self.shared;
        if self.is_stopping() {
            return Err(SubmitError::Stopping);
        }
        let id = DeletionId::new();
        let new = journal::NewUpload {
            id: id.clone(),
            requested_by: upload.caller.name.clone(),
            reason: upload.reason.clone(),
            if_absent: upload.if_absent,
            key: upload.key,
        };
        let begun = shared.heard(shared.journal.begin(new).await)?;
        Ok(match begun {
            journal::Begun::Known { id, fingerprint } => Begun::Known { id, fingerprint },
            journal::Begun::KeyBusy => Begun::KeyBusy,
            journal::Begun::Receiving(seq) => Begun::Upload(Box::new(Upload {
                shared: Arc::clone(shared),
                runtime: Handle::current(),
                id,
                seq,
                caller: upload.caller,
                wish: upload.wish,
                has_reason: upload.reason.is_some(),
                tally: Tally::default(),
                can_block: true,
                digest: Digester::new(upload.if_absent),
                buffer: Vec::with_capacity(SMALLEST_CHUNK),
                staged: 0,
                items: 0,
                valid: 0,
                in_flight: None,
                done: false,
            })),
        })
    }
}

impl Upload {
    /// Takes one line, numbered from 1 as it stands in the body, comments and blanks counted.
    /// A line that could not be read becomes a refused item.
    pub async fn push(&mut self, line: u64, item: Result<Wanted, ItemError>) -> Result<(), SubmitError> {
        if self.shared.stop.is_cancelled() {
            return Err(SubmitError::Stopping);
        }
        let target = item.as_ref().ok().map(|wanted| &wanted.target);
        self.digest.add(target);
        self.tally.add(target.map(|target| (&target.account, target.kind())));
        self.can_block &= !self.wish.quarantine || target.is_none_or(|target| self.shared.can_block(target));
        let caps = &self.caller.caps;
        // More than a day's worth is refused before all of it is on disk; what is left of the day at the seal.
        let of_day = caps.max_items_per_day.filter(|_| !self.wish.dry_run);
        let limit = caps.max_items.into_iter().chain(of_day).min();
        if let Some(limit) = limit.filter(|limit| *limit < self.tally.items()) {
            let error = SubmitError::TooManyItems { limit };
            tell_cap(&self.shared, &self.caller, &error);
            return Err(error);
        }
        let (item, is_valid) = plan(&self.shared, &self.caller, line, item);
        self.buffer.push(item);
        // The journal refuses what is more than it can number.
        self.items = self.items.saturating_add(1);
        self.valid = self.valid.saturating_add(u32::from(is_valid));
        if self.buffer.len() >= chunk(self.staged) { self.stage().await } else { Ok(()) }
    }

    /// Items so far.
    #[must_use]
    pub fn items(&self) -> u32 {
        self.items
    }

    /// Items so far that could be read.
    #[must_use]
    pub fn valid(&self) -> u32 {
        self.valid
    }

    /// Closes it: on disk before this returns, and before anything is sent.
    pub async fn seal(self: Box<Self>, fingerprint: Option<Digest>) -> Result<Accepted, SubmitError> {
        let tasks = self.shared.tasks.clone();
        // A caller that hangs up now must not leave open whether it is sealed.
        let sealing = tasks.spawn(async move {
            let (shared, caller) = (Arc::clone(&self.shared), Arc::clone(&self.caller));
            self.close(fingerprint).await.inspect_err(|error| tell_cap(&shared, &caller, error))
        });
        sealing.await.unwrap_or_else(|_| Err(half_way("sealing")))
    }

    /// Drops it. To drop the value does the same in the background.
    pub async fn discard(mut self: Box<Self>) {
        self.done = true;
        drop_staged(Arc::clone(&self.shared), self.seq, self.in_flight.take()).await;
    }

    async fn close(mut self: Box<Self>, fingerprint: Option<Digest>) -> Result<Accepted, SubmitError> {
        if !self.buffer.is_empty() {
            self.stage().await?;
        }
        self.staged().await?;
        let shared = Arc::clone(&self.shared);
        if shared.stop.is_cancelled() {
            return Err(SubmitError::Stopping);
        }
        let watch: Watch = shared.wakes.subscribe(&self.id);
        let can_block = self.can_block;
        let terms = terms_of(&shared, self.wish, &self.tally, self.has_reason, || can_block)?;
        let runs = terms.state(Passed::Nothing) == DeletionState::Running;
        let seal = Seal {
            total: self.items,
            digest: self.digest.clone().finish(),
            fingerprint,
            terms,
            daily_cap: self.caller.caps.max_items_per_day,
        };
        crash::point("upload-before-seal");
        let sealed = shared.heard(shared.journal.seal(self.seq, seal).await)?;
        let touched = match sealed {
            Sealed::Done(touched) => touched,
            Sealed::CapReached(cap) => return Err(SubmitError::DailyCap { cap, now: shared.clock.now() }),
        };
        crash::point("upload-after-seal");
        self.done = true;
        if !runs {
            shared.deadline_set.notify_one();
            super::chores::begin(&shared, self.seq);
        } else if !touched.finished {
            // Which lanes its items wait in, the journal has counted.
            shared.recount_and_wake().await;
        }
        let (id, seq) = (self.id.clone(), self.seq);
        Ok(Accepted { id, seq, watch, finished: touched.finished, is_ahead: !runs, replayed: false })
    }

    /// Sends the buffer on its way, once the chunk before it has arrived.
    async fn stage(&mut self) -> Result<(), SubmitError> {
        self.staged().await?;
        let items = std::mem::replace(&mut self.buffer, Vec::with_capacity(chunk(self.items)));
        let (seq, from) = (self.seq, self.staged);
        self.staged = self.items;
        let journal = Arc::clone(&self.shared.journal);
        self.in_flight = Some(self.shared.tasks.spawn(async move { journal.stage(seq, from, items).await }));
        Ok(())
    }

    async fn staged(&mut self) -> Result<(), SubmitError> {
        // It stays in its place until it is done: who is dropped here must still wait for it.
        let Some(in_flight) = &mut self.in_flight else { return Ok(()) };
        let staged = in_flight.await;
        self.in_flight = None;
        let staged = staged.unwrap_or_else(|_| Err(journal::Error::Uncertain("staging failed".to_owned())));
        staged.inspect_err(|error| self.shared.journal_failed(error))?;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.done {
            let dropping = drop_staged(Arc::clone(&self.shared), self.seq, self.in_flight.take());
            self.shared.tasks.spawn_on(dropping, &self.runtime);
        }
    }
}

async fn drop_staged(
    shared: Arc<Shared>,
    seq: DeletionSeq,
    in_flight: Option<JoinHandle<Result<(), journal::Error>>>,
) {
    if let Some(in_flight) = in_flight {
        // Whatever became of it, it comes before what follows.
        let _ended = in_flight.await;
    }
    for _ in 0..DISCARD_TRIES {
        let Err(error) = shared.journal.discard(seq).await else { return };
        shared.journal_failed(&error);
        shared.clock.sleep(super::record::JOURNAL_PAUSE).await;
    }
    tracing::warn!(seq, "an upload that broke off is left to be dropped later");
}

/// How many items the next write takes.
fn chunk(staged: u32) -> usize {
    usize::try_from(staged).unwrap_or(LARGEST_CHUNK).clamp(SMALLEST_CHUNK, LARGEST_CHUNK)
}

/// The item that a line becomes, and whether it could be read.
fn plan(shared: &Shared, caller: &Caller, line: u64, item: Result<Wanted, ItemError>) -> (NewItem, bool) {
    let ended = |error: ItemError| {
        Start::Ended(Ending::not_ok(Outcome::Refused, ItemError { line: Some(line), ..error }))
    };
    let wanted = match item {
        Ok(wanted) => wanted,
        Err(error) => return (NewItem { wanted: None, start: ended(error) }, false),
    };
    let Some(account) = shared.accounts.get(&wanted.target.account) else {
        // What no account of ours serves is a line that could not be read.
        let start = ended(ItemError::new(Reason::Invalid, "there is no such account"));
        return (NewItem { wanted: None, start }, false);
    };
    let provider = account.provider.as_ref();
    let (start, is_valid) = match provider.route(&wanted.target) {
        Ok(route) => match forbidden(caller, &shared.holds(), &wanted.target) {
            Some(refused) => (Start::Ended(refused), true),
            None => (Start::Waits(steps::first(provider, route, &wanted.target)), true),
        },
        Err(refusal) => {
            let is_valid = matches!(refusal, Refusal::Unsupported(_));
            (ended(super::refusal_error(provider, &refusal)), is_valid)
        }
    };
    (NewItem { wanted: Some(wanted), start }, is_valid)
}

fn half_way(what: &str) -> SubmitError {
    SubmitError::Journal(journal::Error::Uncertain(format!("{what} an upload failed half-way")))
}
