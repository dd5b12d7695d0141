//! One table of the tree, read name by name.
//!
//! serde would stop at the first fault and names no path; this reads on, keeps
//! every fault under its setting's full name, and knows at the end which names
//! nobody asked for. Values from the environment are texts, so numbers, flags
//! and lists are read from texts too. Knows no particular setting, and never
//! repeats a value in a message, since it could be a secret in the wrong place.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use config::{Value, ValueKind};

use super::Fault;
use crate::types::duration;

/// The faults found so far.
#[derive(Debug, Default)]
pub(super) struct Found(RefCell<Vec<Fault>>);

impl Found {
    pub(super) fn add(&self, setting: impl Into<String>, why: impl Into<String>) {
        self.0.borrow_mut().push(Fault { setting: setting.into(), why: why.into() });
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.0.into_inner()
    }
}

/// A table whose names are taken out one by one.
#[derive(Debug)]
pub(super) struct Section<'f> {
    path: String,
    left: BTreeMap<String, Value>,
    /// Where each value came from, kept after it was taken.
    origins: BTreeMap<String, String>,
    known: Vec<&'static str>,
    found: &'f Found,
}

impl<'f> Section<'f> {
    pub(super) fn root(tree: BTreeMap<String, Value>, found: &'f Found) -> Self {
        Self::new(String::new(), tree, found)
    }

    fn new(path: String, left: BTreeMap<String, Value>, found: &'f Found) -> Self {
        let origins = left
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.origin()?.to_owned())))
            .collect();
        Self { path, left, origins, known: Vec::new(), found }
    }

    fn name_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Adds a fault to a name in this table.
    pub(super) fn fault(&self, name: &str, why: impl Display) {
        let why = match self.origins.get(name) {
            Some(origin) => format!("{why} (from {origin})"),
            None => why.to_string(),
        };
        self.found.add(self.name_of(name), why);
    }

    /// Adds a fault to this table itself.
    pub(super) fn refuse(&self, why: impl Display) {
        self.found.add(self.path.clone(), why.to_string());
    }

    /// The table's own name, checked.
    pub(super) fn named<T, E: Display>(&self, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|why| self.refuse(format!("the name {why}"))).ok()
    }

    fn take(&mut self, name: &'static str) -> Field<'f> {
        self.known.push(name);
        Field { path: self.name_of(name), value: self.left.remove(name), found: self.found }
    }

    /// A value that may be absent.
    pub(super) fn get(&mut self, name: &'static str) -> Field<'f> {
        self.take(name)
    }

    /// A value that must be there.
    pub(super) fn need(&mut self, name: &'static str) -> Field<'f> {
        let field = self.take(name);
        if field.value.is_none() {
            self.found.add(field.path.clone(), "is missing");
        }
        field
    }

    /// Whether this name has a value that was not taken yet.
    pub(super) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    /// A table, if it is there.
    pub(super) fn table(&mut self, name: &'static str) -> Option<Section<'f>> {
        self.take(name).table()
    }

    /// A table of tables whose names are free: `[accounts.NAME]`.
    pub(super) fn tables(&mut self, name: &'static str) -> Vec<(String, Section<'f>)> {
        let Some(table) = self.table(name) else {
            return Vec::new();
        };
        let Section { path, left, found, .. } = table;
        left.into_iter()
            .filter_map(|(key, value)| {
                let field = Field { path: format!("{path}.{key}"), value: Some(value), found };
                Some((key, field.table()?))
            })
            .collect()
    }

    /// A setting of the contract that this version does not serve: never ignored.
    pub(super) fn not_served(&mut self, name: &str) {
        if self.left.remove(name).is_some() {
            self.fault(name, "is not served yet");
        }
    }

    /// Every name that nobody took is unknown.
    pub(super) fn finish(mut self) {
        for name in std::mem::take(&mut self.left).into_keys() {
            let why = match nearest(&name, &self.known) {
                Some(meant) => format!("is not a setting; did you mean {meant}?"),
                None => format!("is not a setting; here can stand {}", self.known.join(", ")),
            };
            self.fault(&name, why);
        }
    }
}

/// One value, with its name for faults.
#[derive(Debug)]
pub(super) struct Field<'f> {
    path: String,
    value: Option<Value>,
    found: &'f Found,
}

impl<'f> Field<'f> {
    fn refuse<T>(&self, origin: Option<&str>, why: impl Display) -> Option<T> {
        let why = match origin {
            Some(origin) => format!("{why} (from {origin})"),
            None => why.to_string(),
        };
        self.found.add(self.path.clone(), why);
        None
    }

    /// The value through a conversion; `what` completes "must be".
    fn convert<T>(mut self, what: &str, read: impl FnOnce(&ValueKind) -> Option<T>) -> Option<T> {
        let value = self.value.take()?;
        match read(&value.kind) {
            Some(converted) => Some(converted),
            None => self.refuse(value.origin(), format!("must be {what}")),
        }
    }

    /// A text that must parse; the error is the fault.
    pub(super) fn parsed<T, E: Display>(mut self, parse: impl FnOnce(&str) -> Result<T, E>) -> Option<T> {
        let value = self.value.take()?;
        let Some(text) = text_of(&value.kind) else {
            return self.refuse(value.origin(), "must be a text");
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(why) => self.refuse(value.origin(), why),
        }
    }

    /// One word of a closed list.
    pub(super) fn one_of<T: Clone>(self, words: &[(&str, T)]) -> Option<T> {
        let what = format!(
            "one of {}",
            words.iter().map(|(word, _)| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        );
        self.convert(&what, |kind| {
            let text = text_of(kind)?;
            words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning.clone())
        })
    }

    /// A whole number within a range.
    pub(super) fn whole(self, range: RangeInclusive<u64>) -> Option<u64> {
        let what = format!("a whole number from {} to {}", range.start(), range.end());
        self.convert(&what, |kind| {
            let number = if let ValueKind::I64(number) = kind {
                u64::try_from(*number).ok()?
            } else {
                text_of(kind)?.parse().ok()?
            };
            range.contains(&number).then_some(number)
        })
    }

    /// A number that a condition holds for; `what` completes "must be".
    pub(super) fn number(self, what: &str, fits: impl FnOnce(f64) -> bool) -> Option<f64> {
        self.convert(what, |kind| {
            let number = if let ValueKind::Float(number) = kind {
                *number
            } else if let ValueKind::I64(number) = kind {
                f64::from(i32::try_from(*number).ok()?)
            } else {
                text_of(kind)?.parse().ok()?
            };
            (number.is_finite() && fits(number)).then_some(number)
        })
    }

    /// `true` or `false`.
    pub(super) fn flag(self) -> Option<bool> {
        self.convert("true or false", flag_of)
    }

    /// `true`, `false`, or `"auto"`, which gives the automatic value.
    pub(super) fn flag_or_auto(self, automatic: Option<bool>) -> Option<bool> {
        self.convert("true, false or \"auto\"", |kind| match text_of(kind) {
            // Without the automatic value another setting is at fault already.
            Some("auto") => Some(automatic.unwrap_or_default()),
            _ => flag_of(kind),
        })
    }

    /// A duration of at least this.
    pub(super) fn duration(self, least: Duration) -> Option<Duration> {
        self.parsed(|text| {
            let read = duration::parse(text).map_err(|bad| bad.to_string())?;
            if read >= least { Ok(read) } else { Err(format!("must be at least {}", duration::show(least))) }
        })
    }

    /// A duration from the least to the most.
    pub(super) fn duration_within(self, range: RangeInclusive<Duration>) -> Option<Duration> {
        self.parsed(|text| {
            let read = duration::parse(text).map_err(|bad| bad.to_string())?;
            if range.contains(&read) {
                return Ok(read);
            }
            let (least, most) = (duration::show(*range.start()), duration::show(*range.end()));
            Err(format!("must be from {least} to {most}"))
        })
    }

    /// A list of texts; one text alone is a list of one, and commas part it.
    pub(super) fn list(self) -> Option<Vec<String>> {
        self.convert("a list of texts", |kind| {
            if let ValueKind::Array(values) = kind {
                return values.iter().map(|value| text_of(&value.kind).map(str::to_owned)).collect();
            }
            Some(text_of(kind)?.split(',').map(|part| part.trim().to_owned()).collect())
        })
    }

    /// A table.
    pub(super) fn table(mut self) -> Option<Section<'f>> {
        let value = self.value.take()?;
        let origin = value.origin().map(str::to_owned);
        if let ValueKind::Table(table) = value.kind {
            return Some(Section::new(self.path, table.into_iter().collect(), self.found));
        }
        self.refuse(origin.as_deref(), "must be a table")
    }
}

fn text_of(kind: &ValueKind) -> Option<&str> {
    if let ValueKind::String(text) = kind { Some(text) } else { None }
}

fn flag_of(kind: &ValueKind) -> Option<bool> {
    if let ValueKind::Boolean(flag) = kind { Some(*flag) } else { text_of(kind)?.parse().ok() }
}

/// The known name that this one was meant to be, if it is at most two edits away
/// and shares at least half of its letters.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let best = known.iter().map(|one| (edits(name, one), *one)).min()?;
    (best.0 <= 2 && best.0 * 2 < best.1.len()).then_some(best.1)
}

/// Letters to insert, drop or change to make one name of the other (Levenshtein).
fn edits(a: &str, b: &str) -> usize {
    let mut row = (0..=b.len()).collect::<Vec<_>>();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let above = *cell;
            *cell = (corner + usize::from(x != y)).min(above + 1).min(left + 1);
            corner = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_name_finds_the_meant_one() {
        let known = ["listen", "max_connections", "qps"];
        assert_eq!(nearest("lisen", &known), Some("listen"));
        assert_eq!(nearest("max_conections", &known), Some("max_connections"));
        assert_eq!(nearest("tls", &known), None);
        assert_eq!((edits("", "abc"), edits("kitten", "sitting"), edits("a", "a")), (3, 3, 0));
    }
}
