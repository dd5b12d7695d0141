//! The client of Tencent Cloud VOD.
//!
//! What the service sees of this vendor: its operations, its hosts, and one
//! signed request per call. The subjects behind it have a file each: `route.rs`
//! which call serves a target, `wire.rs` the vendor's spelling, `sign.rs` the
//! signature, `facts.rs` what a read tells, `codes.rs` and `outcome.rs` what an
//! answer means. One request is made per call and never repeated here; when to
//! call again is decided in `dispatch`.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, Method};
use jiff::Timestamp;
use reqwest::Url;
use uuid::Uuid;

use super::credentials::CredentialSource;
use super::setup::{AccountSetup, BadSetup};
use super::skew::Skew;
use super::transport::{Incoming, Outgoing, SendError, Transport};
use super::{Call, CallReport, Effect, Entry, Operation, Provider, Refusal, Route};
use crate::types::clock::Clock;
use crate::types::effects::GoesWith;
use crate::types::secret::Credentials;
use crate::types::target::{AccountId, Kind, MediaId, Name, Target, What};

/// TC3-HMAC-SHA256, a function per stage.
pub mod sign;

/// Which call serves a target, and the body of a delete.
mod route;

/// The vendor's spelling of requests and envelopes.
mod wire;

/// What a read tells of a file.
mod facts;

/// The vendor's error codes.
mod codes;

/// From an answer to a verdict per entry.
mod outcome;

/// The vendor's simulator.
pub mod sandbox;

/// The word in settings and answers.
pub const NAME: &str = "tencent";

/// One file per call; there is no batch delete (vendor page 3.1). Its parts go
/// together: no limit is documented, and a target names at most 100.
const DELETE_MEDIA: Operation = Operation {
    name: "DeleteMedia",
    effect: Effect::Delete,
    published_qps: Some(100),
    items_per_call: 1,
    parts_per_call: 100,
};

/// At most 20 files per call (vendor page 4.1); it tells of all parts of each.
const DESCRIBE_MEDIA_INFOS: Operation = Operation {
    name: "DescribeMediaInfos",
    effect: Effect::Read,
    published_qps: Some(100),
    items_per_call: 20,
    parts_per_call: usize::MAX,
};

/// At most 20 files per call; their URLs give 403 after 5 to 10 minutes (vendor page 3.3).
const FORBID: Operation = Operation {
    name: "ForbidMediaDistribution",
    effect: Effect::Block,
    published_qps: Some(20),
    items_per_call: 20,
    parts_per_call: usize::MAX,
};

/// The same vendor action, told to undo it: one name, so one lane and one limit.
const RECOVER: Operation = Operation { effect: Effect::Lift, ..FORBID };

/// Every vendor action that the client may call.
pub const OPERATIONS: &[Operation] = &[DELETE_MEDIA, DESCRIBE_MEDIA_INFOS, FORBID];

/// The kinds that it can serve.
const KINDS: [Kind; 4] = [Kind::Media, Kind::Source, Kind::Renditions, Kind::Image];

/// The vendor's own domain. The host is `vod.` in it, with the region between if
/// one is set (vendor page 1.1); the international site is an `endpoint`.
const DOMAIN: &str = "tencentcloudapi.com";
/// Longest region; the longest real one has 15 characters.
const MAX_REGION_LEN: usize = 32;

/// An id that no file has: 19 digits as real ones, all 0.
const NOBODY: &str = "0000000000000000000";

/// The host that serves an account.
pub fn endpoint(setup: &AccountSetup) -> Result<Url, BadSetup> {
    let text = match (&setup.endpoint, &setup.region) {
        (Some(url), _) => return check_endpoint(url),
        (None, None) => format!("https://vod.{DOMAIN}"),
        (None, Some(region)) => format!("https://vod.{}.{DOMAIN}", check_region(region)?),
    };
    Url::parse(&text).map_err(|error| BadSetup { field: "region", why: error.to_string() })
}

/// The signature covers the path `/` alone, so an endpoint with more cannot work.
fn check_endpoint(url: &Url) -> Result<Url, BadSetup> {
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anonymous = url.username().is_empty() && url.password().is_none();
    if bare && anonymous && url.host_str().is_some() {
        return Ok(url.clone());
    }
    Err(BadSetup {
        field: "endpoint",
        why: "must be scheme, host and port alone: the vendor has no paths".into(),
    })
}

fn check_region(region: &str) -> Result<&str, BadSetup> {
    let letters = region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let edges = region.starts_with('-') || region.ends_with('-');
    if letters && !edges && (1..=MAX_REGION_LEN).contains(&region.len()) {
        return Ok(region);
    }
    Err(BadSetup { field: "region", why: "must be a region of the vendor's, such as ap-guangzhou".into() })
}

/// The client of one account.
pub fn build(setup: AccountSetup) -> Result<Arc<dyn Provider>, BadSetup> {
    let url = endpoint(&setup)?;
    if setup.signature.as_deref().is_some_and(|version| version != "v3") {
        return Err(BadSetup { field: "signature", why: "must be \"v3\" or left out".into() });
    }
    if let Some(region) = &setup.region {
        check_region(region)?;
    }
    Ok(Arc::new(Tencent {
        host: host_header(&url),
        url,
        region: setup.region,
        // Whether 0 is the same as none is not stated; none is (vendor page 9, item 10).
        sub_app_id: setup.sub_app_id.filter(|id| *id != 0),
        credentials: setup.credentials,
        transport: setup.transport,
        clock: setup.clock,
        skew: Skew::default(),
    }))
}

/// The host as it is signed and sent: with the port, unless it is the scheme's own.
fn host_header(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Tencent Cloud VOD, for one account.
#[derive(Debug)]
struct Tencent {
    url: Url,
    host: String,
    region: Option<String>,
    sub_app_id: Option<u64>,
    credentials: CredentialSource,
    transport: Transport,
    clock: Arc<dyn Clock>,
    skew: Skew,
}

/// What a call was signed with.
struct Signed {
    key: Arc<Credentials>,
    offset_s: i64,
}

#[async_trait]
impl Provider for Tencent {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [Kind] {
        &KINDS
    }

    fn operations(&self) -> &'static [Operation] {
        OPERATIONS
    }

    fn route(&self, target: &Target) -> Result<Route, Refusal> {
        route::route(target)
    }

    fn group(&self, _: &Operation, _: &Entry) -> String {
        // Deletes travel alone, and any files can be read together.
        String::new()
    }

    async fn call(&self, call: &Call) -> CallReport {
        let report = self.make(call).await;
        assert_eq!(report.verdicts.len(), call.entries.len(), "a call answers for every item it was given");
        report
    }

    fn probe(&self) -> Call {
        let id = MediaId::parse(NOBODY).expect("19 digits are an id");
        Call { operation: &DESCRIBE_MEDIA_INFOS, entries: vec![read_entry(id)] }
    }

    fn portrait(&self, id: &MediaId) -> Vec<Call> {
        vec![Call { operation: &DESCRIBE_MEDIA_INFOS, entries: vec![read_entry(id.clone())] }]
    }

    fn survey(&self, target: &Target) -> Option<(&'static Operation, Entry)> {
        route::route(target).ok()?;
        match &target.name {
            Name::Id(id) => {
                let whole = Target { what: What::Media, ..target.clone() };
                Some((&DESCRIBE_MEDIA_INFOS, Entry { target: whole, ..read_entry(id.clone()) }))
            }
            Name::Reference(_) | Name::Url(_) => None,
        }
    }

    fn effects(&self, target: &Target) -> Vec<GoesWith> {
        route::effects(target)
    }

    /// Playback is blocked of the whole file, so only where the whole of it is to go.
    fn can_block(&self, target: &Target) -> bool {
        matches!((&target.name, &target.what), (Name::Id(_), What::Media))
    }

    fn block(&self, ids: &[MediaId], lift: bool) -> Option<Call> {
        let entries: Vec<Entry> = ids.iter().cloned().map(read_entry).collect();
        let operation = if lift { &RECOVER } else { &FORBID };
        (!entries.is_empty()).then_some(Call { operation, entries })
    }
}

/// An entry that only names a file. No account's name is known here or needed.
fn read_entry(id: MediaId) -> Entry {
    let account = AccountId::parse(NAME).expect("the provider's name is a name of letters");
    Entry { target: Target { account, name: Name::Id(id), what: What::Media }, asset: None, parts: vec![] }
}

/// The body of a call, or which rule of ours the call breaks.
fn body(call: &Call, sub_app_id: Option<u64>) -> Result<Bytes, &'static str> {
    if call.entries.len() > call.operation.items_per_call {
        return Err("the call has more items than one call may carry");
    }
    match (call.operation.name, call.operation.effect, call.entries.as_slice()) {
        ("DeleteMedia", Effect::Delete, [entry]) => route::delete_body(entry, sub_app_id),
        ("DescribeMediaInfos", Effect::Read, [_, ..]) => Ok(wire::describe(&ids(&call.entries)?, sub_app_id)),
        ("ForbidMediaDistribution", Effect::Block, [_, ..]) => {
            Ok(wire::distribute(&ids(&call.entries)?, wire::Distribution::Forbid, sub_app_id))
        }
        ("ForbidMediaDistribution", Effect::Lift, [_, ..]) => {
            Ok(wire::distribute(&ids(&call.entries)?, wire::Distribution::Recover, sub_app_id))
        }
        _ => Err("this provider makes no such call"),
    }
}

/// The files that the entries name, each once.
fn ids(entries: &[Entry]) -> Result<Vec<&MediaId>, &'static str> {
    let mut ids = Vec::new();
    for entry in entries {
        let id = outcome::asked_id(entry).ok_or("an asset is not named by the vendor's id")?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

impl Tencent {
    async fn make(&self, call: &Call) -> CallReport {
        let operation = call.operation.name;
        let body = match body(call, self.sub_app_id) {
            Ok(body) => body,
            Err(why) => {
                tracing::error!(operation, why, "a call was not made: a bug of ours");
                return outcome::not_made(call, why);
            }
        };
        let signed = Signed { key: self.credentials.current().await, offset_s: self.skew.offset_s() };
        let time = self.skew.correct(self.clock.now());
        let Some(headers) = self.headers(call, &signed.key, time, &body) else {
            tracing::error!(operation, "the key has characters that no header can hold");
            return outcome::unsignable(call, self.credentials.renew(&signed.key).await);
        };
        let request = Outgoing { method: Method::POST, url: self.url.clone(), headers, body };
        match self.transport.send(request).await {
            Ok(incoming) => self.judge(call, &signed, &incoming).await,
            Err(error) => {
                tracing::warn!(operation, %error, "the vendor did not answer");
                match error {
                    SendError::NotSent(_) => outcome::not_sent(call),
                    SendError::Ambiguous(_) => outcome::unanswered(call),
                }
            }
        }
    }

    fn headers(&self, call: &Call, key: &Credentials, time: Timestamp, body: &[u8]) -> Option<HeaderMap> {
        let heading = wire::Heading {
            action: call.operation.name,
            host: &self.host,
            region: self.region.as_deref(),
            key,
            time,
            trace: Uuid::new_v4(),
        };
        wire::headers(&heading, body).ok()
    }

    async fn judge(&self, call: &Call, signed: &Signed, incoming: &Incoming) -> CallReport {
        let operation = call.operation.name;
        let (report, request_id) = match wire::read(incoming.status, &incoming.body) {
            wire::Answer::Success { response, request_id } => {
                self.skew.observe(&incoming.headers, self.clock.now());
                let report = match call.operation.effect {
                    Effect::Delete => outcome::deleted(call),
                    Effect::Read => outcome::of_read(&response, call),
                    Effect::Block | Effect::Lift => outcome::of_distribution(&response, call),
                };
                (report, Some(request_id))
            }
            wire::Answer::Error { code, request_id } => {
                let mended = self.mend(&code, signed, &incoming.headers).await;
                (outcome::of_error(&code, call, mended), request_id)
            }
            // Only the vendor's own date counts, not that of a proxy's error page.
            wire::Answer::Unusable => {
                let (status, bytes) = (incoming.status.as_u16(), incoming.body.len());
                tracing::warn!(operation, status, bytes, "the answer is none of the vendor's API");
                (outcome::unanswered(call), wire::request_id(&incoming.headers))
            }
        };
        let request_id = request_id.as_deref().and_then(outcome::clean);
        CallReport { status: Some(incoming.status.as_u16()), request_id, ..report }
    }

    /// Whether what the code complains of has been mended, so that signing again should do.
    async fn mend(&self, code: &str, signed: &Signed, headers: &HeaderMap) -> bool {
        match outcome::remedy(code) {
            Some(outcome::Remedy::NewKey) => {
                self.skew.observe(headers, self.clock.now());
                self.credentials.renew(&signed.key).await
            }
            // Not observed as well: that would hide from `learn` that the offset changed.
            Some(outcome::Remedy::Clock) => {
                let learned = self.skew.learn(headers, self.clock.now());
                learned || self.skew.moved_since(signed.offset_s)
            }
            None => {
                self.skew.observe(headers, self.clock.now());
                false
            }
        }
    }
}

#[cfg(test)]
mod tests;
