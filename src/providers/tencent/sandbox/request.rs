//! A received call taken apart: which scheme, the common parameters, and the action's own parameters.
//!
//! Its own file because the vendor takes one call in three forms ("Request Structure" and "Common Params"
//! pages): POST JSON and GET with the common parameters in headers (TC3), and GET or POST form with all of
//! them among the parameters (v1). After this file there is only one form.
//!
//! Does not know keys, which actions exist, or what parameters they take.

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::Method;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::envelope::Refusal;
use crate::sandbox::Received;

/// GET in either scheme.
const MAX_GET_BYTES: usize = 32 << 10;
/// POST signed with v1.
const MAX_V1_BYTES: usize = 1 << 20;
/// POST signed with TC3.
const MAX_TC3_BYTES: usize = 10 << 20;

/// Parameters of a v1 call that are not the action's own.
const V1_COMMON: [&str; 11] = [
    "Action",
    "Version",
    "Timestamp",
    "Nonce",
    "SecretId",
    "SignatureMethod",
    "Signature",
    "Region",
    "Token",
    "Language",
    "RequestClient",
];

/// A call in one form.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) received: &'a Received,
    /// The decoded pairs, if the call came in v1 form.
    pub(super) v1: Option<Vec<(String, String)>>,
}

impl<'a> Call<'a> {
    /// Sorts out the scheme. A call with an `Authorization` header is TC3 (or malformed), a call with a
    /// `Signature` parameter is v1.
    pub(super) fn open(received: &'a Received) -> Result<Self, Refusal> {
        let method = &received.method;
        if method != Method::GET && method != Method::POST {
            let message = format!("The method {method} is not taken; there are GET and POST.");
            return Err(Refusal::new("UnsupportedProtocol", message));
        }
        if received.path() != "/" {
            return Err(Refusal::new("InvalidRequest", "The path is always `/`."));
        }
        let tc3 = received.headers.contains_key("authorization");
        let v1 = if tc3 { None } else { v1_pairs(received)? };
        if !tc3 && v1.is_none() {
            let message = "There is neither an Authorization header nor a Signature parameter.";
            return Err(Refusal::new("AuthFailure.InvalidAuthorization", message));
        }
        let call = Self { received, v1 };
        call.check_size()?;
        Ok(call)
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let (size, limit) = if self.received.method == Method::GET {
            (self.received.query().len(), MAX_GET_BYTES)
        } else if self.v1.is_some() {
            (self.received.body.len(), MAX_V1_BYTES)
        } else {
            (self.received.body.len(), MAX_TC3_BYTES)
        };
        if size > limit {
            let message = format!("The request has {size} bytes, {limit} are allowed.");
            return Err(Refusal::new("RequestSizeLimitExceeded", message));
        }
        Ok(())
    }

    fn common(&self, header: &str, parameter: &str) -> Option<&str> {
        match &self.v1 {
            None => self.received.header(header),
            Some(pairs) => value_of(pairs, parameter),
        }
    }

    pub(super) fn action(&self) -> Option<&str> {
        self.common("x-tc-action", "Action")
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.common("x-tc-version", "Version")
    }

    /// UNIX seconds, decimal.
    pub(super) fn timestamp(&self) -> Result<i64, Refusal> {
        let text = self.common("x-tc-timestamp", "Timestamp");
        let text = text.ok_or_else(|| Refusal::missing("Timestamp"))?;
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = digits.then(|| text.parse().ok()).flatten();
        seconds.ok_or_else(|| Refusal::invalid("The timestamp must be UNIX seconds."))
    }

    pub(super) fn token(&self) -> Option<&str> {
        self.common("x-tc-token", "Token").filter(|token| !token.is_empty())
    }

    /// The action's own parameters. `typed` in the answer says whether JSON types can be trusted: in GET and
    /// form every value is text.
    pub(super) fn parameters(&self) -> Result<(Map<String, Value>, bool), Refusal> {
        let received = self.received;
        if let Some(pairs) = &self.v1 {
            let own = pairs.iter().filter(|(name, _)| !V1_COMMON.contains(&name.as_str()));
            return Ok((unflatten(own)?, false));
        }
        let form = is_form(received);
        if received.method == Method::GET {
            // The page gives GET this content type; it is signed, so it must be there.
            if !form {
                let message = "GET needs the content type application/x-www-form-urlencoded.";
                return Err(Refusal::new("InvalidRequest", message));
            }
            return Ok((unflatten(decode(received.query())?.iter())?, false));
        }
        if !received.query().is_empty() {
            // POST signs an empty query line, so a query would be taken unsigned.
            return Err(Refusal::new("InvalidRequest", "POST takes no query string."));
        }
        if form {
            let pairs = decode(&text_of(&received.body)?)?;
            return Ok((unflatten(pairs.iter())?, false));
        }
        let json = content_type(received).is_some_and(|kind| kind == "application/json");
        if !json {
            let message = "POST needs the content type application/json.";
            return Err(Refusal::new("InvalidRequest", message));
        }
        match serde_json::from_slice(&received.body) {
            Ok(Value::Object(object)) => Ok((object, true)),
            // The page: `{}` when there are no parameters; nothing else stands for "none".
            _ => Err(Refusal::invalid("The body is not a JSON object.")),
        }
    }
}

/// The first pair of this name.
pub(super) fn value_of<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn v1_pairs(received: &Received) -> Result<Option<Vec<(String, String)>>, Refusal> {
    let text = if received.method == Method::GET {
        Cow::Borrowed(received.query())
    } else if is_form(received) {
        text_of(&received.body)?
    } else {
        // JSON bodies are impossible with v1.
        return Ok(None);
    };
    let pairs = decode(&text)?;
    Ok(value_of(&pairs, "Signature").is_some().then_some(pairs))
}

fn text_of(body: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let text = std::str::from_utf8(body);
    text.map(Cow::Borrowed).map_err(|_| Refusal::invalid("The form is not UTF-8."))
}

fn content_type(received: &Received) -> Option<String> {
    let whole = received.header("content-type")?;
    let kind = whole.split(';').next().unwrap_or(whole);
    Some(kind.trim().to_ascii_lowercase())
}

fn is_form(received: &Received) -> bool {
    content_type(received).is_some_and(|kind| kind == "application/x-www-form-urlencoded")
}

/// Form decoding: `+` is a space, the rest is percent-decoded. A name given twice has no meaning here.
fn decode(text: &str) -> Result<Vec<(String, String)>, Refusal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut names = std::collections::HashSet::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (decoded(name)?, decoded(value)?);
        if !names.insert(name.clone()) {
            return Err(Refusal::invalid(format!("The parameter `{name}` is given twice.")));
        }
        pairs.push((name, value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let plain = percent_decode_str(&spaced).decode_utf8();
    plain.map(Cow::into_owned).map_err(|_| Refusal::invalid("A parameter is not UTF-8."))
}

/// What `A.0.B=x` means while it is put together.
#[derive(Debug, Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

/// Zero-based indices joined by dots, back to lists and objects. All values stay text.
fn unflatten<'p>(pairs: impl Iterator<Item = &'p (String, String)>) -> Result<Map<String, Value>, Refusal> {
    let mut root = Node::default();
    for (name, value) in pairs {
        let mut node = &mut root;
        // Deeper than any parameter of the API: refuse before the tree grows.
        if name.split('.').count() > 8 {
            return Err(Refusal::new("UnknownParameter", format!("`{name}` is not known.")));
        }
        for step in name.split('.') {
            node = node.children.entry(step.to_owned()).or_default();
        }
        node.value = Some(value.clone());
    }
    let fields = root.children.into_iter();
    fields.map(|(name, node)| Ok((name.clone(), settled(&name, node)?))).collect()
}

fn settled(name: &str, node: Node) -> Result<Value, Refusal> {
    let confused = || Refusal::invalid(format!("The parameter `{name}` is not well formed."));
    match node.value {
        Some(value) if node.children.is_empty() => return Ok(Value::String(value)),
        Some(_) => return Err(confused()),
        None => {}
    }
    let is_index = |key: &String| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit());
    if !node.children.keys().all(is_index) {
        let fields = node.children.into_iter();
        let object = fields.map(|(key, child)| Ok((key.clone(), settled(&key, child)?)));
        return Ok(Value::Object(object.collect::<Result<_, Refusal>>()?));
    }
    let mut children = node.children;
    let mut items = Vec::new();
    while let Some(child) = children.remove(&items.len().to_string()) {
        items.push(settled(name, child)?);
    }
    // What is left over does not follow 0, 1, 2, …
    if children.is_empty() { Ok(Value::Array(items)) } else { Err(confused()) }
}
