//! The query of an upload: what stands around the lines.
//!
//! Its own file because these are the fields of a JSON body in another place,
//! with the same rules: nothing unknown, and what is not served yet is refused
//! unless it stands at its default.

use super::query::{Query, if_absent, reason};
use super::wish;
use crate::api::body::Form;
use crate::api::problem::{FieldError, Problem};
use crate::guard::policy::Wish;
use crate::types::deletion::IfAbsent;
use crate::types::target::{AccountId, Kind, What};

/// What stands around the lines, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadQuery {
    /// The account of lines that name none.
    pub account: Option<AccountId>,
    /// With plain ids: what of each is to go.
    pub what: Option<What>,
    /// The caller's reason.
    pub reason: Option<String>,
    /// Whether "not found" is ok.
    pub if_absent: IfAbsent,
    /// What is to happen before anything is sent.
    pub wish: Wish,
}

/// Reads the query of an upload; `sees` tells which accounts the caller may know of.
pub fn upload(
    query: Option<&str>,
    form: Form,
    sees: &dyn Fn(&AccountId) -> bool,
) -> Result<UploadQuery, Problem> {
    let mut query = Query::parse(query)?;
    let account = query.one("account")?.map(|text| account(&text, sees)).transpose()?;
    let what = match form {
        Form::Text => Some(what(&mut query)?),
        Form::Json | Form::Ndjson => None,
    };
    let if_absent = query.read("if_absent", "ok or error", if_absent)?.unwrap_or_default();
    let reason = reason(&mut query)?;
    let wish = wish::from_query(&mut query)?;
    refuse_unserved(&mut query)?;
    query.end()?;
    if form == Form::Text && account.is_none() {
        return Err(Problem::malformed("the query parameter `account` is missing: whose ids are these?"));
    }
    Ok(UploadQuery { account, what, reason, if_absent, wish })
}

fn account(text: &str, sees: &dyn Fn(&AccountId) -> bool) -> Result<AccountId, Problem> {
    let fault =
        |detail: String| Problem::invalid(vec![FieldError { pointer: "#/account".to_owned(), detail }]);
    let account = AccountId::parse(text).map_err(|bad| fault(bad.0))?;
    // One that the caller may not see looks like one that is not there.
    if sees(&account) { Ok(account) } else { Err(fault("there is no such account".to_owned())) }
}

/// What a line of nothing but an id can ask for.
fn what(query: &mut Query) -> Result<What, Problem> {
    let words = Kind::ALL.map(Kind::as_str).join(", ");
    let kind = query.read("kind", &format!("one of {words}"), Kind::parse)?.unwrap_or(Kind::Media);
    match kind {
        Kind::Media => Ok(What::Media),
        Kind::Source => Ok(What::Source { force: false }),
        Kind::Image => Ok(What::Image),
        Kind::AttachedMedia => Ok(What::AttachedMedia),
        Kind::Renditions | Kind::Snapshots => Err(Problem::malformed(format!(
            "{} need more than an id: send application/x-ndjson, one target a line",
            kind.as_str()
        ))),
    }
}

fn refuse_unserved(query: &mut Query) -> Result<(), Problem> {
    let asked = query.one("purge_cdn")?.is_some_and(|value| value != "false");
    if asked { Err(Problem::not_served(&["purge_cdn"])) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_REASON_LEN;
    use super::*;

    fn read(query: &str, form: Form) -> Result<UploadQuery, u16> {
        let sees = |account: &AccountId| account.as_str() == "media-cn";
        upload(Some(query), form, &sees).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn what_stands_around_the_lines_is_checked() {
        let ids = read("account=media-cn&kind=source&reason=old+stock&if_absent=error", Form::Text).unwrap();
        assert_eq!(ids.what, Some(What::Source { force: false }));
        assert_eq!((ids.reason.as_deref(), ids.if_absent), (Some("old stock"), IfAbsent::Error));
        assert_eq!(read("account=media-cn", Form::Text).unwrap().what, Some(What::Media));
        assert_eq!(read("", Form::Ndjson).unwrap().account, None);
        for (query, form, status) in [
            ("", Form::Text, 400),
            ("account=media-cn&kind=renditions", Form::Text, 400),
            ("account=media-cn&kind=video", Form::Text, 400),
            ("account=media-cn&force=true", Form::Text, 400),
            ("kind=media", Form::Ndjson, 400),
            ("account=media-cn&account=media-cn", Form::Ndjson, 400),
            ("account=other", Form::Ndjson, 422),
            ("account=a,b", Form::Ndjson, 422),
            ("purge_cdn=true", Form::Ndjson, 422),
            ("check=true", Form::Ndjson, 400),
            ("delay=soon", Form::Ndjson, 400),
        ] {
            assert_eq!(read(query, form), Err(status), "{query}");
        }
        assert!(read("dry_run=false&delay=0s", Form::Ndjson).is_ok());
        let long = format!("reason={}", "x".repeat(MAX_REASON_LEN + 1));
        assert_eq!(read(&long, Form::Ndjson), Err(400));
    }
}
