//! What an answer means: from the vendor's code to a verdict per entry.
//!
//! Two pages decide: the vendor's for what a code says (the table in `codes.rs`),
//! and FAULTS.md for deletes whose effect an answer leaves open, which are doubtful
//! and never "unavailable". Whether to try again is judged here and nowhere else.
//! Pure: whether a new key or a corrected clock was at hand is told by the caller.
//! Knows neither bodies nor the network.

use serde_json::Value;

use super::codes::Meaning::{
    self, Account, Busy, Clock, Denied, FileGone, Invalid, InvalidPart, Key, Misuse, OtherGone, Protected,
    QuotaUsedUp, Throttled, Trouble, Unspecified,
};
use super::codes::meaning;
use super::facts;
use crate::providers::{Again, Call, CallReport, Effect, Entry, Verdict};
use crate::types::asset::{Facts, Standing};
use crate::types::outcome::LaneReason;
use crate::types::outcome::{AttemptClass, ItemError, Outcome, Reason};
use crate::types::target::{MediaId, Name};

/// Longest vendor code or request id that is kept.
const MAX_WORD: usize = 100;

/// What may mend the fault that a code names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// A newer key.
    NewKey,
    /// The vendor's time.
    Clock,
}

/// What may mend the fault that this code names, if anything on our side may.
pub(super) fn remedy(code: &str) -> Option<Remedy> {
    match meaning(code).0 {
        Key(_) => Some(Remedy::NewKey),
        Clock => Some(Remedy::Clock),
        FileGone | OtherGone | Account(_) | Denied | Protected | Invalid | InvalidPart | Misuse | Busy
        | Throttled(_) | QuotaUsedUp | Trouble | Unspecified => None,
    }
}

/// A report of these verdicts that tells nothing else.
fn report(class: AttemptClass, verdicts: Vec<Verdict>) -> CallReport {
    CallReport {
        class,
        status: None,
        code: None,
        request_id: None,
        unlisted: false,
        throttled: None,
        verdicts,
    }
}

/// The call broke a rule of ours and was not made.
pub(super) fn not_made(call: &Call, why: &str) -> CallReport {
    let verdict = |_: &Entry| Verdict::NotOk {
        outcome: Outcome::Refused,
        error: ItemError::new(Reason::Invalid, why),
        of_whole_call: false,
        maybe_account: false,
    };
    report(AttemptClass::NotSent, call.entries.iter().map(verdict).collect())
}

/// The key cannot be put into a request; a renewed one may.
pub(super) fn unsignable(call: &Call, renewed: bool) -> CallReport {
    report(AttemptClass::NotSent, vec![lane(LaneReason::BadCredentials, renewed); call.entries.len()])
}

/// No byte left.
pub(super) fn not_sent(call: &Call) -> CallReport {
    report(AttemptClass::NotSent, vec![Verdict::Again(Again::NotSent); call.entries.len()])
}

/// A byte may have left and no answer of the vendor's own came.
pub(super) fn unanswered(call: &Call) -> CallReport {
    report(AttemptClass::Ambiguous, vec![in_doubt(call, true); call.entries.len()])
}

/// The delete was accepted.
pub(super) fn deleted(call: &Call) -> CallReport {
    report(AttemptClass::Answered, vec![Verdict::Deleted; call.entries.len()])
}

/// The vendor answered with an error. `mended`: since the call was signed there
/// is another key, or the clock was corrected, whichever the code asks for.
pub(super) fn of_error(code: &str, call: &Call, mended: bool) -> CallReport {
    let (meaning, listed) = meaning(code);
    if meaning == Misuse {
        tracing::error!(
            operation = call.operation.name,
            code = clean(code),
            "the vendor calls our request malformed"
        );
    }
    let of_entry = |entry: &Entry| verdict(meaning, code, call, entry, mended);
    let throttled = match meaning {
        Throttled(wait) => Some(wait),
        FileGone | OtherGone | Key(_) | Clock | Account(_) | Denied | Protected | Invalid | InvalidPart
        | Misuse | Busy | QuotaUsedUp | Trouble | Unspecified => None,
    };
    CallReport {
        code: clean(code),
        unlisted: !listed,
        throttled,
        ..report(class(meaning, call), call.entries.iter().map(of_entry).collect())
    }
}

fn class(meaning: Meaning, call: &Call) -> AttemptClass {
    match meaning {
        Key(_) | Clock | Account(_) | Denied | Throttled(_) | QuotaUsedUp => AttemptClass::Refused,
        Trouble if call.operation.effect != Effect::Read => AttemptClass::Ambiguous,
        Trouble | FileGone | OtherGone | Protected | Invalid | InvalidPart | Misuse | Busy | Unspecified => {
            AttemptClass::Answered
        }
    }
}

fn verdict(meaning: Meaning, code: &str, call: &Call, entry: &Entry, mended: bool) -> Verdict {
    let read = call.operation.effect == Effect::Read;
    // A delete carries one entry with all its parts, any other call many entries.
    let delete = call.operation.effect == Effect::Delete;
    let several = if delete { entry.parts.len() > 1 } else { call.entries.len() > 1 };
    let not_ok = |outcome, reason, message: &str, of_parts: bool| Verdict::NotOk {
        outcome,
        error: ItemError { vendor_code: clean(code), ..ItemError::new(reason, message) },
        of_whole_call: several && (!delete || of_parts),
        maybe_account: meaning == Denied,
    };
    let refused = |reason, message, of_parts| not_ok(Outcome::Refused, reason, message, of_parts);
    match meaning {
        // Without the file none of its parts stands, however many were named.
        FileGone if delete => Verdict::Absent,
        // The others list missing files; this code may as well mean the application.
        FileGone if code == "ResourceNotFound" && read => Verdict::Again(Again::Unavailable),
        FileGone if code == "ResourceNotFound" => Verdict::Again(Again::Unlisted),
        FileGone if !several && read => missing(entry),
        FileGone if !several => Verdict::Absent,
        OtherGone if delete && !several => Verdict::Absent,
        // The others are not documented to say so; it proves nothing of the file.
        OtherGone if !delete => Verdict::Again(Again::Unlisted),
        FileGone | OtherGone => Verdict::Unclear,
        Key(reason) => lane(reason, mended),
        Clock => lane(LaneReason::ClockSkew, mended),
        Account(reason) => Verdict::Fault(reason),
        Denied => refused(
            Reason::Forbidden,
            "the key has no right to this action, or the asset belongs to another application",
            false,
        ),
        Protected => refused(Reason::Protected, "the vendor guards this asset against the action", false),
        Invalid | Misuse => refused(Reason::Invalid, "the vendor calls the request invalid", false),
        InvalidPart => refused(Reason::Invalid, "the vendor calls the target or a part of it invalid", true),
        Busy => not_ok(
            Outcome::Busy,
            Reason::Busy,
            "the vendor cannot do this in the asset's present state",
            false,
        ),
        Throttled(_) => Verdict::Again(Again::Throttled),
        QuotaUsedUp => Verdict::Again(Again::QuotaUsedUp),
        Trouble => in_doubt(call, false),
        Unspecified => Verdict::Again(Again::Unlisted),
    }
}

fn lane(reason: LaneReason, mended: bool) -> Verdict {
    if mended { Verdict::Again(Again::Resign) } else { Verdict::Fault(reason) }
}

/// A read that told nothing can be made again; of anything else the effect is open.
fn in_doubt(call: &Call, unanswered: bool) -> Verdict {
    match call.operation.effect {
        Effect::Read => Verdict::Again(Again::Unavailable),
        Effect::Delete | Effect::Block | Effect::Lift => Verdict::Doubtful { unanswered },
    }
}

/// What became of the playback of each entry: the missing are listed, the others are done
/// (vendor page 3.3). A list that cannot be of this call takes the rest of the answer with it.
pub(super) fn of_distribution(response: &Value, call: &Call) -> CallReport {
    let asked = |id: &str| call.entries.iter().any(|entry| asked_id(entry).is_some_and(|i| i.as_str() == id));
    let Some(missing) = facts::missing(response).filter(|ids| ids.iter().all(|id| asked(id))) else {
        tracing::error!(
            operation = call.operation.name,
            "the vendor's list contradicts the call, so none of it is believed"
        );
        return report(AttemptClass::Ambiguous, vec![in_doubt(call, false); call.entries.len()]);
    };
    let of_entry = |entry: &Entry| match asked_id(entry) {
        Some(id) if missing.contains(id.as_str()) => Verdict::Absent,
        Some(_) => Verdict::Done,
        None => in_doubt(call, false),
    };
    report(AttemptClass::Answered, call.entries.iter().map(of_entry).collect())
}

/// What a read told of each entry. The order of the answer is not promised, so
/// entries are found by their id (vendor page 4.1).
pub(super) fn of_read(response: &Value, call: &Call) -> CallReport {
    let told = facts::read(response);
    let asked = |id: &str| call.entries.iter().any(|entry| asked_id(entry).is_some_and(|i| i.as_str() == id));
    for stranger in told.standing.keys().chain(&told.missing).filter(|id| !asked(id)) {
        tracing::warn!(file = clean(stranger), "the vendor told of a file that it was not asked for");
    }
    let of_entry = |entry: &Entry| {
        let Some(id) = asked_id(entry).map(MediaId::as_str) else {
            return Verdict::Again(Again::Unavailable);
        };
        match (told.standing.get(id), told.missing.contains(id)) {
            (Some(facts), false) => Verdict::Facts(Box::new(facts.clone())),
            (None, true) => missing(entry),
            (Some(_), true) => {
                tracing::warn!(file = id, "the vendor says that a file stands and that it is missing");
                Verdict::Facts(Box::new(Facts::only(Standing::Untold)))
            }
            (None, false) => Verdict::Again(Again::Unavailable),
        }
    };
    report(AttemptClass::Answered, call.entries.iter().map(of_entry).collect())
}

fn missing(entry: &Entry) -> Verdict {
    let id = asked_id(entry).cloned();
    Verdict::Facts(Box::new(Facts { id, ..Facts::only(Standing::Missing) }))
}

/// The id that stands in the request. Only the vendor's own ids reach this vendor.
pub(super) fn asked_id(entry: &Entry) -> Option<&MediaId> {
    match &entry.target.name {
        Name::Id(id) => Some(id),
        Name::Reference(_) | Name::Url(_) => None,
    }
}

/// A word of the vendor's, fit for logs and answers: at most 100 visible ASCII characters.
pub(super) fn clean(word: &str) -> Option<String> {
    let kept = word.chars().filter(char::is_ascii_graphic).take(MAX_WORD).collect::<String>();
    Some(kept).filter(|kept| !kept.is_empty())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::providers::Operation;
    use crate::providers::tencent::{DELETE_MEDIA, DESCRIBE_MEDIA_INFOS, FORBID, RECOVER};
    use crate::types::asset::Source;
    use crate::types::deletion::PartName;
    use crate::types::target::{AccountId, Family, Renditions, Target, What};

    fn entry(id: &str, parts: usize) -> Entry {
        let part = |n: usize| PartName::Rendition {
            family: Family::Transcode,
            definition: Some((n + 1).to_string()),
        };
        let account = AccountId::parse("media").unwrap();
        let name = Name::Id(MediaId::parse(id).unwrap());
        let target = Target { account, name, what: What::Renditions(Renditions::All) };
        Entry { target, asset: None, parts: (0..parts).map(part).collect() }
    }

    fn delete(parts: usize) -> Call {
        Call { operation: &DELETE_MEDIA, entries: vec![entry("74", parts)] }
    }

    fn describe(ids: &[&str]) -> Call {
        let entries = ids.iter().map(|id| entry(id, 0)).collect();
        Call { operation: &DESCRIBE_MEDIA_INFOS, entries }
    }

    fn distribute(operation: &'static Operation, ids: &[&str]) -> Call {
        Call { operation, ..describe(ids) }
    }

    fn of_delete(code: &str, parts: usize) -> (AttemptClass, Verdict) {
        let report = of_error(code, &delete(parts), false);
        assert_eq!(report.code.as_deref(), Some(code));
        (report.class, report.verdicts.into_iter().next().unwrap())
    }

    fn of_one_read(code: &str) -> (AttemptClass, Verdict) {
        let report = of_error(code, &describe(&["74"]), false);
        (report.class, report.verdicts.into_iter().next().unwrap())
    }

    /// The outcome, its reason, and whether it may be of the whole call or the whole account.
    fn told(verdict: &Verdict) -> (Outcome, Reason, bool, bool) {
        let Verdict::NotOk { outcome, error, of_whole_call, maybe_account } = verdict else {
            panic!("{verdict:?}");
        };
        (*outcome, error.code, *of_whole_call, *maybe_account)
    }

    #[test]
    fn not_found_is_absent_unless_it_may_be_of_one_part_among_several() {
        for code in ["ResourceNotFound", "ResourceNotFound.FileNotExist", "InvalidParameterValue.FileId"] {
            for parts in [1, 3] {
                assert_eq!(of_delete(code, parts), (AttemptClass::Answered, Verdict::Absent), "{code}");
            }
        }
        for code in ["ResourceNotFound.TemplateNotExist", "ResourceNotFound.New"] {
            assert_eq!(of_delete(code, 1).1, Verdict::Absent, "{code}");
            assert_eq!(of_delete(code, 3).1, Verdict::Unclear, "{code}");
        }
    }

    #[test]
    fn a_read_takes_not_found_for_missing_only_of_the_one_file_it_asked_for() {
        let Verdict::Facts(facts) = of_one_read("ResourceNotFound.FileNotExist").1 else { panic!() };
        assert_eq!((facts.standing, facts.id), (Standing::Missing, MediaId::parse("74").ok()));
        let bare = of_one_read("ResourceNotFound").1;
        assert_eq!(bare, Verdict::Again(Again::Unavailable), "it may mean the application");
        let several = of_error("ResourceNotFound.FileNotExist", &describe(&["1", "2"]), false);
        assert_eq!(several.verdicts, [Verdict::Unclear, Verdict::Unclear]);
        assert_eq!(of_one_read("ResourceNotFound.TemplateNotExist").1, Verdict::Again(Again::Unlisted));
    }

    #[test]
    fn a_delete_whose_effect_is_open_is_doubtful_and_a_read_is_made_again() {
        for code in [
            "InternalError",
            "InternalError.DBError",
            "InternalError.New",
            "FailedOperation",
            "FailedOperation.DBError",
            "FailedOperation.NetWorkError",
            "ServiceUnavailable",
            "ResourceInsufficient",
        ] {
            let doubtful = Verdict::Doubtful { unanswered: false };
            assert_eq!(of_delete(code, 2), (AttemptClass::Ambiguous, doubtful), "{code}");
            let again = Verdict::Again(Again::Unavailable);
            assert_eq!(of_one_read(code), (AttemptClass::Answered, again), "{code}");
        }
        let lost = unanswered(&delete(1));
        assert_eq!(lost.class, AttemptClass::Ambiguous);
        assert_eq!(lost.verdicts, [Verdict::Doubtful { unanswered: true }]);
        let lost = unanswered(&describe(&["1", "2"]));
        assert_eq!(lost.verdicts, vec![Verdict::Again(Again::Unavailable); 2]);
        let unsent = not_sent(&delete(1));
        assert_eq!(unsent.class, AttemptClass::NotSent);
        assert_eq!(unsent.verdicts, [Verdict::Again(Again::NotSent)]);
    }

    #[test]
    fn the_fault_of_an_account_burns_no_item() {
        for (code, reason) in [
            ("AuthFailure", LaneReason::BadCredentials),
            ("AuthFailure.InvalidAuthorization", LaneReason::BadCredentials),
            ("AuthFailure.MFAFailure", LaneReason::BadCredentials),
            ("AuthFailure.New", LaneReason::BadCredentials),
            ("IpInBlacklist", LaneReason::BadCredentials),
            ("AuthFailure.SignatureFailure", LaneReason::BadCredentials),
            ("AuthFailure.SecretIdNotFound", LaneReason::BadCredentials),
            ("AuthFailure.InvalidSecretId", LaneReason::BadCredentials),
            ("AuthFailure.TokenFailure", LaneReason::ExpiredCredentials),
            ("AuthFailure.SignatureExpire", LaneReason::ClockSkew),
            ("FailedOperation.InvalidVodUser", LaneReason::NotActivated),
            ("InvalidParameterValue.AppId", LaneReason::NotActivated),
            ("ResourceNotFound.ServiceNotExist", LaneReason::NotActivated),
            ("ResourceNotFound.UserNotExist", LaneReason::NotActivated),
            ("FailedOperation.NoPrivileges", LaneReason::NotActivated),
            ("FailedOperation.InvalidAccount", LaneReason::Suspended),
            ("FailedOperation.UserStatusInavlid", LaneReason::Suspended),
            ("InvalidParameterValue.SubAppId", LaneReason::WrongSubApplication),
            ("UnauthorizedOperation.SubAppId", LaneReason::WrongSubApplication),
        ] {
            let fault = (AttemptClass::Refused, Verdict::Fault(reason));
            assert_eq!(of_delete(code, 1), fault, "{code}");
            assert_eq!(of_one_read(code), fault, "{code}");
        }
    }

    #[test]
    fn a_new_key_or_a_corrected_clock_is_tried_where_it_can_help() {
        for (code, expected) in [
            ("AuthFailure.TokenFailure", Some(Remedy::NewKey)),
            ("AuthFailure.SecretIdNotFound", Some(Remedy::NewKey)),
            ("AuthFailure.SignatureFailure", Some(Remedy::NewKey)),
            ("AuthFailure.InvalidSecretId", Some(Remedy::NewKey)),
            ("AuthFailure.SignatureExpire", Some(Remedy::Clock)),
            ("AuthFailure.UnauthorizedOperation", None),
            ("FailedOperation.InvalidVodUser", None),
            ("ResourceNotFound", None),
        ] {
            assert_eq!(remedy(code), expected, "{code}");
            let verdict = of_error(code, &delete(1), true).verdicts.remove(0);
            assert_eq!(verdict == Verdict::Again(Again::Resign), expected.is_some(), "{code}");
        }
    }

    #[test]
    fn a_missing_right_may_be_of_the_asset_or_of_the_account() {
        for code in [
            "UnauthorizedOperation",
            "UnauthorizedOperation.New",
            "AuthFailure.UnauthorizedOperation",
            "OperationDenied",
            "OperationDenied.New",
        ] {
            let (class, verdict) = of_delete(code, 3);
            assert_eq!(class, AttemptClass::Refused, "{code}");
            assert_eq!(told(&verdict), (Outcome::Refused, Reason::Forbidden, false, true), "{code}");
        }
    }

    #[test]
    fn an_invalid_part_is_told_apart_by_splitting_only_where_there_are_several() {
        let refused = |of_whole_call| (Outcome::Refused, Reason::Invalid, of_whole_call, false);
        for code in
            ["InvalidParameterValue.Definition", "InvalidParameterValue.Type", "InvalidParameterValue"]
        {
            assert_eq!(told(&of_delete(code, 1).1), refused(false), "{code}");
            assert_eq!(told(&of_delete(code, 3).1), refused(true), "{code}");
        }
        for code in ["InvalidParameterValue.Url", "MissingParameter", "UnsupportedRegion"] {
            assert_eq!(told(&of_delete(code, 3).1), refused(false), "{code}");
        }
        let of_many = of_error("InvalidParameterValue.FileIds", &describe(&["1", "2"]), false);
        assert!(of_many.verdicts.iter().all(|verdict| told(verdict) == refused(true)));
        assert_eq!(told(&of_one_read("InvalidParameterValue.FileIds").1), refused(false));
    }

    #[test]
    fn busy_and_protected_are_said_of_the_asset() {
        let busy = (Outcome::Busy, Reason::Busy, false, false);
        assert_eq!(told(&of_delete("ResourceInUse", 3).1), busy);
        assert_eq!(told(&of_delete("UnsupportedOperation.New", 1).1), busy);
        let protected = (Outcome::Refused, Reason::Protected, false, false);
        assert_eq!(told(&of_delete("FailedOperation.MediaForbidedBySystem", 1).1), protected);
    }

    #[test]
    fn throttling_counts_no_try_and_names_a_wait_where_others_share_the_limit() {
        let wait = Some(Duration::from_secs(2));
        for (code, throttled) in [
            ("RequestLimitExceeded", None),
            ("RequestLimitExceeded.New", None),
            ("UnauthorizedOperation.OperationTooOften", None),
            ("RequestLimitExceeded.UinLimitExceeded", wait),
            ("RequestLimitExceeded.GlobalRegionUinLimitExceeded", wait),
            ("RequestLimitExceeded.IPLimitExceeded", wait),
        ] {
            let report = of_error(code, &delete(1), false);
            assert_eq!((report.class, report.throttled), (AttemptClass::Refused, Some(throttled)), "{code}");
            assert_eq!(report.verdicts, [Verdict::Again(Again::Throttled)], "{code}");
        }
        for code in ["LimitExceeded", "LimitExceeded.Quota", "LimitExceeded.New"] {
            let report = of_error(code, &delete(1), false);
            assert_eq!(report.throttled, None, "{code}");
            assert_eq!(report.verdicts, [Verdict::Again(Again::QuotaUsedUp)], "{code}");
        }
    }

    #[test]
    fn an_unlisted_code_gets_few_tries_and_keeps_its_text() {
        for code in ["FailedOperation.New", "Brand.New", "New"] {
            let report = of_error(code, &delete(1), false);
            assert_eq!((report.class, report.unlisted), (AttemptClass::Answered, true), "{code}");
            assert_eq!(report.verdicts, [Verdict::Again(Again::Unlisted)], "{code}");
        }
        assert!(of_error("InvalidParameterValue.New", &delete(1), false).unlisted, "a family is no listing");
        assert!(!of_error("InternalError", &delete(1), false).unlisted);
    }

    #[test]
    fn the_vendors_words_are_kept_short_and_visible() {
        let code = format!("InvalidParameter.{}\n\u{202e}é{}", "x".repeat(90), "y".repeat(90));
        let report = of_error(&code, &delete(1), false);
        let Verdict::NotOk { error, .. } = &report.verdicts[0] else { panic!() };
        assert_eq!(error.vendor_code, report.code);
        let kept = report.code.unwrap();
        assert!(kept.len() == 100 && kept.bytes().all(|b| b.is_ascii_graphic()), "{kept}");
        assert_eq!(clean("é \n"), None);
    }

    #[test]
    fn a_read_is_matched_by_id_and_not_by_order() {
        let response = json!({
            "MediaInfoSet": [
                {"FileId": "3", "BasicInfo": {"MediaUrl": "u"}},
                {"FileId": "stranger"},
                {"FileId": "1", "BasicInfo": {"Name": "one"}},
                {"FileId": "5"},
            ],
            "NotExistFileIdSet": ["2", "5", "other-stranger"],
        });
        let report = of_read(&response, &describe(&["1", "2", "3", "4", "5", "1"]));
        assert_eq!(report.class, AttemptClass::Answered);
        let facts = |n: usize| {
            let Verdict::Facts(facts) = &report.verdicts[n] else { panic!("{n}: {:?}", report.verdicts[n]) };
            (**facts).clone()
        };
        assert_eq!(facts(0).title.as_deref(), Some("one"));
        assert_eq!(facts(1), Facts { id: MediaId::parse("2").ok(), ..Facts::only(Standing::Missing) });
        assert!(matches!(facts(2).source, Some(Source::Stands(_))));
        assert_eq!(report.verdicts[3], Verdict::Again(Again::Unavailable), "in neither list");
        assert_eq!(facts(4), Facts::only(Standing::Untold), "in both lists");
        assert_eq!(facts(5), facts(0), "asked for twice");
    }

    #[test]
    fn playback_is_blocked_of_all_that_are_not_listed_as_missing() {
        for operation in [&FORBID, &RECOVER] {
            let call = distribute(operation, &["1", "2", "3", "2"]);
            let report = of_distribution(&json!({"NotExistFileIdSet": ["2"]}), &call);
            assert_eq!(report.class, AttemptClass::Answered);
            assert_eq!(report.verdicts, [Verdict::Done, Verdict::Absent, Verdict::Done, Verdict::Absent]);
            for none in [json!({}), json!({"NotExistFileIdSet": null}), json!({"NotExistFileIdSet": []})] {
                assert_eq!(of_distribution(&none, &call).verdicts, vec![Verdict::Done; 4], "{none}");
            }
            for odd in [json!(["9"]), json!(["1", "9"]), json!("1"), json!([{}]), json!([""]), json!({})] {
                let report = of_distribution(&json!({"NotExistFileIdSet": odd}), &call);
                assert_eq!(report.class, AttemptClass::Ambiguous, "{odd}");
                assert_eq!(report.verdicts, vec![Verdict::Doubtful { unanswered: false }; 4], "{odd}");
            }
        }
    }

    #[test]
    fn a_code_said_of_a_block_is_of_all_its_files_and_never_a_missing_application() {
        let first = |code: &str, ids: &[&str]| {
            let report = of_error(code, &distribute(&FORBID, ids), false);
            (report.class, report.verdicts.into_iter().next().unwrap())
        };
        let several = ["1", "2"].as_slice();
        for (code, outcome, reason) in [
            ("FailedOperation.MediaForbidedBySystem", Outcome::Refused, Reason::Protected),
            ("InvalidParameterValue.StorageClass", Outcome::Busy, Reason::Busy),
            ("InvalidParameterValue.Operation", Outcome::Refused, Reason::Invalid),
        ] {
            assert_eq!(told(&first(code, &["1"]).1), (outcome, reason, false, false), "{code}");
            assert_eq!(told(&first(code, several).1), (outcome, reason, true, false), "{code}");
        }
        let denied = told(&first("UnauthorizedOperation", several).1);
        assert_eq!(denied, (Outcome::Refused, Reason::Forbidden, true, true));
        assert_eq!(first("ResourceNotFound.FileNotExist", &["1"]).1, Verdict::Absent);
        assert_eq!(first("ResourceNotFound.FileNotExist", several).1, Verdict::Unclear);
        for ids in [several, &["1"]] {
            for code in ["ResourceNotFound", "ResourceNotFound.TemplateNotExist"] {
                assert_eq!(first(code, ids).1, Verdict::Again(Again::Unlisted), "{code}");
            }
            let doubtful = (AttemptClass::Ambiguous, Verdict::Doubtful { unanswered: false });
            assert_eq!(first("InternalError", ids), doubtful);
        }
        let lost = unanswered(&distribute(&RECOVER, several));
        assert_eq!(lost.class, AttemptClass::Ambiguous);
        assert_eq!(lost.verdicts, vec![Verdict::Doubtful { unanswered: true }; 2]);
    }

    #[test]
    fn a_call_that_was_not_made_refuses_each_entry() {
        let report = not_made(&describe(&["1", "2"]), "why");
        assert_eq!((report.class, report.verdicts.len()), (AttemptClass::NotSent, 2));
        assert_eq!(told(&report.verdicts[0]), (Outcome::Refused, Reason::Invalid, false, false));
    }
}
