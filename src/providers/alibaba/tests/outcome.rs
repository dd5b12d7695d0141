//! Codes one by one, lists of every shape, and what is believed of neither.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use proptest::prelude::*;
use serde_json::json;

use super::super::super::transport::{Incoming, SendError};
use super::super::super::{Again, Verdict};
use super::super::codes::{Meaning, Thing, meaning};
use super::super::outcome::{judge, unanswered};
use super::super::wire::ask;
use super::*;
use crate::types::asset::{Facts, Source, Standing};
use crate::types::outcome::LaneReason;
use crate::types::outcome::{AttemptClass, Outcome, Reason};

const DELETES: [Action; 5] = [
    Action::DeleteVideo,
    Action::DeleteStream,
    Action::DeleteMezzanines,
    Action::DeleteImage,
    Action::DeleteAttachedMedia,
];

fn two(action: Action) -> Call {
    let cover = PartName::Snapshots(SnapshotType::Cover);
    let entries = match action {
        Action::DeleteStream => vec![streams("v1", &["j1"]), streams("v1", &["j2"])],
        Action::DeleteMezzanines => vec![source("v1", false), source("v2", false)],
        Action::DeleteImage | Action::GetImageInfos => vec![image("id", "v1"), image("id", "v2")],
        Action::DeleteAttachedMedia | Action::GetAttachedMediaInfo => vec![attached("v1"), attached("v2")],
        Action::ListSnapshots => vec![stills("v1", &[cover])],
        Action::GetPlayInfo | Action::GetMezzanineInfo => vec![media("v1")],
        Action::DeleteVideo | Action::GetVideoInfos | Action::BatchGetMediaInfos => {
            vec![media("v1"), media("v2")]
        }
    };
    call(action, entries)
}

fn one(action: Action) -> Call {
    let mut call = two(action);
    call.entries.truncate(1);
    call
}

fn answer(status: u16, body: &str, headers: &[(&'static str, &'static str)]) -> Incoming {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    Incoming {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
        body: Bytes::from(body.to_owned()),
    }
}

fn judged(call: &Call, incoming: &Incoming) -> CallReport {
    let report = judge(call, &ask(call).unwrap(), &super::super::answer::read(incoming)).report;
    assert_eq!(report.verdicts.len(), call.entries.len());
    report
}

fn error(call: &Call, status: u16, code: &str) -> CallReport {
    judged(call, &answer(status, &json!({"Code": code, "Message": "m", "RequestId": "r-1"}).to_string(), &[]))
}

/// The verdict of a call in which every entry has the same.
fn uniform(report: &CallReport) -> Verdict {
    let first = report.verdicts[0].clone();
    assert!(report.verdicts.iter().all(|verdict| *verdict == first), "{report:?}");
    first
}

fn success(call: &Call, mut fields: serde_json::Value) -> CallReport {
    fields["RequestId"] = json!("r-1");
    judged(call, &answer(200, &fields.to_string(), &[]))
}

fn refused(verdict: &Verdict) -> (Outcome, Reason, bool, bool) {
    let Verdict::NotOk { outcome, error, of_whole_call, maybe_account } = verdict else {
        panic!("{verdict:?}")
    };
    (*outcome, error.code, *of_whole_call, *maybe_account)
}

fn told(verdict: &Verdict) -> &Facts {
    let Verdict::Facts(facts) = verdict else { panic!("{verdict:?}") };
    facts
}

#[test]
fn every_code_of_the_page_has_its_meaning() {
    use LaneReason::{BadCredentials, ExpiredCredentials, NotActivated, Suspended};
    use Meaning::*;
    for (codes, expected) in [
        ("InvalidVideo.NotFound invalidvideo.notfound", Some(Missing(Thing::Asset))),
        ("InvalidStream.NotFound InvalidVideo.NoneStream", Some(Missing(Thing::Stream))),
        ("InvalidFile.NotFound", Some(Missing(Thing::File))),
        ("NoSuchResource InvalidImage.NotFound", Some(Missing(Thing::Resource))),
        (
            "InvalidMultipartUpload.NotFound InvalidStorage.NotFound InvalidCateId.NotFound InvalidX.NotFound",
            Some(Missing(Thing::Other)),
        ),
        ("Forbidden.IllegalStatus forbidden.illegalstatus", Some(Busy)),
        (
            "Forbidden Forbidden.RAM Forbidden.Any Forbidden.RiskControl NoPermission AccessDenied \
             OperationDenied.Any IllegalOperation",
            Some(Forbidden),
        ),
        (
            "VideoIdsExceededMax JobIdsExceededMax ImageIdsExceededMax ExceededMax MissingParameter MissingVideoId \
             InvalidParameter InvalidParameter.VideoIds InvalidVideoIds InvalidTaskId.Malformed Odd.Malformed \
             InvalidObjectType.ValueNotSupported Odd.ValueNotSupported",
            Some(Invalid),
        ),
        (
            "UnsupportedOperation InvalidAction InvalidAction.NotFound InvalidApi.NotFound NoSuchVersion \
             InvalidVersion InvalidVersion.NotFound UnsupportedHTTPMethod UnsupportedParameter \
             InvalidProtocol.NeedSsl InvalidProduct.NotFound InvalidRegion.NotFound InvalidRegionId \
             InvalidDomain.NotFound InvalidDomain.Offline Forbidden.AliyunVoDEncryption",
            Some(WrongRequest),
        ),
        (
            "DeleteVideoFailed DeleteStreamFailed DeleteMezzanineFailed DeleteImageFailed InternalError \
             InternalError.Any UnknownError ServiceUnavailable ServiceUnAvailable ServiceBusy PreloadQueueFull \
             InvalidDomain.Configure_failed",
            Some(Failed),
        ),
        ("Throttling Throttling.User throttling.api Throttling.Any", Some(Throttled(None))),
        ("QuotaPerMinuteExceeded.Refresh", Some(Throttled(Some(Duration::from_mins(1))))),
        ("QuotaExceeded.Refresh", Some(QuotaUsedUp)),
        (
            "SignatureDoesNotMatch IncompleteSignature InvalidSignatureMethod InvalidAccessKeyId.NotFound \
             InvalidAccessKeyId.Inactive InvalidAccessKeyId Forbidden.AccessKeyDisabled InvalidTimeStamp.Format \
             IllegalTimestamp MissingAccessKeyId MissingSignature MissingSignatureNonce MissingTimestamp \
             MissingSecurityToken InvalidSecurityToken.Malformed InvalidSecurityToken.MismatchWithAccessKey",
            Some(Key(BadCredentials)),
        ),
        ("InvalidSecurityToken.Expired SecurityTokenExpired", Some(Key(ExpiredCredentials))),
        ("SignatureNonceUsed", Some(Replayed)),
        ("InvalidTimeStamp.Expired InvalidTimestamp.Expired", Some(WrongTime)),
        ("OperationDenied", Some(Account(NotActivated))),
        ("OperationDenied.Suspended", Some(Account(Suspended))),
        ("SDK.HttpError SomethingNew 404 ThrottlingX Forbid X.NotFound", None),
    ] {
        for code in codes.split_whitespace() {
            assert_eq!(meaning(code), expected, "{code}");
        }
    }
}

#[test]
fn all_missing_is_absent_whatever_the_status() {
    for action in
        [Action::DeleteVideo, Action::DeleteMezzanines, Action::DeleteAttachedMedia, Action::DeleteStream]
    {
        for status in [200, 400, 403, 404, 500, 503] {
            let report = error(&two(action), status, "InvalidVideo.NotFound");
            assert_eq!(uniform(&report), Verdict::Absent, "{action:?} {status}");
            assert_eq!((report.class, report.unlisted), (AttemptClass::Answered, false));
            assert_eq!(report.code.as_deref(), Some("InvalidVideo.NotFound"));
            assert_eq!((report.status, report.request_id.as_deref()), (Some(status), Some("r-1")));
        }
    }
}

#[test]
fn not_found_of_one_in_a_crowd_is_unclear() {
    for (action, code) in [
        (Action::DeleteStream, "InvalidStream.NotFound"),
        (Action::DeleteImage, "NoSuchResource"),
        (Action::DeleteImage, "InvalidVideo.NotFound"),
        (Action::DeleteMezzanines, "InvalidFile.NotFound"),
        (Action::DeleteVideo, "InvalidStorage.NotFound"),
        (Action::GetImageInfos, "NoSuchResource"),
    ] {
        assert_eq!(uniform(&error(&two(action), 404, code)), Verdict::Unclear, "{action:?} {code}");
        let alone = uniform(&error(&one(action), 404, code));
        if action.deletes() {
            assert_eq!(alone, Verdict::Absent, "{action:?} {code}");
        } else {
            assert_eq!(told(&alone).standing, Standing::Missing);
        }
    }
    let jobs = call(Action::DeleteStream, vec![streams("v1", &["j1", "j2"])]);
    assert_eq!(uniform(&error(&jobs, 404, "InvalidStream.NotFound")), Verdict::Unclear);
    let twice = call(Action::DeleteStream, vec![streams("v1", &["j1"]), streams("v1", &["j1"])]);
    assert_eq!(uniform(&error(&twice, 404, "InvalidStream.NotFound")), Verdict::Absent);
    let of_video = call(Action::DeleteImage, vec![stills("v1", &SnapshotType::ALL.map(PartName::Snapshots))]);
    assert_eq!(uniform(&error(&of_video, 404, "InvalidVideo.NotFound")), Verdict::Absent);
    assert_eq!(uniform(&error(&of_video, 404, "NoSuchResource")), Verdict::Unclear);
}

#[test]
fn refusals_say_whose_they_are() {
    let table = [
        ("Forbidden.IllegalStatus", (Outcome::Busy, Reason::Busy, true, false)),
        ("Forbidden", (Outcome::Refused, Reason::Forbidden, true, true)),
        ("Forbidden.RAM", (Outcome::Refused, Reason::Forbidden, true, true)),
        ("NoPermission", (Outcome::Refused, Reason::Forbidden, true, true)),
        ("InvalidParameter", (Outcome::Refused, Reason::Invalid, true, false)),
        ("VideoIdsExceededMax", (Outcome::Refused, Reason::Invalid, true, false)),
        ("InvalidApi.NotFound", (Outcome::Refused, Reason::Invalid, false, false)),
        ("UnsupportedOperation", (Outcome::Refused, Reason::Invalid, false, false)),
    ];
    for action in Action::ALL {
        for (code, expected) in table {
            for status in [200, 400, 403, 404, 500] {
                let call = two(action);
                let report = error(&call, status, code);
                let verdict = uniform(&report);
                // A state or a right is the asset's: with one asset there is nobody else to blame.
                let of_asset = matches!(expected.1, Reason::Busy | Reason::Forbidden);
                let of_whole_call = expected.2 && (call.entries.len() > 1 || !of_asset);
                let expected = (expected.0, expected.1, of_whole_call, expected.3);
                assert_eq!(refused(&verdict), expected, "{action:?} {code}");
                let denied = expected.1 == Reason::Forbidden;
                let class = if denied { AttemptClass::Refused } else { AttemptClass::Answered };
                assert_eq!(report.class, class, "{code}");
                let Verdict::NotOk { error, .. } = verdict else { unreachable!() };
                assert_eq!(error.vendor_code.as_deref(), Some(code));
                assert!(!error.message.contains(code), "our own sentence");
            }
        }
    }
}

#[test]
fn faults_of_the_account_burn_no_item() {
    for (code, reason) in [
        ("SignatureDoesNotMatch", LaneReason::BadCredentials),
        ("InvalidAccessKeyId.NotFound", LaneReason::BadCredentials),
        ("Forbidden.AccessKeyDisabled", LaneReason::BadCredentials),
        ("InvalidSecurityToken.Expired", LaneReason::ExpiredCredentials),
        ("OperationDenied", LaneReason::NotActivated),
        ("OperationDenied.Suspended", LaneReason::Suspended),
        ("InvalidTimeStamp.Expired", LaneReason::ClockSkew),
    ] {
        for action in Action::ALL {
            for status in [200, 400, 403, 404, 500] {
                let report = error(&two(action), status, code);
                assert_eq!(uniform(&report), Verdict::Fault(reason), "{code}");
                assert_eq!((report.class, report.unlisted), (AttemptClass::Refused, false));
            }
        }
    }
}

#[test]
fn what_may_have_happened_is_doubted_for_deletes_and_read_again_for_reads() {
    for code in ["DeleteVideoFailed", "InternalError", "UnknownError", "serviceunavailable", "SomethingNew"] {
        for action in Action::ALL {
            let report = error(&two(action), 503, code);
            let expected = if action.deletes() {
                (Verdict::Doubtful { unanswered: false }, AttemptClass::Ambiguous)
            } else {
                (Verdict::Again(Again::Unavailable), AttemptClass::Answered)
            };
            assert_eq!((uniform(&report), report.class), expected, "{action:?} {code}");
            assert_eq!(report.unlisted, code == "SomethingNew");
        }
    }
    for action in DELETES {
        assert_eq!(
            uniform(&error(&two(action), 200, "InternalError")),
            Verdict::Doubtful { unanswered: false }
        );
        let replayed = error(&two(action), 400, "SignatureNonceUsed");
        assert_eq!(uniform(&replayed), Verdict::Doubtful { unanswered: true });
        assert_eq!(replayed.class, AttemptClass::Ambiguous);
    }
    let read = error(&two(Action::GetVideoInfos), 400, "SignatureNonceUsed");
    assert_eq!((uniform(&read), read.class), (Verdict::Again(Again::Unavailable), AttemptClass::Refused));
}

#[test]
fn an_answer_that_is_not_the_vendors_proves_nothing() {
    let cut = r#"{"RequestId":"r-1","NonExistVideoIds":["#;
    for action in Action::ALL {
        let call = two(action);
        let expected = if action.deletes() {
            Verdict::Doubtful { unanswered: true }
        } else {
            Verdict::Again(Again::Unavailable)
        };
        for status in [200, 204, 301, 302, 307, 400, 403, 404, 413, 500, 502, 503, 504] {
            for body in ["", "<html>502</html>", cut, "{}", "{\"Ok\":true}", "[]"] {
                let report = judged(&call, &answer(status, body, &[]));
                assert_eq!(uniform(&report), expected, "{action:?} {status} {body}");
                assert_eq!((report.class, report.status), (AttemptClass::Ambiguous, Some(status)));
            }
        }
        let ask = ask(&call).unwrap();
        let lost = unanswered(&call, &ask, &SendError::Ambiguous("reset".into()));
        assert_eq!((uniform(&lost), lost.class), (expected, AttemptClass::Ambiguous));
        let unsent = unanswered(&call, &ask, &SendError::NotSent("dns".into()));
        let expected = (Verdict::Again(Again::NotSent), AttemptClass::NotSent);
        assert_eq!((uniform(&unsent), unsent.class), expected);
    }
}

#[test]
fn an_unlisted_code_is_tried_a_few_times() {
    for status in [200, 400, 404, 418] {
        let report = error(&two(Action::DeleteVideo), status, "SomethingNew");
        assert_eq!(uniform(&report), Verdict::Again(Again::Unlisted));
        assert_eq!((report.class, report.unlisted), (AttemptClass::Answered, true));
    }
}

#[test]
fn throttling_is_known_by_code_status_or_header() {
    let wait = |ms| Some(Some(Duration::from_millis(ms)));
    let with = |status, code: &str, headers: &[(&'static str, &'static str)]| {
        let body = json!({"Code": code, "RequestId": "r-1"}).to_string();
        let report = judged(&two(Action::DeleteVideo), &answer(status, &body, headers));
        if report.throttled.is_some() {
            assert_eq!(uniform(&report), Verdict::Again(Again::Throttled));
            assert_eq!(report.class, AttemptClass::Refused);
        }
        report.throttled
    };
    let after = |ms| [("x-acs-retry-after", ms)];
    assert_eq!(with(400, "Throttling.User", &[]), Some(None));
    assert_eq!(with(503, "Throttling", &after("250")), wait(250));
    assert_eq!(with(429, "SomethingNew", &[]), Some(None));
    assert_eq!(with(503, "DeleteVideoFailed", &after("250")), wait(250));
    assert_eq!(with(400, "SomethingNew", &after("9999999")), wait(120_000));
    assert_eq!(with(400, "QuotaPerMinuteExceeded.Refresh", &[]), wait(60_000));
    assert_eq!(with(400, "QuotaPerMinuteExceeded.Refresh", &after("500")), wait(500));
    for ignored in ["0", "-1", "soon", ""] {
        assert_eq!(with(503, "DeleteVideoFailed", &after(ignored)), None, "{ignored:?}");
    }
    let page = judged(&two(Action::DeleteVideo), &answer(429, "<html>slow down</html>", &[]));
    assert_eq!((uniform(&page), page.throttled), (Verdict::Again(Again::Throttled), Some(None)));
    let fine = answer(200, r#"{"RequestId":"r-1"}"#, &after("250"));
    assert_eq!(uniform(&judged(&two(Action::DeleteVideo), &fine)), Verdict::Deleted);
    let daily = error(&two(Action::DeleteVideo), 400, "QuotaExceeded.Refresh");
    assert_eq!((uniform(&daily), daily.throttled), (Verdict::Again(Again::QuotaUsedUp), None));
}

#[test]
fn lists_are_mapped_by_exact_id() {
    let call = call(Action::DeleteVideo, vec![media("v1"), media("v2"), media("v3"), media("v1")]);
    let report = success(&call, json!({"NonExistVideoIds": ["v1"], "ForbiddenVideoIds": "v3"}));
    assert_eq!(report.class, AttemptClass::Answered);
    assert_eq!(report.verdicts[0], Verdict::Absent);
    assert_eq!(report.verdicts[1], Verdict::Deleted);
    assert_eq!(refused(&report.verdicts[2]), (Outcome::Refused, Reason::Forbidden, false, false));
    assert_eq!(report.verdicts[3], Verdict::Absent);
}

#[test]
fn a_source_that_may_not_go_is_protected_or_forbidden() {
    let listed = |force| {
        let call = call(Action::DeleteMezzanines, vec![source("v1", force), source("v2", force)]);
        let report = success(&call, json!({"UnRemoveableVideoIds": ["v1"], "NonExistVideoIds": null}));
        assert_eq!(report.verdicts[1], Verdict::Deleted);
        refused(&report.verdicts[0])
    };
    assert_eq!(listed(false), (Outcome::Refused, Reason::Protected, false, false));
    assert_eq!(listed(true), (Outcome::Refused, Reason::Forbidden, false, false));
}

#[test]
fn lists_that_contradict_the_call_are_not_believed() {
    for fields in [
        json!({"NonExistVideoIds": ["v9"]}),
        json!({"NonExistVideoIds": ["V1"]}),
        json!({"NonExistVideoIds": ["v1"], "ForbiddenVideoIds": ["v1"]}),
        json!({"NonExistReferenceIds": ["ref-01"]}),
        json!({"NonExistVideoIds": true}),
    ] {
        let report = success(&two(Action::DeleteVideo), fields.clone());
        assert_eq!(uniform(&report), Verdict::Doubtful { unanswered: false }, "{fields}");
        assert_eq!(report.class, AttemptClass::Ambiguous);
        let read = success(&two(Action::GetVideoInfos), fields);
        assert_eq!(uniform(&read), Verdict::Again(Again::Unavailable));
    }
}

#[test]
fn reads_tell_what_stands() {
    let report = success(
        &two(Action::GetVideoInfos),
        json!({"VideoList": [{"VideoId": "v1", "Title": "t"}], "NonExistVideoIds": ["v2"]}),
    );
    assert_eq!(told(&report.verdicts[0]).standing, Standing::Stands);
    assert_eq!(told(&report.verdicts[1]).standing, Standing::Missing);
    let both = json!({"VideoList": [{"VideoId": "v1"}], "NonExistVideoIds": ["v1"]});
    assert_eq!(success(&two(Action::GetVideoInfos), both).verdicts[0], Verdict::Again(Again::Unavailable));
    let forbidden = success(&two(Action::BatchGetMediaInfos), json!({"ForbiddenMediaIds": ["v1"]}));
    assert_eq!(refused(&forbidden.verdicts[0]), (Outcome::Refused, Reason::Forbidden, false, false));

    for action in [
        Action::GetVideoInfos,
        Action::BatchGetMediaInfos,
        Action::GetPlayInfo,
        Action::GetMezzanineInfo,
        Action::ListSnapshots,
    ] {
        let report = error(&two(action), 404, "InvalidVideo.NotFound");
        assert_eq!(*told(&uniform(&report)), Facts::only(Standing::Missing), "{action:?}");
    }
    let verdict = uniform(&error(&two(Action::GetPlayInfo), 404, "InvalidVideo.NoneStream"));
    assert_eq!(
        (told(&verdict).standing, told(&verdict).renditions.as_deref()),
        (Standing::Stands, Some([].as_slice()))
    );
    let verdict = uniform(&error(&two(Action::GetMezzanineInfo), 400, "InvalidFile.NotFound"));
    assert_eq!((told(&verdict).standing, &told(&verdict).source), (Standing::Untold, &Some(Source::Gone)));
    let verdict = uniform(&error(&two(Action::ListSnapshots), 404, "NoSuchResource"));
    assert_eq!(told(&verdict).snapshots.as_deref(), Some([].as_slice()));
    let verdict = uniform(&error(&two(Action::GetVideoInfos), 404, "InvalidStorage.NotFound"));
    assert_eq!(*told(&verdict), Facts::only(Standing::Untold));
}

proptest! {
    /// Each id is in one list or in none, lists come in any shape: every entry has its own verdict.
    #[test]
    fn partial_answers_give_each_entry_its_own_verdict(
        fates in prop::collection::vec((0_usize..30, 0_u8..3), 1..20),
        shape in 0_u8..4,
        order in any::<prop::sample::Index>(),
    ) {
        let fates: std::collections::BTreeMap<usize, u8> = fates.into_iter().collect();
        let mut entries: Vec<_> = fates.keys().map(|id| media(&format!("id-{id}"))).collect();
        let turn = order.index(entries.len());
        entries.rotate_left(turn);
        entries.push(entries[0].clone());
        let call = call(Action::DeleteVideo, entries);
        let list = |wanted: u8| {
            let ids: Vec<String> =
                fates.iter().filter(|(_, fate)| **fate == wanted).map(|(id, _)| format!("id-{id}")).collect();
            match shape {
                0 => json!(ids),
                1 => json!(ids.join(",")),
                2 => json!(json!(ids).to_string()),
                _ => json!([json!(ids).to_string()]),
            }
        };
        let report = success(&call, json!({"NonExistVideoIds": list(1), "ForbiddenVideoIds": list(2)}));
        for (entry, verdict) in call.entries.iter().zip(&report.verdicts) {
            let id: usize = entry.target.name.as_str().strip_prefix("id-").unwrap().parse().unwrap();
            match fates[&id] {
                0 => prop_assert_eq!(verdict, &Verdict::Deleted),
                1 => prop_assert_eq!(verdict, &Verdict::Absent),
                _ => prop_assert_eq!(refused(verdict), (Outcome::Refused, Reason::Forbidden, false, false)),
            }
        }
    }

    /// An id that was not sent, in any list, and nothing in the answer is believed.
    #[test]
    fn a_foreign_id_makes_the_whole_call_doubtful(
        count in 1_usize..20, listed in 0_usize..20, list in 0_usize..4, foreign in "[a-z]{3,8}",
    ) {
        let call = call(Action::DeleteVideo, (0..count).map(|id| media(&format!("id-{id}"))).collect());
        let names = ["NonExistVideoIds", "ForbiddenVideoIds", "NonExistReferenceIds", "UnRemoveableVideoIds"];
        let mut ids: Vec<String> = (0..listed.min(count)).map(|id| format!("id-{id}")).collect();
        ids.push(foreign);
        let mut fields = json!({});
        fields[names[list]] = json!(ids);
        let report = success(&call, fields);
        prop_assert_eq!(uniform(&report), Verdict::Doubtful { unanswered: false });
        prop_assert_eq!(report.class, AttemptClass::Ambiguous);
    }

    /// Whatever bytes come back, every entry is answered and no success is made up.
    #[test]
    fn no_bytes_are_taken_for_a_success(status in 200_u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut incoming = answer(status, "", &[]);
        incoming.body = body.into();
        let call = two(Action::DeleteVideo);
        let report = judged(&call, &incoming);
        prop_assert!(report.verdicts.iter().all(|verdict| !matches!(verdict, Verdict::Deleted | Verdict::Absent)));
    }
}
