//! Queries: every parameter must be asked for, and stands there once unless it is a list.
//!
//! Parsers differ on a broken query, and a delete must not depend on which one
//! read it, so one that is not plain is refused.

use serde_json::{Map, Value};

use super::MAX_REASON_LEN;
use super::faults::Faults;
use super::target::{take_renditions, take_snapshots};
use crate::api::problem::Problem;
use crate::types::deletion::IfAbsent;
use crate::types::target::{Renditions, Snapshots};

/// The query of a request: every parameter must be asked for, and stands there once unless it is a list.
#[derive(Debug)]
pub struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a raw query.
    pub fn parse(raw: Option<&str>) -> Result<Self, Problem> {
        let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Ok(Self { pairs: Vec::new() }) };
        let decode = |text: &str| {
            if !is_percent_encoded(text) {
                return Err(Problem::malformed("the query holds a % that no two hex digits follow"));
            }
            percent_encoding::percent_decode_str(&text.replace('+', " "))
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| Problem::malformed("the query is not UTF-8"))
        };
        let pairs = raw
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((decode(name)?, decode(value)?))
            })
            .collect::<Result<_, Problem>>()?;
        Ok(Self { pairs })
    }

    /// Takes a parameter that may stand there once.
    pub fn one(&mut self, name: &str) -> Result<Option<String>, Problem> {
        let mut values = self.list(name);
        match values.len() {
            0 | 1 => Ok(values.pop()),
            _ => Err(Problem::malformed(format!("the query parameter `{name}` stands there more than once"))),
        }
    }

    /// Takes a parameter that may repeat.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let (mine, rest) = std::mem::take(&mut self.pairs).into_iter().partition(|(known, _)| known == name);
        self.pairs = rest;
        let mine: Vec<(String, String)> = mine;
        mine.into_iter().map(|(_, value)| value).collect()
    }

    /// Takes a parameter and reads it; `what` tells what it must be.
    pub fn read<T>(
        &mut self,
        name: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        self.one(name)?
            .map(|text| {
                read(&text)
                    .ok_or_else(|| Problem::malformed(format!("the query parameter `{name}` must be {what}")))
            })
            .transpose()
    }

    /// Takes `true` or `false`; absent means false.
    pub fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        Ok(self.read(name, "true or false", |text| text.parse().ok())?.unwrap_or_default())
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Problem> {
        match self.pairs.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(Problem::malformed(format!("unknown query parameter `{name}`"))),
        }
    }
}

/// Whether two hex digits follow every `%`. Parsers differ on the rest, and a delete must not
/// depend on which one read it.
fn is_percent_encoded(text: &str) -> bool {
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    text.split('%').skip(1).all(|rest| {
        let digits = rest.as_bytes();
        hex(digits.first()) && hex(digits.get(1))
    })
}

/// What every single-target DELETE takes in its query: whether absent is ok, why, and whether it is only a plan.
pub fn delete_query(query: &mut Query) -> Result<(IfAbsent, Option<String>, bool), Problem> {
    let absent = query.read("if_absent", "ok or error", if_absent)?.unwrap_or_default();
    Ok((absent, reason(query)?, query.flag("dry_run")?))
}

/// Takes the caller's reason.
pub(super) fn reason(query: &mut Query) -> Result<Option<String>, Problem> {
    query.read("reason", "at most 1000 characters without control characters", |text| {
        let fits = text.chars().count() <= MAX_REASON_LEN && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    })
}

/// Renditions from a query: `definition`, `job_id`, `family` and `all`.
pub fn renditions_query(query: &mut Query) -> Result<Renditions, Problem> {
    let list = |values: Vec<String>| Value::Array(values.into_iter().map(Value::String).collect());
    let mut fields = Map::new();
    for (name, field) in [("definition", "definitions"), ("job_id", "job_ids")] {
        let values = query.list(name);
        if !values.is_empty() {
            fields.insert(field.to_owned(), list(values));
        }
    }
    if let Some(family) = query.one("family")? {
        fields.insert("family".to_owned(), Value::String(family));
    }
    if query.flag("all")? {
        fields.insert("all".to_owned(), Value::Bool(true));
    }
    let mut faults = Faults::default();
    let renditions = take_renditions(&mut fields, "#", &mut faults);
    faults.check()?;
    renditions.ok_or_else(|| Problem::malformed("no renditions were selected"))
}

/// Snapshots from a query: `type` and `all`.
pub fn snapshots_query(query: &mut Query) -> Result<Snapshots, Problem> {
    let mut fields = Map::new();
    let types = query.list("type");
    if !types.is_empty() {
        fields.insert("types".to_owned(), Value::Array(types.into_iter().map(Value::String).collect()));
    }
    if query.flag("all")? {
        fields.insert("all".to_owned(), Value::Bool(true));
    }
    let mut faults = Faults::default();
    let snapshots = take_snapshots(&mut fields, "#", &mut faults);
    faults.check()?;
    snapshots.ok_or_else(|| Problem::malformed("no snapshots were selected"))
}

pub(super) fn if_absent(word: &str) -> Option<IfAbsent> {
    match word {
        "ok" => Some(IfAbsent::Ok),
        "error" => Some(IfAbsent::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_parameter_is_asked_for_or_refused() {
        let mut query = Query::parse(Some("definition=HD&definition=SD&all=false&x=%7A")).unwrap();
        assert!(renditions_query(&mut query).is_ok());
        assert!(query.end().is_err());
        for broken in ["x=%zz", "x=%", "%4=x", "x=%FF"] {
            assert!(Query::parse(Some(broken)).is_err(), "{broken}");
        }
        let mut twice = Query::parse(Some("reason=a&reason=b")).unwrap();
        assert!(delete_query(&mut twice).is_err());
        assert!(
            renditions_query(&mut Query::parse(None).unwrap()).is_err(),
            "an empty selection is not everything"
        );
        assert!(snapshots_query(&mut Query::parse(Some("type=cover&all=true")).unwrap()).is_err());
    }
}
