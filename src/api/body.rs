//! Bodies: what form they have, and their bytes, bounded in number, silence and time.
//!
//! A body that is too large is refused by its declared length where it has one,
//! and while it is read where it has not, so that nothing large is ever held.
//! What the bytes say is not known here.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

use super::problem::Problem;

/// Bytes of JSON bodies that are held at once, at least one of them: without it, as many of the largest
/// as there may be requests at work would take gigabytes.
const MAX_HELD_BYTES: usize = 32 * 1024 * 1024;
/// When to come again while others fill it: they take as long as a body takes to come and to be read.
const ROOM_AGAIN_S: u64 = 1;

/// Room for the bytes of JSON bodies of which the largest has so many.
#[must_use]
pub fn room(max_json_bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_HELD_BYTES.max(max_json_bytes)))
}

/// Bounds of a body.
#[derive(Debug, Clone)]
pub struct BodyLimits {
    /// Room for all JSON bodies that are held, in bytes.
    pub room: Arc<Semaphore>,
    /// Largest JSON body.
    pub max_json_bytes: usize,
    /// Longest silence.
    pub silence: Duration,
    /// Longest time for the whole body.
    pub deadline: Duration,
}

/// What a list of targets comes as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One JSON object.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// An id a line.
    Text,
}

impl Form {
    /// The media type of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Form::Json => "application/json",
            Form::Ndjson => "application/x-ndjson",
            Form::Text => "text/plain",
        }
    }

    /// The form that `Content-Type` names. Text in another charset would be read as other ids, and of
    /// two types a proxy may have looked at the other one.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let refuse = |detail: &str| Problem::new("unsupported_media_type", detail);
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let value = values.next().map(HeaderValue::to_str).transpose();
        if values.next().is_some() {
            return Err(refuse("send one Content-Type"));
        }
        let value = value.map_err(|_| refuse("the Content-Type is not plain text"))?.unwrap_or_default();
        let mut parts = value.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default();
        let known = [Form::Json, Form::Ndjson, Form::Text].into_iter();
        let form =
            known.into_iter().find(|form| essence.eq_ignore_ascii_case(form.as_str())).ok_or_else(|| {
                refuse("send Content-Type: application/json, application/x-ndjson or text/plain")
            })?;
        let charsets = parts
            .filter_map(|part| part.split_once('='))
            .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        for (_, charset) in charsets {
            let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
            if !["utf-8", "utf8", "us-ascii"].contains(&charset.as_str()) {
                return Err(refuse("bodies are read as UTF-8: send charset=utf-8 or none"));
            }
        }
        Ok(form)
    }
}

/// A body on its way in.
#[derive(Debug)]
pub struct Chunks {
    body: Body,
    most: u64,
    read: u64,
    silence: Duration,
    over: Pin<Box<Sleep>>,
}

impl Chunks {
    /// A body of at most so many bytes.
    pub fn new(headers: &HeaderMap, body: Body, most: u64, limits: &BodyLimits) -> Result<Self, Problem> {
        if headers.contains_key(CONTENT_ENCODING) {
            return Err(Problem::new("unsupported_media_type", "send the body without a Content-Encoding"));
        }
        if declared(headers).is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        let over = Box::pin(tokio::time::sleep(limits.deadline));
        Ok(Self { body, most, read: 0, silence: limits.silence, over })
    }

    /// The next bytes; `None` at the body's end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = tokio::select! {
                biased;
                () = self.over.as_mut() => return Err(too_slow()),
                frame = tokio::time::timeout(self.silence, self.body.frame()) => frame.map_err(|_| too_slow())?,
            };
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Problem::malformed("the body broke off; nothing was accepted")),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    self.read += u64::try_from(data.len()).unwrap_or(u64::MAX);
                    if self.read > self.most {
                        return Err(too_large(self.most));
                    }
                    if !data.is_empty() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }
}

/// Reads a JSON body to its end.
pub async fn read_json(headers: &HeaderMap, body: Body, limits: &BodyLimits) -> Result<Whole, Problem> {
    let form = Form::of(headers);
    if headers.contains_key(CONTENT_TYPE) && form.as_ref().is_ok_and(|form| *form == Form::Json) {
        return read_whole(headers, body, limits).await;
    }
    Err(Problem::new("unsupported_media_type", "send Content-Type: application/json"))
}

/// Reads a body of bounded size to its end.
pub async fn read_whole(headers: &HeaderMap, body: Body, limits: &BodyLimits) -> Result<Whole, Problem> {
    let most = u64::try_from(limits.max_json_bytes).unwrap_or(u64::MAX);
    let mut chunks = Chunks::new(headers, body, most, limits)?;
    let length = declared(headers).and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
    let mut whole = Whole { bytes: BytesMut::with_capacity(length), room: None };
    while let Some(chunk) = chunks.next().await? {
        let more = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let more = Arc::clone(&limits.room).try_acquire_many_owned(more).map_err(|_| full())?;
        match &mut whole.room {
            Some(room) => room.merge(more),
            none => *none = Some(more),
        }
        whole.bytes.extend_from_slice(&chunk);
    }
    Ok(whole)
}

/// A body that is all there. Its room is free again when it is dropped.
#[derive(Debug)]
pub struct Whole {
    bytes: BytesMut,
    room: Option<OwnedSemaphorePermit>,
}

impl Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(most: u64) -> Problem {
    Problem::new("too_large", format!("the body is larger than {most} bytes; nothing was accepted"))
}

fn full() -> Problem {
    Problem::new("overloaded", "too many large bodies are under way; nothing was accepted")
        .retry_after(ROOM_AGAIN_S)
}

fn too_slow() -> Problem {
    Problem::new("body_too_slow", "the body did not come in time; nothing was accepted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_named_in_full() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            Form::of(&headers).ok()
        };
        assert_eq!(of("application/json"), Some(Form::Json));
        assert_eq!(of("Application/X-NDJSON; charset=UTF-8"), Some(Form::Ndjson));
        assert_eq!(of("text/plain;charset=\"utf-8\""), Some(Form::Text));
        for other in [
            "",
            "text/plain; charset=utf-16",
            "application/json; charset=utf-16",
            "text/csv",
            "application/x-www-form-urlencoded",
            "text/plainer",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
        assert!(Form::of(&HeaderMap::new()).is_err());
        let mut two = HeaderMap::new();
        two.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        two.append(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        assert!(Form::of(&two).is_err());
    }
}
