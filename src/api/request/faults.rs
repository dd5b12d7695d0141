//! Everything that is wrong with a body, told at once as JSON Pointers.
//!
//! Readers of fields note what is wrong and go on, so that a caller mends a body
//! in one go. Its own file because every body is read with these few: a field is
//! taken out, and what is left at the end is unknown. Knows no body.

use serde_json::{Map, Value};

use crate::api::problem::{FieldError, Problem};

/// The faults of a body, in the order they were found.
#[derive(Debug, Default)]
pub struct Faults(pub(super) Vec<FieldError>);

impl Faults {
    /// Notes a fault. Always `None`, so that it can stand where a value would.
    pub(super) fn add<T>(&mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Option<T> {
        self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        None
    }

    /// The first few in one text.
    pub(in crate::api) fn told(&self, most: usize) -> String {
        let told = self.0.iter().take(most).map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        let told: Vec<String> = told.collect();
        match self.0.len().saturating_sub(most) {
            0 => told.join("; "),
            more => format!("{}; and {more} more", told.join("; ")),
        }
    }

    pub(super) fn check(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

pub(super) fn take_bool(fields: &mut Map<String, Value>, at: &str, name: &str, faults: &mut Faults) -> bool {
    match fields.remove(name) {
        None => false,
        Some(Value::Bool(value)) => value,
        Some(_) => faults.add(format!("{at}/{name}"), "must be true or false").unwrap_or_default(),
    }
}

pub(super) fn take_text(
    fields: &mut Map<String, Value>,
    at: &str,
    name: &str,
    most: usize,
    faults: &mut Faults,
) -> Option<String> {
    let pointer = format!("{at}/{name}");
    let Value::String(text) = fields.remove(name)? else {
        return faults.add(pointer, "must be a string");
    };
    if text.chars().count() > most {
        return faults.add(pointer, format!("must be at most {most} characters"));
    }
    if text.chars().any(char::is_control) {
        return faults.add(pointer, "must not hold control characters");
    }
    Some(text)
}

pub(super) fn refuse_unknown(fields: Map<String, Value>, at: &str, faults: &mut Faults) {
    for name in fields.into_iter().map(|(name, _)| name) {
        // RFC 6901: ~ and / inside a name are escaped; the rest of a fragment is percent-encoded.
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let encoded = percent_encoding::utf8_percent_encode(&escaped, percent_encoding::NON_ALPHANUMERIC);
        let shown = if escaped.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~".contains(&b)) {
            escaped.clone()
        } else {
            encoded.to_string()
        };
        faults.add::<()>(format!("{at}/{shown}"), "is not a field of this object");
    }
}
