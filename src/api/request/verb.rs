//! The bodies of verbs: an optional reason, or an operator's decision.

use serde_json::{Map, Value};

use super::MAX_REASON_LEN;
use super::faults::{Faults, refuse_unknown, take_text};
use crate::api::json;
use crate::api::problem::Problem;
use crate::types::deletion::Digest;
use crate::types::outcome::Outcome;

/// Longest reason of a decision.
pub const MAX_DECISION_LEN: usize = 500;
/// What an operator can decide.
pub const DECISIONS: [Outcome; 3] = [Outcome::Deleted, Outcome::Absent, Outcome::Failed];

/// Reads `{"reason": "…"}`, or no body at all.
pub fn reason(body: &[u8]) -> Result<Option<String>, Problem> {
    if body.is_empty() {
        return Ok(None);
    }
    let mut faults = Faults::default();
    let mut fields = object(body)?;
    let reason = take_text(&mut fields, "#", "reason", MAX_REASON_LEN, &mut faults);
    refuse_unknown(fields, "#", &mut faults);
    faults.check()?;
    Ok(reason)
}

/// Reads `{"digest": "…", "reason": "…"}`, or no body at all.
pub fn go_ahead(body: &[u8]) -> Result<(Option<Digest>, Option<String>), Problem> {
    if body.is_empty() {
        return Ok((None, None));
    }
    let mut faults = Faults::default();
    let mut fields = object(body)?;
    let digest = match fields.remove("digest") {
        None => None,
        Some(value) => {
            let digest = value.as_str().and_then(Digest::parse);
            digest.or_else(|| faults.add("#/digest", "must be the deletion's digest: 64 hex digits"))
        }
    };
    let reason = take_text(&mut fields, "#", "reason", MAX_REASON_LEN, &mut faults);
    refuse_unknown(fields, "#", &mut faults);
    faults.check()?;
    Ok((digest, reason))
}

/// The same where the digest must be given.
pub fn approval(body: &[u8]) -> Result<(Option<Digest>, Option<String>), Problem> {
    let told = go_ahead(body)?;
    if told.0.is_some() {
        return Ok(told);
    }
    let mut faults = Faults::default();
    faults.add::<()>("#/digest", "is missing: give the digest of the deletion that you have looked at");
    faults.check().map(|()| told)
}

/// Reads `{"reason": "…"}` where a reason must be given.
pub fn needed_reason(body: &[u8]) -> Result<String, Problem> {
    let mut faults = Faults::default();
    let mut fields = if body.is_empty() { Map::new() } else { object(body)? };
    let reason = take_text(&mut fields, "#", "reason", MAX_REASON_LEN, &mut faults);
    let reason = reason.filter(|text| !text.trim().is_empty());
    if reason.is_none() && faults.0.is_empty() {
        faults.add::<()>("#/reason", "is missing: say why");
    }
    refuse_unknown(fields, "#", &mut faults);
    faults.check()?;
    reason.ok_or_else(|| Problem::malformed("give a reason"))
}

/// Reads `{"outcome": "…", "reason": "…"}`.
pub fn decision(body: &[u8]) -> Result<(Outcome, String), Problem> {
    let mut faults = Faults::default();
    let mut fields = object(body)?;
    let known = |value: Value| value.as_str().and_then(Outcome::parse).filter(|one| DECISIONS.contains(one));
    let outcome = fields
        .remove("outcome")
        .and_then(known)
        .or_else(|| faults.add("#/outcome", "must be \"deleted\", \"absent\" or \"failed\""));
    let before = faults.0.len();
    let reason = take_text(&mut fields, "#", "reason", MAX_DECISION_LEN, &mut faults);
    let reason = reason.filter(|text| !text.trim().is_empty());
    if reason.is_none() && faults.0.len() == before {
        faults.add::<()>("#/reason", "is missing: say how you know");
    }
    refuse_unknown(fields, "#", &mut faults);
    let decided = outcome.zip(reason);
    faults.check()?;
    decided.ok_or_else(|| Problem::malformed("give an outcome and a reason"))
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match json::parse(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Problem::malformed("the body must be a JSON object")),
        Err(error) => Err(Problem::malformed(format!("the body is not usable JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_is_one_of_three_and_has_a_reason() {
        let ok = decision(br#"{"outcome": "absent", "reason": "looked in the console"}"#).unwrap();
        assert_eq!(ok, (Outcome::Absent, "looked in the console".to_owned()));
        for bad in [
            "{}",
            "",
            "[]",
            r#"{"outcome": "unknown", "reason": "x"}"#,
            r#"{"outcome": "deleted"}"#,
            r#"{"outcome": "deleted", "reason": " "}"#,
            r#"{"outcome": "deleted", "reason": "x", "force": true}"#,
        ] {
            assert!(decision(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reason_may_be_missing_but_nothing_else_may_stand_there() {
        assert_eq!(reason(b"").unwrap(), None);
        assert_eq!(reason(b"{}").unwrap(), None);
        assert_eq!(reason(br#"{"reason": "r"}"#).unwrap().as_deref(), Some("r"));
        assert!(reason(br#"{"reason": "r", "digest": "x"}"#).is_err());
        assert!(reason(br#"{"reason": 1}"#).is_err());
    }
}
