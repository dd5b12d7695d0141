//! A caller for the tests of the simulator: signs from the vendor's page and reads the envelope.
//!
//! The signing here is written a second time, without `signature`, so that a slip there cannot agree with
//! itself; the vectors in `vectors` tie both to the vendor. Nothing here uses vodrm's client.

mod deletes;

mod distribution;

mod protocol;

mod reads;

mod signing;

mod vectors;

mod wire;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{TencentVod, seed};
use crate::sandbox::{self, Desk, Effect, Nonces, Received, Vendor as _, Windows};

/// 2023-11-14T22:13:20Z, the time of most vectors.
const NOW: i64 = 1_700_000_000;

/// A simulator and everything that the kit would hand it.
struct Trial {
    vendor: TencentVod,
    kit: sandbox::Options,
    windows: Windows,
    nonces: Nonces,
    now_ms: i64,
}

/// What came back.
#[derive(Debug)]
struct Heard {
    /// `Response.Error.Code`, or `ok`.
    code: String,
    response: Value,
    effects: Vec<Effect>,
}

impl Heard {
    /// The parts that were really removed.
    fn removed(&self) -> Vec<&str> {
        let effective = self.effects.iter().filter(|effect| effect.effective);
        effective.map(|effect| effect.part.as_deref().unwrap_or("everything")).collect()
    }
}

impl Trial {
    fn new() -> Self {
        Self {
            vendor: TencentVod::new(),
            kit: sandbox::Options::default(),
            windows: Windows::default(),
            nonces: Nonces::default(),
            now_ms: NOW * 1000,
        }
    }

    fn with(options: &Value) -> Self {
        let trial = Self::new();
        trial.switch(options);
        trial
    }

    fn switch(&self, options: &Value) {
        self.vendor.set_options(options).unwrap();
    }

    fn send(&self, received: &Received) -> Heard {
        let desk = Desk {
            now: jiff::Timestamp::from_millisecond(self.now_ms).unwrap(),
            options: &self.kit,
            windows: &self.windows,
            nonces: &self.nonces,
            connection: 1,
        };
        let answer = self.vendor.answer(received, &desk);
        assert_eq!(answer.reply.status, 200, "API errors travel inside HTTP 200");
        let kind = ("content-type".to_owned(), "application/json".to_owned());
        assert!(answer.reply.headers.contains(&kind), "the SDK finds errors only in this very type");
        let body: Value = serde_json::from_slice(&answer.reply.body).unwrap();
        let response = body["Response"].clone();
        assert!(response["RequestId"].is_string(), "{body}");
        let code = response["Error"]["Code"].as_str().unwrap_or("ok").to_owned();
        assert_eq!(answer.verdict, code);
        Heard { code, response, effects: answer.effects }
    }

    /// Calls with the permanent pair.
    fn call(&self, action: &str, body: &Value) -> Heard {
        self.send(&Signer::new(self.now_ms / 1000).post(action, &body.to_string()))
    }

    fn delete(&self, file_id: &str, parts: &Value) -> Heard {
        self.call("DeleteMedia", &json!({ "FileId": file_id, "DeleteParts": parts }))
    }

    fn code(&self, action: &str, body: &Value) -> String {
        self.call(action, body).code
    }
}

/// Signs the way the page says, with everything open to change.
#[derive(Clone)]
struct Signer {
    id: String,
    key: String,
    token: Option<String>,
    timestamp: i64,
    date: Option<String>,
    service: String,
    host: String,
    content_type: Option<String>,
    signed: Vec<&'static str>,
    /// Signs header values unchanged, as the SDKs do, instead of lower-cased, as the page says.
    as_sent: bool,
    version: String,
    extra: Vec<(&'static str, String)>,
}

impl Signer {
    fn new(timestamp: i64) -> Self {
        Self {
            id: seed::SECRET_ID.to_owned(),
            key: seed::SECRET_KEY.to_owned(),
            token: None,
            timestamp,
            date: None,
            service: "vod".to_owned(),
            host: "127.0.0.1:9102".to_owned(),
            content_type: None,
            signed: vec!["content-type", "host"],
            version: "2018-07-17".to_owned(),
            as_sent: false,
            extra: Vec::new(),
        }
    }

    fn post(&self, action: &str, body: &str) -> Received {
        self.sign(&Method::POST, action, "", body, "application/json")
    }

    fn get(&self, action: &str, query: &str) -> Received {
        self.sign(&Method::GET, action, query, "", "application/x-www-form-urlencoded")
    }

    fn sign(&self, method: &Method, action: &str, query: &str, body: &str, kind: &str) -> Received {
        let kind = self.content_type.as_deref().unwrap_or(kind);
        let mut headers = vec![
            ("content-type", kind.to_owned()),
            ("host", self.host.clone()),
            ("x-tc-action", action.to_owned()),
            ("x-tc-version", self.version.clone()),
            ("x-tc-timestamp", self.timestamp.to_string()),
            ("x-tc-language", "en-US".to_owned()),
        ];
        headers.extend(self.token.clone().map(|token| ("x-tc-token", token)));
        headers.extend(self.extra.clone());

        let value = |name: &str| {
            let sent = &headers.iter().find(|(header, _)| *header == name).unwrap().1;
            if self.as_sent { sent.clone() } else { sent.to_lowercase() }
        };
        let block: Vec<String> = self.signed.iter().map(|name| format!("{name}:{}", value(name))).collect();
        let block = block.join(
            "
",
        );
        let signed = self.signed.join(";");
        let payload = hex(body.as_bytes());
        let canonical = format!("{method}\n/\n{query}\n{block}\n\n{signed}\n{payload}");
        let at = jiff::Timestamp::from_second(self.timestamp).unwrap();
        let date = self.date.clone().unwrap_or_else(|| at.strftime("%F").to_string());
        let scope = format!("{date}/{}/tc3_request", self.service);
        let text = format!("TC3-HMAC-SHA256\n{}\n{scope}\n{}", self.timestamp, hex(canonical.as_bytes()));
        let mut key = format!("TC3{}", self.key).into_bytes();
        for step in [date.as_str(), &self.service, "tc3_request", &text] {
            key = hmac(&key, step);
        }
        let authorization = format!(
            "TC3-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={}",
            self.id,
            hex::encode(key)
        );
        headers.push(("authorization", authorization));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        received(method, query, &headers, body)
    }
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A request as the kit would hand it over.
fn received(method: &Method, query: &str, headers: &[(&str, &str)], body: &str) -> Received {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        map.append(name, HeaderValue::from_str(value).unwrap());
    }
    let target = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
    Received { method: method.clone(), target, headers: map, body: body.to_owned().into() }
}

/// Changes a header that was sent.
fn with_header(mut request: Received, name: &'static str, value: &str) -> Received {
    request.headers.insert(name, HeaderValue::from_str(value).unwrap());
    request
}
