//! The Tencent Cloud VOD simulator: what the vendor's pages say a call does, over HTTP.
//!
//! Written from `vendors/tencent-vod.md` only, a second time and without the client's code, so that a wrong
//! reading in the client shows here as a refused signature or a wrong delete. This file puts the steps in
//! order: who signed, which version and action, the limit, the parameters, the action, the envelope.
//!
//! Knows the kit (`crate::sandbox`), which runs the server, the ledger and scripted faults. Knows nothing of
//! vodrm's client. What the page leaves open is a switch in `options`.

mod request;

mod signature;

mod verify;

mod fields;

mod operations;

mod deletes;

mod distribution;

mod describe;

mod library;

mod media;

mod options;

pub mod seed;

mod envelope;

#[cfg(test)]
mod tests;

use std::sync::{Arc, PoisonError, RwLock};

use serde_json::{Value, json};

pub use self::media::PartKind;
pub use self::options::{
    AbsentPart, Busy, Key, NotFoundCode, Nulls, Options, SecondDelete, ThrottleCode, WrongSubAppId,
};
use self::{
    envelope::{Refusal, RequestIds},
    fields::Arguments,
    library::Library,
    operations::{Bench, Done, OPERATIONS, Refused},
    request::Call,
    verify::Authorization,
};
use crate::sandbox::{Answer, Desk, Peek, Received, Reply, Vendor, VendorFault, overlay};

/// The one version that deletes media; 2024-07-18 exists and has no media delete.
const VERSION: &str = "2018-07-17";

/// The library is listed up to here; the number of stored media is always given.
const MAX_LISTED: usize = 10_000;

/// The simulated vendor.
#[derive(Debug)]
pub struct TencentVod {
    library: Library,
    options: RwLock<Arc<Options>>,
    request_ids: RequestIds,
}

impl Default for TencentVod {
    fn default() -> Self {
        Self::new()
    }
}

impl TencentVod {
    /// A simulator with the seeded library and every switch at its default.
    #[must_use]
    pub fn new() -> Self {
        Self {
            library: Library::seeded(),
            options: RwLock::new(Arc::new(Options::default())),
            request_ids: RequestIds::default(),
        }
    }

    /// Adds ordinary videos to the main application; ids that are there, or were, are made anew. Answers how
    /// many were taken in: the library is bounded.
    pub fn add_media<I, S>(&self, ids: I) -> usize
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.library.add(ids)
    }

    /// Makes a part of a stored media, again if it was deleted, as a new processing task would. Answers its
    /// generation: the ledger writes `#2` behind a part that was made a second time.
    pub fn make_part(&self, file_id: &str, kind: PartKind, definition: i64) -> Option<u32> {
        self.library.make_part(file_id, kind, definition)
    }

    /// Starts or ends a processing task on a stored media; false if there is no such media.
    pub fn set_busy(&self, file_id: &str, busy: bool) -> bool {
        self.library.change(file_id, |media| media.busy = busy).is_some()
    }

    /// How many media are stored, in all applications.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.library.stored()
    }

    /// The switches as they are.
    #[must_use]
    pub fn switches(&self) -> Options {
        (*self.current()).clone()
    }

    /// Replaces the switches.
    pub fn set_switches(&self, options: Options) {
        let bulk = options.bulk_media;
        *self.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
        self.add_bulk(bulk);
    }

    fn add_bulk(&self, bulk: u32) {
        self.library.add_unknown((seed::VIDEOS..seed::VIDEOS + u64::from(bulk)).map(seed::video));
    }

    fn current(&self) -> Arc<Options> {
        Arc::clone(&self.options.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn work(&self, request: &Received, options: &Options, desk: &Desk<'_>) -> Result<Done, Refused> {
        let call = Call::open(request)?;
        // Signature first: somebody unknown learns nothing about actions, limits or files.
        let account = if desk.fast() {
            verify::claimed(&call).unwrap_or_default()
        } else {
            verify::verify(&call, &options.keys, desk.now)?.account.as_str()
        };
        let version = call.version().ok_or_else(|| Refusal::missing("Version"))?;
        if version != VERSION {
            let message = format!("There is no version `{version}`.");
            return Err(Refusal::new("NoSuchVersion", message).into());
        }
        let action = call.action().ok_or_else(|| Refusal::missing("Action"))?;
        let operation = OPERATIONS.iter().find(|operation| operation.name == action);
        let operation = operation
            .ok_or_else(|| Refusal::new("InvalidAction", format!("There is no action `{action}`.")))?;
        // "defaults per (action, access region, sub-account)"; the region is where the call entered, the host.
        let place = format!("{account}@{}", request.header("host").unwrap_or_default());
        if !desk.admit(&place, operation.name, operation.limit) {
            let code = options.throttle_code.code();
            let message = "Your current request times exceed the limit per second.";
            return Err(Refusal::new(code, message).into());
        }
        let (given, typed) = call.parameters()?;
        let arguments = Arguments::check(operation.fields, given, typed, options.nulls)?;
        let now_ms = desk.now.as_millisecond();
        let bench = Bench { library: &self.library, options, now_ms };
        (operation.run)(bench, &arguments)
    }
}

impl Vendor for TencentVod {
    fn name(&self) -> &'static str {
        "tencent"
    }

    fn peek(&self, request: &Received) -> Peek {
        let Ok(call) = Call::open(request) else {
            let operation = request.header("x-tc-action").unwrap_or_default();
            return Peek { operation: operation.to_owned(), ..Peek::default() };
        };
        let operation = call.action().unwrap_or_default().to_owned();
        let given = call.parameters().map(|(given, _)| given).unwrap_or_default();
        let texts = |name: &str| match given.get(name) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let ids = ["FileId", "FileIds", "Urls"].into_iter().flat_map(texts).collect();
        Peek {
            operation,
            ids,
            nonce: nonce(&call),
            key_id: verify::claimed(&call).map(str::to_owned),
            scheme: scheme(&call).to_owned(),
        }
    }

    fn answer(&self, request: &Received, desk: &Desk<'_>) -> Answer {
        let options = self.current();
        let request_id = self.request_ids.next();
        match self.work(request, &options, desk) {
            Ok(done) => Answer {
                reply: envelope::success(done.fields, request_id),
                verdict: "ok".to_owned(),
                effects: done.effects,
            },
            Err(refused) => Answer {
                reply: envelope::error(200, &refused.refusal, &request_id),
                verdict: refused.refusal.code,
                effects: refused.effects,
            },
        }
    }

    /// Without a code: throttling. `retry_after_ms` has no place here, no `Retry-After` is documented; the
    /// vendor has no XML either, so that envelope is the native one.
    fn refuse(&self, fault: &VendorFault, _: &Received) -> Reply {
        let throttle = self.current().throttle_code.code();
        let code = fault.code.as_deref().unwrap_or(throttle);
        let message = fault.message.clone().unwrap_or_else(|| format!("Scripted: {code}."));
        let refusal = Refusal::new(code, message);
        let status = fault.status.unwrap_or(200);
        match fault.envelope {
            crate::sandbox::Envelope::Legacy => envelope::legacy(status, &refusal),
            crate::sandbox::Envelope::Native | crate::sandbox::Envelope::Xml => {
                envelope::error(status, &refusal, &self.request_ids.next())
            }
        }
    }

    fn assets(&self) -> Value {
        let listed = self.library.assets(MAX_LISTED).into_iter().map(|(id, media)| {
            let parts = media.stored_parts().map(|part| format!("{}:{}", part.kind.name(), part.definition));
            json!({
                "FileId": id,
                "SubAppId": media.sub_app_id,
                "Category": media.category.name(),
                "Parts": parts.collect::<Vec<String>>(),
                "Forbidden": !media.distribution.is_open(),
                "Busy": media.busy,
                "Locked": media.locked,
            })
        });
        json!({ "stored": self.library.stored(), "media": listed.collect::<Vec<Value>>() })
    }

    fn reset(&self) {
        self.library.reset();
        self.add_bulk(self.current().bulk_media);
    }

    fn options(&self) -> Value {
        serde_json::to_value(self.switches()).unwrap_or_default()
    }

    fn set_options(&self, patch: &Value) -> Result<(), String> {
        let options = overlay(&self.switches(), patch)?;
        if options.bulk_media > seed::MAX_BULK {
            return Err(format!("bulk_media is above {}", seed::MAX_BULK));
        }
        self.set_switches(options);
        Ok(())
    }
}

/// What tells two calls apart: the v1 nonce; TC3 has none, so the trace id, or else the signature. Nothing is
/// refused for having been seen before, no page states such a rule.
fn nonce(call: &Call<'_>) -> Option<String> {
    if let Some(pairs) = &call.v1 {
        return request::value_of(pairs, "Nonce").map(str::to_owned);
    }
    if let Some(trace) = call.received.header("x-tc-traceid") {
        return Some(trace.to_owned());
    }
    let header = call.received.header("authorization")?;
    Authorization::parse(header).map(|authorization| authorization.signature.to_owned())
}

fn scheme(call: &Call<'_>) -> &'static str {
    match &call.v1 {
        None => signature::TC3,
        Some(pairs) => match signature::V1Method::named(request::value_of(pairs, "SignatureMethod")) {
            signature::V1Method::HmacSha1 => "HmacSHA1",
            signature::V1Method::HmacSha256 => "HmacSHA256",
        },
    }
}
