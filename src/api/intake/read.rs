//! A line becomes a target, or a reason why not.
//!
//! An object a line is read as strictly as a target in a JSON body, by the same
//! code; the plain ones among them, which are nearly all, by a short cut that
//! makes nothing but the target and leaves everything odd to that code. Knows no
//! bodies and no chunks.

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::split::Line;
use crate::api::json;
use crate::api::request::faults::Faults;
use crate::api::request::target::target;
use crate::types::deletion::Wanted;
use crate::types::outcome::{ItemError, Reason};
use crate::types::target::{AccountId, MAX_REF_LEN, MediaId, Name, ReferenceId, Target, What};

/// Most bytes of what is said about a bad line; it is kept with the item.
const MAX_MESSAGE_BYTES: usize = 300;
/// Most faults of one line that are told.
const MAX_FAULTS: usize = 3;

/// What lines hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// An id, of which this is to go.
    Ids(What),
    /// A JSON object.
    Objects,
}

/// Which accounts the caller may know of.
pub(super) type Sees<'a> = &'a (dyn Fn(&AccountId) -> bool + Sync);

/// Reads lines.
pub(super) struct LineReader<'a> {
    content: Content,
    account: Option<AccountId>,
    /// The account that a line named last: most likely the next one's too.
    named: Option<AccountId>,
    sees: Sees<'a>,
}

/// A target with nothing odd about it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'l> {
    kind: &'l str,
    #[serde(borrow, default, deserialize_with = "given")]
    account: Option<&'l str>,
    #[serde(borrow, default, deserialize_with = "given")]
    id: Option<&'l str>,
    #[serde(borrow, default, deserialize_with = "given")]
    reference_id: Option<&'l str>,
    #[serde(borrow, default, rename = "ref", deserialize_with = "given")]
    label: Option<&'l str>,
    #[serde(default, deserialize_with = "given")]
    force: Option<bool>,
}

/// A field that stands there has a value: `null` is odd.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(field: D) -> Result<Option<T>, D::Error> {
    T::deserialize(field).map(Some)
}

impl<'a> LineReader<'a> {
    /// Of lines with this content, on this account where they name none.
    pub(super) fn new(content: Content, account: Option<AccountId>, sees: Sees<'a>) -> Self {
        Self { content, account, named: None, sees }
    }

    /// What a line asks for; `None` if it asks for nothing.
    pub(super) fn read(&mut self, number: u64, line: Line<'_>) -> Option<Result<Wanted, ItemError>> {
        let read = match line {
            Line::TooLong => Err("the line is too long".to_owned()),
            Line::Whole(bytes) => match std::str::from_utf8(bytes) {
                Err(_) => Err("the line is not UTF-8".to_owned()),
                Ok(text) => self.text(text.trim_ascii())?,
            },
        };
        Some(read.map_err(|message| {
            let message = shortened(message);
            ItemError { line: Some(number), ..ItemError::new(Reason::Invalid, message) }
        }))
    }

    fn text(&mut self, text: &str) -> Option<Result<Wanted, String>> {
        match &self.content {
            _ if text.is_empty() => None,
            Content::Ids(_) if text.starts_with('#') => None,
            Content::Ids(what) => Some(id(text, what, self.account.as_ref())),
            Content::Objects => Some(match self.plain(text) {
                Some(wanted) => Ok(wanted),
                None => self.object(text),
            }),
        }
    }

    /// The short cut. `None` says nothing about the line but that it must be read with care.
    fn plain(&mut self, text: &str) -> Option<Wanted> {
        // A list would be taken for the fields in their order.
        if !text.starts_with('{') {
            return None;
        }
        let Plain { kind, account, id, reference_id, label, force } = serde_json::from_str(text).ok()?;
        let what = match (kind, force) {
            ("media", None) => What::Media,
            ("source", force) => What::Source { force: force.unwrap_or_default() },
            ("image", None) => What::Image,
            ("attached_media", None) => What::AttachedMedia,
            _ => return None,
        };
        let name = match (id, reference_id) {
            (Some(id), None) => Name::Id(MediaId::parse(id).ok()?),
            (None, Some(id)) if matches!(what, What::Media | What::Source { .. }) => {
                Name::Reference(ReferenceId::parse(id).ok()?)
            }
            _ => return None,
        };
        let fits = |label: &str| label.len() <= MAX_REF_LEN && !label.chars().any(char::is_control);
        if !label.is_none_or(fits) {
            return None;
        }
        let account = match account {
            Some(name) => self.named(name)?,
            None => self.account.clone()?,
        };
        Some(Wanted { target: Target { account, name, what }, label: label.map(str::to_owned) })
    }

    fn named(&mut self, name: &str) -> Option<AccountId> {
        if let Some(same) = self.named.as_ref().filter(|known| known.as_str() == name) {
            return Some(same.clone());
        }
        let account = AccountId::parse(name).ok().filter(self.sees)?;
        self.named = Some(account.clone());
        Some(account)
    }

    /// With care, and with all that is wrong.
    fn object(&self, text: &str) -> Result<Wanted, String> {
        let fields = match json::parse(text.as_bytes()) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Err("the line is not a JSON object".to_owned()),
            Err(error) => {
                // Its own line is always 1 and would be taken for the body's.
                let (column, said) = (error.column(), error.to_string());
                let said = said.split(" at line ").next().unwrap_or_default();
                return Err(format!("not usable JSON, column {column}: {said}"));
            }
        };
        let mut faults = Faults::default();
        let sees = |account: &AccountId| (self.sees)(account);
        let wanted = target(fields, "#", self.account.as_ref(), &mut faults, &sees);
        wanted.ok_or_else(|| faults.told(MAX_FAULTS))
    }
}

fn id(text: &str, what: &What, account: Option<&AccountId>) -> Result<Wanted, String> {
    let account = account.ok_or("the account is missing")?.clone();
    let id = MediaId::parse(text).map_err(|bad| format!("the id {}", bad.0))?;
    Ok(Wanted { target: Target { account, name: Name::Id(id), what: what.clone() }, label: None })
}

fn shortened(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let most = message.floor_char_boundary(MAX_MESSAGE_BYTES);
        message.truncate(most);
        message.push('…');
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sees(account: &AccountId) -> bool {
        account.as_str().starts_with("media-")
    }

    fn objects(account: Option<&str>) -> LineReader<'static> {
        LineReader::new(Content::Objects, account.map(|text| AccountId::parse(text).unwrap()), &sees)
    }

    fn said(line: &str) -> String {
        match objects(Some("media-cn")).read(7, Line::Whole(line.as_bytes())) {
            None => "nothing".to_owned(),
            Some(Ok(wanted)) => format!("{} {}", wanted.target.account, wanted.target.name.as_str()),
            Some(Err(error)) => {
                assert_eq!((error.code, error.line), (Reason::Invalid, Some(7)));
                error.message
            }
        }
    }

    #[test]
    fn a_bad_line_says_what_is_wrong_with_it() {
        assert_eq!(said(r#"{"kind":"media","id":"a"}"#), "media-cn a");
        assert_eq!(said(r#" {"kind": "media", "id": "a", "account": "media-2", "ref": "é"} "#), "media-2 a");
        assert_eq!(said(r#"{"kind":"media","id":"\u0061"}"#), "media-cn a");
        assert_eq!(said(r#"{"kind":"renditions","id":"a","all":true}"#), "media-cn a");
        assert_eq!(said("  "), "nothing");
        let bad = [
            (r#"{"kind":"media","id":"a","id":"b"}"#, "`id` stands there twice"),
            (r#"{"kind":"media","id":"a","\u0069d":"b"}"#, "`id` stands there twice"),
            (r#"{"kind":"media","id":"a","dry_runn":true}"#, "#/dry_runn: is not a field"),
            (r#"{"kind":"media","id":"a","account":"other"}"#, "#/account: there is no such account"),
            (r#"{"kind":"media","id":"a","account":null}"#, "#/account: must be a string"),
            (r#"{"kind":"media","id":"a","force":true}"#, "#/force: is not a field"),
            (r#"{"kind":"media","id":"a,b"}"#, "#/id: must be"),
            (r#"["media","media-cn","a"]"#, "not a JSON object"),
            (r#"{"kind":"media","id":"a"} {}"#, "not usable JSON, column"),
            (r#"{"kind":"media","id":"#, "not usable JSON, column"),
            ("# comment", "not usable JSON"),
        ];
        for (line, part) in bad {
            assert!(said(line).contains(part), "{line}: {}", said(line));
        }
        let long = format!(r#"{{"kind":"media","id":"a","{}":1}}"#, "ä".repeat(900));
        assert!(said(&long).len() < 310, "{}", said(&long));
        let error = |line: Line<'_>| objects(None).read(1, line).unwrap().unwrap_err().message;
        assert_eq!(error(Line::TooLong), "the line is too long");
        assert_eq!(error(Line::Whole(b"\xff")), "the line is not UTF-8");
        assert!(error(Line::Whole(br#"{"kind":"media","id":"a"}"#)).contains("#/account: is missing"));
    }

    #[test]
    fn an_id_stands_alone_on_its_line() {
        let account = Some(AccountId::parse("media-cn").unwrap());
        let mut reader = LineReader::new(Content::Ids(What::Source { force: false }), account, &sees);
        let mut read = |line: &str| reader.read(1, Line::Whole(line.as_bytes()));
        assert!(read("# a list").is_none() && read("").is_none() && read(" \t").is_none());
        let wanted = read("  8bc8e94fe4e5 \t").unwrap().unwrap();
        assert_eq!((wanted.target.name.as_str(), wanted.label), ("8bc8e94fe4e5", None));
        assert_eq!(wanted.target.what, What::Source { force: false });
        for bad in ["a b", "a,b", "{\"kind\":\"media\"}", "ä", "a#b", &"x".repeat(65)] {
            assert!(read(bad).unwrap().is_err(), "{bad}");
        }
    }

    fn field() -> impl Strategy<Value = String> {
        let names = prop_oneof![
            Just("kind"),
            Just("id"),
            Just("account"),
            Just("ref"),
            Just("reference_id"),
            Just("force"),
            Just("url"),
            Just("all"),
            Just("\\u0069d"),
            Just("other"),
        ];
        let values = prop_oneof![
            Just("\"media\""),
            Just("\"source\""),
            Just("\"image\""),
            Just("\"attached_media\""),
            Just("\"snapshots\""),
            Just("\"abc-123\""),
            Just("\"media-cn\""),
            Just("\"other\""),
            Just("\"\""),
            Just("null"),
            Just("true"),
            Just("false"),
            Just("1"),
            Just("[]"),
            Just("{}"),
            Just("\"a b\""),
            Just("\"\\n\""),
            Just("\"\\u0061bcdef\""),
        ];
        (names, values).prop_map(|(name, value)| format!("\"{name}\": {value}"))
    }

    proptest! {
        #[test]
        fn the_short_cut_leads_where_care_leads(
            kind in prop_oneof![Just("media"), Just("source"), Just("image"), Just("attached_media"), Just("renditions")],
            more in proptest::collection::vec(field(), 0..4),
            account in prop_oneof![Just(None), Just(Some("media-cn"))],
        ) {
            let line = format!("{{\"kind\": \"{kind}\", {}}}", more.join(", "));
            let mut reader = objects(account);
            if let Some(wanted) = reader.plain(&line) {
                prop_assert_eq!(reader.object(&line), Ok(wanted), "{}", line);
            }
        }
    }
}
