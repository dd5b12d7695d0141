//! What each action takes, and the check of a call's parameters against it.
//!
//! Its own file because the vendor checks parameters before it looks at anything: unknown names are
//! `UnknownParameter`, integers must be JSON numbers and strings JSON strings ("Request Structure" page), and
//! values of GET and form calls are text that must read as the type.
//!
//! Does not know what the actions do, nor the rules of single values (lengths, known words).

use serde_json::{Map, Value};

use super::envelope::Refusal;
use super::options::Nulls;

/// The JSON type of a parameter.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Text,
    Integer,
    Unsigned,
    Texts,
    Objects(&'static [Field]),
}

/// One parameter of an action.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) required: bool,
}

const fn needed(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

const fn optional(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// `DeleteParts[]`. `Type` is checked by the operation: the schema calls it optional, an item without it is
/// still invalid.
const DELETE_PART: &[Field] = &[optional("Type", Kind::Text), optional("Definition", Kind::Integer)];

pub(super) const DELETE_MEDIA: &[Field] = &[
    needed("FileId", Kind::Text),
    optional("SubAppId", Kind::Unsigned),
    optional("DeleteParts", Kind::Objects(DELETE_PART)),
];

pub(super) const DESCRIBE_MEDIA_INFOS: &[Field] =
    &[needed("FileIds", Kind::Texts), optional("SubAppId", Kind::Unsigned), optional("Filters", Kind::Texts)];

pub(super) const FORBID_MEDIA_DISTRIBUTION: &[Field] =
    &[needed("FileIds", Kind::Texts), needed("Operation", Kind::Text), optional("SubAppId", Kind::Unsigned)];

pub(super) const DESCRIBE_SUB_APP_IDS: &[Field] =
    &[optional("Offset", Kind::Unsigned), optional("Limit", Kind::Unsigned)];

pub(super) const REFRESH_URL_CACHE: &[Field] =
    &[needed("Urls", Kind::Texts), optional("SubAppId", Kind::Unsigned)];

/// Checked parameters: every value has the type that the action takes.
#[derive(Debug)]
pub(super) struct Arguments(Map<String, Value>);

impl Arguments {
    /// Checks a call's parameters. `typed` is false for GET and form calls.
    pub(super) fn check(
        fields: &[Field],
        given: Map<String, Value>,
        typed: bool,
        nulls: Nulls,
    ) -> Result<Self, Refusal> {
        Check { typed, nulls }.object(fields, given, "").map(Self)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(super) fn unsigned(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(Value::as_u64)
    }

    pub(super) fn texts(&self, name: &str) -> Option<Vec<&str>> {
        let items = self.0.get(name)?.as_array()?;
        Some(items.iter().filter_map(Value::as_str).collect())
    }

    pub(super) fn objects(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

#[derive(Clone, Copy)]
struct Check {
    typed: bool,
    nulls: Nulls,
}

impl Check {
    fn object(
        self,
        fields: &[Field],
        mut given: Map<String, Value>,
        place: &str,
    ) -> Result<Map<String, Value>, Refusal> {
        if self.nulls == Nulls::Absent {
            given.retain(|_, value| !value.is_null());
        }
        let mut checked = Map::new();
        for (name, value) in given {
            let path = format!("{place}{name}");
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                let message = format!("The parameter `{path}` is not recognized.");
                return Err(Refusal::new("UnknownParameter", message));
            };
            checked.insert(name, self.value(field.kind, value, &path)?);
        }
        let missing = fields.iter().find(|field| field.required && !checked.contains_key(field.name));
        match missing {
            // An empty list disappears when it is flattened, so in that form it cannot be told from none.
            Some(field) if !self.typed && matches!(field.kind, Kind::Texts) => {
                checked.insert(field.name.to_owned(), Value::Array(Vec::new()));
                Ok(checked)
            }
            Some(field) => Err(Refusal::missing(&format!("{place}{}", field.name))),
            None => Ok(checked),
        }
    }

    fn value(self, kind: Kind, value: Value, path: &str) -> Result<Value, Refusal> {
        let wrong = |what: &str| {
            let message = format!("The value type of parameter `{path}` is not {what}.");
            Err(Refusal::invalid(message))
        };
        match kind {
            Kind::Text => {
                if value.is_string() {
                    Ok(value)
                } else {
                    wrong("String")
                }
            }
            Kind::Integer => match self.number(&value, str::parse::<i64>) {
                Some(number) if number.is_i64() => Ok(number),
                _ => wrong("Integer"),
            },
            Kind::Unsigned => match self.number(&value, str::parse::<u64>) {
                Some(number) if number.is_u64() => Ok(number),
                _ => wrong("Integer"),
            },
            Kind::Texts => {
                let items = value.as_array();
                if items.is_some_and(|items| items.iter().all(Value::is_string)) {
                    Ok(value)
                } else {
                    wrong("Array of String")
                }
            }
            Kind::Objects(fields) => {
                let Value::Array(items) = value else {
                    return wrong("Array of Object");
                };
                let mut checked = Vec::new();
                for (at, item) in items.into_iter().enumerate() {
                    let Value::Object(item) = item else {
                        return wrong("Array of Object");
                    };
                    checked.push(Value::Object(self.object(fields, item, &format!("{path}.{at}."))?));
                }
                Ok(Value::Array(checked))
            }
        }
    }

    /// A JSON number stays one; text is read as a number only where all values are text.
    fn number<T: Into<Value>, E>(self, value: &Value, parse: impl Fn(&str) -> Result<T, E>) -> Option<Value> {
        if self.typed {
            return value.is_number().then(|| value.clone());
        }
        parse(value.as_str()?).ok().map(Into::into)
    }
}
