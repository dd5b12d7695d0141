//! Lists of targets, read as streams: NDJSON, and plain ids.
//!
//! A chunk comes in, its lines go to `dispatch` one by one, and the next chunk is
//! asked for when they are taken: nothing piles up, however long the list and
//! however fast its sender. Whatever goes wrong before the end, the upload is
//! dropped and leaves nothing. A line that cannot be read is one refused item.

use std::sync::Arc;

use axum::body::Body;
use axum::http::HeaderMap;
use bytes::Bytes;
use tokio::sync::Semaphore;

/// Bytes become lines.
mod split;

/// A line becomes a target.
mod read;

use read::{Content, LineReader};
use split::{Line, Splitter};

use super::Api;
use super::auth::Who;
use super::body::{Chunks, Form};
use super::idempotency::Fingerprint;
use super::problem::Problem;
use super::request::upload;
use crate::dispatch::submit::{Accepted, SubmitError};
use crate::dispatch::upload::{Begun, NewUpload, Upload};
use crate::types::deletion::{DeletionId, Digest};
use crate::types::outcome::ItemError;
use crate::types::target::AccountId;

/// When to come again with an upload while others are under way.
const LOOK_AGAIN_S: u64 = 10;

/// Bounds of uploads.
#[derive(Debug, Clone)]
pub struct UploadLimits {
    /// Items of one.
    pub max_items: u32,
    /// Bytes of one.
    pub max_bytes: u64,
    /// Bytes of one line.
    pub max_line_bytes: usize,
    /// A place for each that may be under way.
    pub places: Arc<Semaphore>,
}

/// An upload, but for its body.
#[derive(Debug)]
pub struct Incoming<'a> {
    /// Who sends it.
    pub who: &'a Who,
    /// What its lines hold.
    pub form: Form,
    /// Its query.
    pub query: Option<&'a str>,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its key, with the sum over what is known of the request already.
    pub key: Option<(String, Fingerprint)>,
}

/// What an upload came to.
#[derive(Debug)]
pub enum Received {
    /// A deletion.
    New(Accepted),
    /// The deletion that an equal upload made before.
    Known(DeletionId),
}

/// Reads an upload to its end.
pub async fn receive(api: &Api, incoming: Incoming<'_>, body: Body) -> Result<Received, Problem> {
    let Incoming { who, form, query, headers, key } = incoming;
    let sees = |account: &AccountId| who.0.sees(account) && api.dispatch.has_account(account);
    let asked = upload::upload(query, form, &sees)?;
    let limits = &api.upload_limits;
    let chunks = Chunks::new(headers, body, limits.max_bytes, &api.body_limits)?;
    let _place = limits.places.try_acquire().map_err(|_| too_many())?;
    let (key, sum) = key.unzip();
    let mut stream = Stream { api, chunks, sum };
    let new = NewUpload {
        caller: Arc::clone(&who.0),
        reason: asked.reason,
        if_absent: asked.if_absent,
        wish: asked.wish,
        key: key.map(|key| (key, api.key_rules.keep)),
    };
    let mut upload = match api.dispatch.begin_upload(new).await? {
        Begun::Upload(upload) => upload,
        Begun::Known { id, fingerprint } => {
            return stream.must_equal(fingerprint).await.map(|()| Received::Known(id));
        }
        Begun::KeyBusy => return Err(SubmitError::KeyBusy.into()),
    };
    let content = asked.what.map_or(Content::Objects, Content::Ids);
    let lines = LineReader::new(content, asked.account, &sees);
    match fill(&mut upload, &mut stream, lines, limits).await {
        Ok(()) => Ok(Received::New(upload.seal(stream.sum.map(Fingerprint::end)).await?)),
        Err(problem) => {
            upload.discard().await;
            Err(problem)
        }
    }
}

/// Every line of the body becomes an item.
async fn fill(
    upload: &mut Upload,
    stream: &mut Stream<'_>,
    mut lines: LineReader<'_>,
    limits: &UploadLimits,
) -> Result<(), Problem> {
    let mut splitter = Splitter::new(limits.max_line_bytes);
    let mut first_fault = None;
    loop {
        let chunk = stream.next().await?;
        let mut rest = chunk.as_deref().unwrap_or_default();
        while let Some((number, line)) = next_line(&mut splitter, &mut rest, chunk.is_none()) {
            let Some(item) = lines.read(number, line) else { continue };
            if upload.items() >= limits.max_items {
                return Err(too_many_items(limits.max_items));
            }
            if let (Err(error), None) = (&item, &first_fault) {
                first_fault = Some(error.clone());
            }
            upload.push(number, item).await?;
        }
        if chunk.is_none() {
            break;
        }
    }
    if upload.valid() > 0 { Ok(()) } else { Err(nothing_valid(upload.items(), first_fault)) }
}

fn next_line<'a, 'c: 'a>(
    splitter: &'a mut Splitter,
    rest: &mut &'c [u8],
    is_end: bool,
) -> Option<(u64, Line<'a>)> {
    if is_end { splitter.last() } else { splitter.next(rest) }
}

/// The body, summed up for its key while it is read.
struct Stream<'a> {
    api: &'a Api,
    chunks: Chunks,
    sum: Option<Fingerprint>,
}

impl Stream<'_> {
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let chunk = tokio::select! {
            biased;
            // It could take a quarter of an hour more, and the process ends in seconds.
            () = self.api.dispatch.stopping() => return Err(SubmitError::Stopping.into()),
            chunk = self.chunks.next() => chunk?,
        };
        if let (Some(sum), Some(chunk)) = (&mut self.sum, &chunk) {
            sum.add(chunk);
        }
        Ok(chunk)
    }

    /// Reads the rest, of which nothing is kept: its key has a deletion already.
    async fn must_equal(mut self, fingerprint: Digest) -> Result<(), Problem> {
        while self.next().await?.is_some() {}
        let is_equal = self.sum.map(Fingerprint::end) == Some(fingerprint);
        if is_equal { Ok(()) } else { Err(SubmitError::KeyReused.into()) }
    }
}

fn too_many() -> Problem {
    Problem::new("overloaded", "too many uploads are under way; nothing was accepted")
        .retry_after(LOOK_AGAIN_S)
}

fn too_many_items(most: u32) -> Problem {
    let detail = format!("the list has more than {most} items: split it; nothing was accepted");
    Problem::new("too_large", detail)
}

fn nothing_valid(items: u32, first: Option<ItemError>) -> Problem {
    Problem::malformed(match first {
        Some(ItemError { line: Some(line), message, .. }) => {
            format!("none of {items} lines is a target; line {line}: {message}; nothing was accepted")
        }
        _ => "the list is empty; nothing was accepted".to_owned(),
    })
}
