//! The outbound HTTP client, and what its failures prove.
//!
//! The one question after a failed delete is whether a byte may have left. Only
//! a failure to connect proves that none did; everything else is ambiguous. The
//! client is set up so that this stays true: it never resends, follows no
//! redirect (a signed request must not travel elsewhere), uses no proxy it was
//! not given, and speaks HTTP/1.1, one request per connection at a time. Knows
//! no vendor and no signature.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

use crate::types::crash;

/// Time to connect, TLS included.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for one whole call. API.md: one vendor call takes at most 15 s.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an idle connection is kept: below the idle time after which vendors
/// and their balancers close, so that a stale one is rarely used.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest answer that is read; the largest real one is a list of 20 assets.
pub const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// A request, signed and ready. Its query and headers may hold a signature or a token, so it does not print them.
#[derive(Clone)]
pub struct Outgoing {
    /// Method.
    pub method: Method,
    /// Absolute URL with its query, already encoded.
    pub url: reqwest::Url,
    /// All headers, `host` included if it was signed.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        f.debug_struct("Outgoing").field("method", &self.method).field("host", &host).finish_non_exhaustive()
    }
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
}

/// Why there is no answer. The text is for logs and holds no URL, since URLs carry signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No connection came about, so no byte of the request left.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Some byte may have left.
    #[error("no usable answer: {0}")]
    Ambiguous(String),
}

/// The client of one account.
#[derive(Clone)]
pub struct Transport {
    stack: BoxCloneSyncService<Outgoing, Incoming, tower::BoxError>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// A client with its own connections. Fails only if the machine's TLS roots cannot be loaded.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .user_agent(concat!("vodrm/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_proxy()
            .http1_only()
            .build()?;
        // No queue in here: a call that waited behind others could outlive its lease. How many
        // calls are under way is bounded by the lanes, before anything is claimed.
        let stack = ServiceBuilder::new()
            .timeout(CALL_TIMEOUT)
            .service_fn(move |request: Outgoing| exchange(client.clone(), request));
        Ok(Self { stack: BoxCloneSyncService::new(stack) })
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&self, request: Outgoing) -> Result<Incoming, SendError> {
        self.stack.clone().oneshot(request).await.map_err(|error| {
            match error.downcast::<SendError>() {
                Ok(known) => *known,
                // The only other error of the stack is its time-out, which may strike at any moment.
                Err(other) => SendError::Ambiguous(other.to_string()),
            }
        })
    }
}

async fn exchange(client: reqwest::Client, request: Outgoing) -> Result<Incoming, tower::BoxError> {
    let request = client.request(request.method, request.url).headers(request.headers).body(request.body);
    let sent = crash::while_waiting("request-out", request.send()).await.map_err(|error| {
        let unsent = error.is_connect() || error.is_builder();
        let text = describe(error);
        if unsent { SendError::NotSent(text) } else { SendError::Ambiguous(text) }
    })?;
    let (status, headers) = (sent.status(), sent.headers().clone());
    let body = read_capped(sent).await?;
    Ok(Incoming { status, headers, body })
}

async fn read_capped(mut answer: reqwest::Response) -> Result<Bytes, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| SendError::Ambiguous(describe(error)))? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(SendError::Ambiguous(format!("the answer is larger than {MAX_ANSWER_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// The error and its causes in one line, without the URL.
fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
