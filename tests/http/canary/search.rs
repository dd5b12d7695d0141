//! Every form in which a secret could slip out, and the search for them.

use std::collections::{BTreeSet, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Shorter ones would be found by chance.
const SHORTEST: usize = 8;
/// Bytes by which a form is looked up; every form has more.
const HEAD: usize = 4;
/// What many encoders leave as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Something that must not be seen.
#[derive(Debug, Clone)]
pub(super) struct Secret {
    pub(super) name: String,
    forms: Vec<String>,
}

impl Secret {
    pub(super) fn new(name: impl Into<String>, secret: &str) -> Self {
        let name = name.into();
        assert!(secret.len() >= SHORTEST, "{name} is too short to be searched for");
        Self { name, forms: forms(secret) }
    }

    /// How many forms there are.
    pub(super) fn forms(&self) -> usize {
        self.forms.len()
    }
}

fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let hex = hex::encode(bytes);
    let numbers = |between: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(between);
    let percent = |set| utf8_percent_encode(secret, set).to_string();
    let mut forms = vec![
        secret.to_owned(),
        secret.chars().rev().collect(),
        hex.to_uppercase(),
        hex.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(":"),
        hex,
        // As Rust prints bytes, and as JSON does.
        numbers(", "),
        numbers(","),
        bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat(),
        percent(NON_ALPHANUMERIC),
        lower_escapes(&percent(NON_ALPHANUMERIC)),
        percent(RESERVED),
        secret.replace('/', "\\/"),
    ];
    for before in 0..3 {
        forms.push(inner(&STANDARD_NO_PAD, before, bytes));
        forms.push(inner(&URL_SAFE_NO_PAD, before, bytes));
    }
    forms.sort();
    forms.dedup();
    forms
}

/// The part of a base64 text that does not depend on what stands around the secret, of which so many
/// bytes modulo three stand before it.
fn inner(engine: &impl base64::Engine, before: usize, secret: &[u8]) -> String {
    let mut bytes = vec![0; before];
    bytes.extend(secret);
    let text = engine.encode(&bytes);
    // A character has six bits: those that share some with what stands before or behind go.
    let first = (before * 8).div_ceil(6);
    let last = bytes.len() * 8 / 6;
    text.get(first..last).unwrap().to_owned()
}

/// `%2F` is `%2f` to many.
fn lower_escapes(text: &str) -> String {
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| {
        let (escape, rest) = piece.split_at(2);
        all + "%" + &escape.to_lowercase() + rest
    })
}

/// Where something was looked for.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) text: String,
}

impl Place {
    pub(super) fn new(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Self {
        Self { name: name.into(), text: String::from_utf8_lossy(bytes.as_ref()).into_owned() }
    }
}

/// Every leak, told by name and line.
pub(super) fn leaks(secrets: &[Secret], places: &[Place]) -> Vec<String> {
    // One pass over megabytes for hundreds of forms: nearly every place is passed by its first bytes.
    let mut begins = vec![false; 1 << 16];
    let mut by_head: HashMap<&[u8], Vec<(&Secret, &[u8])>> = HashMap::new();
    for secret in secrets {
        for form in &secret.forms {
            let form = form.as_bytes();
            begins[slot(form[0], form[1])] = true;
            by_head.entry(&form[..HEAD]).or_default().push((secret, form));
        }
    }
    let mut found = BTreeSet::new();
    for place in places {
        let text = place.text.as_bytes();
        for at in 0..text.len().saturating_sub(HEAD) {
            if !begins[slot(text[at], text[at + 1])] {
                continue;
            }
            let Some(forms) = by_head.get(&text[at..at + HEAD]) else { continue };
            for (secret, form) in forms.iter().filter(|(_, form)| text[at..].starts_with(form)) {
                let line =
                    place.text.lines().find(|line| line.as_bytes().windows(form.len()).any(|w| w == *form));
                let line: String = line.unwrap_or_default().chars().take(600).collect();
                found.insert(format!("{} is in {}: {line}", secret.name, place.name));
            }
        }
    }
    found.into_iter().collect()
}

fn slot(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

#[test]
fn a_planted_leak_is_found_in_every_form() {
    let text = "canary/planted+leak=17?~";
    let secret = Secret::new("planted", text);
    let around =
        |before: usize| format!("{}{text}tail", "ab<".repeat(2).chars().take(before).collect::<String>());
    let mut planted = vec![
        text.to_owned(),
        text.chars().rev().collect(),
        hex::encode(text),
        hex::encode_upper(text),
        hex::encode(format!("{{{text}}}")),
        format!("{:?}", text.as_bytes()),
        serde_json::to_string(text.as_bytes()).unwrap(),
        utf8_percent_encode(text, NON_ALPHANUMERIC).to_string(),
        "canary%2fplanted%2bleak%3d17%3f%7e".to_owned(),
        "canary%2Fplanted%2Bleak%3D17%3F~".to_owned(),
        text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat(),
        "\"canary\\/planted+leak=17?~\"".to_owned(),
        text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
    ];
    for before in 0..6 {
        planted.push(STANDARD_NO_PAD.encode(around(before)));
        planted.push(URL_SAFE_NO_PAD.encode(around(before)));
        planted.push(
            base64::engine::general_purpose::STANDARD
                .encode(around(before).get(..before + text.len()).unwrap()),
        );
    }
    for leak in planted {
        let place =
            Place::new("a log", format!("one line\n{{\"level\":\"TRACE\",\"message\":\"x {leak} y\"}}\n"));
        assert_eq!(leaks(std::slice::from_ref(&secret), &[place]).len(), 1, "{leak}");
    }
    for other in ["canary/planted", "planted+leak=17?~", &STANDARD_NO_PAD.encode("canary/planted+leak=18?~")]
    {
        assert_eq!(
            leaks(std::slice::from_ref(&secret), &[Place::new("a log", other)]),
            Vec::<String>::new(),
            "{other}"
        );
    }
}
