//! Alibaba Cloud `ApsaraVideo` VOD: the client of one account.
//!
//! This file holds what the vendor publishes (operations, limits, hosts) and the
//! order of one call: key, time, signature, request, answer, verdicts. Which
//! operation serves a target is `routes.rs`, how requests are spelled `wire.rs`
//! and signed `sign.rs`, how answers are read `answer.rs` and `reads.rs`, and
//! what they mean `codes.rs` and `outcome.rs`. Knows nothing of queues, tries or
//! the journal.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method};
use reqwest::Url;

use self::answer::Said;
use self::outcome::{Cure, Judged};
use self::sign::{Signed, Unsignable, Unsigned};
use self::wire::{Action, Ask};
use super::credentials::CredentialSource;
use super::setup::{AccountSetup, BadSetup};
use super::skew::Skew;
use super::transport::{Outgoing, Transport};
use super::{Call, CallReport, Effect, Entry, Operation, Provider, Refusal, Route};
use crate::types::clock::Clock;
use crate::types::deletion::PartName;
use crate::types::effects::GoesWith;
use crate::types::secret::Credentials;
use crate::types::target::{AccountId, Kind, MediaId, Name, SnapshotType, Target, What};

/// Which operation serves a target, and what may share a call.
mod routes;

/// What requests say.
mod wire;

/// The signatures.
pub mod sign;

/// The envelope of answers.
mod answer;

/// What reads tell.
mod reads;

/// What codes mean.
mod codes;

/// What answers mean.
mod outcome;

/// The vendor's simulator.
pub mod sandbox;

#[cfg(test)]
mod tests;

/// The word in settings and answers.
pub const NAME: &str = "alibaba";

/// Every vendor action that the client may call. Calls per second: page sections 3 and 4;
/// `None` where no page prints a number.
pub const OPERATIONS: &[Operation] = &[
    DELETE_VIDEO,
    DELETE_STREAM,
    DELETE_MEZZANINES,
    DELETE_IMAGE,
    DELETE_ATTACHED_MEDIA,
    GET_VIDEO_INFOS,
    BATCH_GET_MEDIA_INFOS,
    GET_PLAY_INFO,
    GET_MEZZANINE_INFO,
    GET_IMAGE_INFOS,
    GET_ATTACHED_MEDIA_INFO,
    LIST_SNAPSHOTS,
];

/// Alibaba: at most 20 ids, jobs or URLs in every list; pages of the operations.
const LIST: usize = 20;
/// A read of an asset tells of all its parts, so they do not fill the call.
const ANY_PARTS: usize = 10_000;

const DELETE_VIDEO: Operation = operation(Action::DeleteVideo, Some(30), LIST, LIST);
const DELETE_STREAM: Operation = operation(Action::DeleteStream, Some(50), 1, LIST);
const DELETE_MEZZANINES: Operation = operation(Action::DeleteMezzanines, Some(50), LIST, LIST);
const DELETE_IMAGE: Operation = operation(Action::DeleteImage, Some(50), LIST, LIST);
const DELETE_ATTACHED_MEDIA: Operation = operation(Action::DeleteAttachedMedia, Some(50), LIST, LIST);
const GET_VIDEO_INFOS: Operation = operation(Action::GetVideoInfos, Some(100), LIST, ANY_PARTS);
const BATCH_GET_MEDIA_INFOS: Operation = operation(Action::BatchGetMediaInfos, None, LIST, ANY_PARTS);
const GET_PLAY_INFO: Operation = operation(Action::GetPlayInfo, Some(360), 1, ANY_PARTS);
const GET_MEZZANINE_INFO: Operation = operation(Action::GetMezzanineInfo, Some(100), 1, ANY_PARTS);
const GET_IMAGE_INFOS: Operation = operation(Action::GetImageInfos, None, LIST, ANY_PARTS);
const GET_ATTACHED_MEDIA_INFO: Operation =
    operation(Action::GetAttachedMediaInfo, Some(100), LIST, ANY_PARTS);
/// One type a call. 30 by its place in the QPS table; page section 9, row 2.
const LIST_SNAPSHOTS: Operation = operation(Action::ListSnapshots, Some(30), 1, 1);

const fn operation(action: Action, qps: Option<u32>, items: usize, parts: usize) -> Operation {
    Operation {
        name: action.name(),
        effect: if action.deletes() { Effect::Delete } else { Effect::Read },
        published_qps: qps,
        items_per_call: items,
        parts_per_call: parts,
    }
}

/// Service regions and their hosts; page section 1. An asset is seen only through its own
/// region's host, so an unknown region is refused rather than guessed.
const HOSTS: &[(&str, &str)] = &[
    ("cn-shanghai", "https://vod.cn-shanghai.aliyuncs.com"),
    ("cn-hangzhou", "https://vod.cn-shanghai.aliyuncs.com"),
    ("cn-beijing", "https://vod.cn-beijing.aliyuncs.com"),
    ("cn-shenzhen", "https://vod.cn-shenzhen.aliyuncs.com"),
    ("cn-hongkong", "https://vod.cn-hongkong.aliyuncs.com"),
    ("ap-southeast-1", "https://vod.ap-southeast-1.aliyuncs.com"),
    ("ap-southeast-5", "https://vod.ap-southeast-5.aliyuncs.com"),
    ("ap-northeast-1", "https://vod.ap-northeast-1.aliyuncs.com"),
    ("eu-central-1", "https://vod.eu-central-1.aliyuncs.com"),
    ("us-west-1", "https://vod.us-west-1.aliyuncs.com"),
    ("me-central-1", "https://vod.me-central-1.aliyuncs.com"),
    ("cn-north-2-gov-1", "https://vod.cn-north-2-gov-1.aliyuncs.com"),
];

/// The host that serves an account.
pub fn endpoint(setup: &AccountSetup) -> Result<Url, BadSetup> {
    if setup.sub_app_id.is_some() {
        return Err(BadSetup {
            field: "sub_app_id",
            why: "Alibaba has no sub-applications; remove it".into(),
        });
    }
    if let Some(endpoint) = &setup.endpoint {
        return bare(endpoint);
    }
    let known = || HOSTS.iter().map(|(region, _)| *region).collect::<Vec<_>>().join(", ");
    let Some(region) = &setup.region else {
        let why = format!("name the service region of the assets ({}) or an endpoint", known());
        return Err(BadSetup { field: "region", why });
    };
    let host = HOSTS.iter().find(|(name, _)| name == region).and_then(|(_, host)| Url::parse(host).ok());
    host.ok_or_else(|| BadSetup {
        field: "region",
        why: format!("`{region}` is not a service region of Alibaba VOD; known are {}", known()),
    })
}

/// The client of one account.
pub fn build(setup: AccountSetup) -> Result<Arc<dyn Provider>, BadSetup> {
    let endpoint = endpoint(&setup)?;
    let signer = match setup.signature.as_deref() {
        None | Some("v3") => Signer::V3,
        Some("v1") => Signer::V1,
        Some(other) => {
            let why = format!("`{other}` is not a signature version; use v3 (the default) or v1");
            return Err(BadSetup { field: "signature", why });
        }
    };
    let host = authority(&endpoint)?;
    let AccountSetup { credentials, transport, clock, .. } = setup;
    Ok(Arc::new(Alibaba { endpoint, host, signer, credentials, transport, clock, skew: Skew::default() }))
}

/// Alibaba: the path of every operation is `/`, and it is signed.
fn bare(endpoint: &Url) -> Result<Url, BadSetup> {
    let extra = endpoint.path() != "/"
        || endpoint.query().is_some()
        || endpoint.fragment().is_some()
        || !endpoint.username().is_empty()
        || endpoint.password().is_some();
    if extra {
        let why = "must be a scheme, a host and perhaps a port, such as https://vod.cn-shanghai.aliyuncs.com";
        return Err(BadSetup { field: "endpoint", why: why.into() });
    }
    Ok(endpoint.clone())
}

/// The `host` header: with the port where it is not the scheme's own, as the HTTP client would send it.
fn authority(endpoint: &Url) -> Result<String, BadSetup> {
    let host = endpoint.host_str().ok_or(BadSetup { field: "endpoint", why: "has no host".into() })?;
    Ok(endpoint.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signer {
    V3,
    V1,
}

/// One account.
#[derive(Debug)]
struct Alibaba {
    endpoint: Url,
    host: String,
    signer: Signer,
    credentials: CredentialSource,
    transport: Transport,
    clock: Arc<dyn Clock>,
    skew: Skew,
}

#[async_trait]
impl Provider for Alibaba {
    fn name(&self) -> &'static str {
        NAME
    }

    fn kinds(&self) -> &'static [Kind] {
        &Kind::ALL
    }

    fn operations(&self) -> &'static [Operation] {
        OPERATIONS
    }

    fn route(&self, target: &Target) -> Result<Route, Refusal> {
        routes::route(target)
    }

    fn group(&self, operation: &Operation, entry: &Entry) -> String {
        routes::group(operation, entry)
    }

    async fn call(&self, call: &Call) -> CallReport {
        let report = self.attempt(call).await;
        debug_assert_eq!(report.verdicts.len(), call.entries.len(), "every entry is answered");
        report
    }

    fn probe(&self) -> Call {
        let nobody = MediaId::parse(NOBODY).expect("32 zeros are a valid id");
        Call { operation: &GET_VIDEO_INFOS, entries: vec![asset(nobody, vec![PartName::Asset])] }
    }

    /// `BatchGetMediaInfos` stands behind the reads that it repeats: what they told wins, and
    /// while a video is not Normal (when `GetPlayInfo` refuses) its streams are still shown.
    fn portrait(&self, id: &MediaId) -> Vec<Call> {
        let of_asset = [&GET_VIDEO_INFOS, &GET_PLAY_INFO, &GET_MEZZANINE_INFO, &BATCH_GET_MEDIA_INFOS];
        let of_asset = of_asset.into_iter().map(|operation| (operation, vec![PartName::Asset]));
        let of_types = SnapshotType::ALL.map(|kind| (&LIST_SNAPSHOTS, vec![PartName::Snapshots(kind)]));
        of_asset
            .chain(of_types)
            .map(|(operation, parts)| Call { operation, entries: vec![asset(id.clone(), parts)] })
            .collect()
    }

    fn survey(&self, target: &Target) -> Option<(&'static Operation, Entry)> {
        routes::survey(target)
    }

    fn effects(&self, target: &Target) -> Vec<GoesWith> {
        routes::effects(target)
    }
}

impl Alibaba {
    async fn attempt(&self, call: &Call) -> CallReport {
        let ask = match wire::ask(call) {
            Ok(ask) => ask,
            Err(error) => {
                tracing::error!(operation = call.operation.name, %error, "a call was not sent");
                return outcome::unfit(call);
            }
        };
        let key = self.credentials.current().await;
        let offset_s = self.skew.offset_s();
        let Ok(request) = self.request(&ask, &key) else {
            tracing::error!("the key holds a character that no header can carry");
            return outcome::unsignable(call);
        };
        let incoming = match self.transport.send(request).await {
            Ok(incoming) => incoming,
            Err(error) => {
                tracing::warn!(operation = call.operation.name, %error, "a call has no answer");
                return outcome::unanswered(call, &ask, &error);
            }
        };
        let (reply, now) = (answer::read(&incoming), self.clock.now());
        let Judged { report, cure } = outcome::judge(call, &ask, &reply);
        let cured = match cure {
            Some(Cure::NewKey) => self.credentials.renew(&key).await,
            // Another call may have learned the offset while this one was under way.
            Some(Cure::NewTime) => self.skew.learn(&incoming.headers, now) || self.skew.moved_since(offset_s),
            None => {
                // Only the vendor's own date counts, not that of a proxy's error page.
                if reply.said != Said::Nothing {
                    self.skew.observe(&incoming.headers, now);
                }
                false
            }
        };
        if cured { outcome::resigned(call, report) } else { report }
    }

    fn request(&self, ask: &Ask, key: &Credentials) -> Result<Outgoing, Unsignable> {
        let nonce = uuid::Uuid::new_v4().simple().to_string();
        let unsigned = Unsigned {
            host: &self.host,
            action: ask.action.name(),
            parameters: &ask.parameters,
            time: self.skew.correct(self.clock.now()),
            nonce: &nonce,
        };
        let Signed { query, mut headers } = match self.signer {
            Signer::V3 => sign::acs3(&unsigned, key)?,
            Signer::V1 => sign::rpc_v1(&unsigned, key)?,
        };
        // The HTTP client leaves it out of an empty POST, and some gateways then answer 411.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let mut url = self.endpoint.clone();
        // Everything but unreserved characters is encoded, so this keeps the signed bytes.
        url.set_query(Some(&query));
        Ok(Outgoing { method: Method::POST, url, headers, body: Bytes::new() })
    }
}

/// An id that no asset has: 32 hexadecimal digits, as all of the vendor's.
const NOBODY: &str = "00000000000000000000000000000000";

/// An entry of a read that no deletion asked for.
fn asset(id: MediaId, parts: Vec<PartName>) -> Entry {
    let account = AccountId::parse(NAME).expect("the provider's own name is a valid account name");
    Entry { target: Target { account, name: Name::Id(id), what: What::Media }, asset: None, parts }
}
