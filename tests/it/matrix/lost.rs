//! Rows about a delete of which no usable answer came: lines 1, 2, 10, 14, 24, 25, 26.
//!
//! Whether it worked is settled by a read where one exists, by a repeat where that
//! cannot hit another object, and by nobody otherwise. What is gone then is inferred,
//! never absent; what stood all the time is plainly deleted by the repeat.

use std::time::Duration;

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::{AbsentPart, PartKind, seed as t};
use vodrm::sandbox::{Fault, FaultRule};

use super::row::{
    Alibaba, BOTH, DELETED, End, INFERRED, Named, Row, Scene, Tencent, Timed, UNKNOWN, Vendor, Wire,
    attached, error, error_after, image, many, many_but, media, renditions, row, snapshots, source,
};
use crate::harness::World;
use crate::harness::relay::Closing;

/// The read says that it is gone.
const GONE: &[&str] = &["delete ambiguous", "settle answered"];
/// The read says that it stands, and the repeat takes it; or it does not tell, and the repeat finds nothing.
const REPEATED: &[&str] = &["delete ambiguous", "settle answered", "delete answered"];
const READ_GONE: &[&str] = &["resolve answered", "delete ambiguous", "settle answered"];
const READ_REPEATED: &[&str] =
    &["resolve answered", "delete ambiguous", "settle answered", "delete answered"];
/// No read can tell.
const UNREAD: &[&str] = &["delete ambiguous", "delete answered"];

/// One gigabyte; the client reads no more than a megabyte of it.
const HUGE_BYTES: u64 = 1 << 30;
/// Longer than one call may take.
const TOO_LONG_MS: u64 = 16_000;

pub(super) fn rows() -> Vec<Row> {
    let lines =
        [ambiguous(), unsafe_to_repeat(), replayed(), killed(), nonsense(), gateways(), stale_connections()];
    lines.into_iter().flatten().collect()
}

/// The same fault after the effect and before it, for a whole asset.
fn after_and_before(number: u8, vendor: Vendor, what: &str, fault: impl Fn(bool) -> Fault) -> [Row; 2] {
    [
        row(number, vendor, format!("{what}, after the effect"))
            .fault(fault(true))
            .ends(INFERRED)
            .trail(GONE),
        row(number, vendor, format!("{what}, before the effect"))
            .fault(fault(false))
            .ends(DELETED)
            .trail(REPEATED),
    ]
}

fn by_code(number: u8, vendor: Vendor, code: &'static str) -> [Row; 2] {
    let fault = |after_effect| if after_effect { error_after(code) } else { error(code) };
    after_and_before(number, vendor, &format!("the vendor answers {code}"), fault)
}

fn reset() -> Fault {
    Fault::Reset { after_effect: true }
}

/// Reads go on showing what was deleted.
fn reads_lag(world: &World) {
    world.quirks(|quirks| quirks.visible_after_delete_ms = 600_000);
    world.switches(|switches| switches.read_delay_ms = 600_000);
}

fn ambiguous() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        let places: [Named<Timed>; 3] = [
            ("the connection is reset", |after_effect| Fault::Reset { after_effect }),
            ("only the head of the answer comes", |after_effect| Fault::Cut { at_byte: 0, after_effect }),
            ("the answer stops in the middle", |after_effect| Fault::Cut { at_byte: 20, after_effect }),
        ];
        for (what, fault) in places {
            rows.extend(after_and_before(1, vendor, what, fault));
        }
        let silent = |after_effect| Fault::Hang { after_effect };
        rows.extend(after_and_before(1, vendor, "no answer comes in 15 s", silent).map(Row::slow));
        rows.push(
            row(1, vendor, "the vendor works on after we gave up")
                .fault(Fault::Delay { ms: TOO_LONG_MS, late_effect: true })
                .settings(|settings| settings.retry.cool_down = Duration::from_secs(30))
                .scenes(&[Scene::Waits(2), Scene::Worked(1), Scene::Passes(Duration::from_secs(31))])
                .ends(INFERRED)
                .trail(REPEATED)
                .worked(1)
                .apart(Duration::from_secs(30))
                .slow(),
        );
        rows.push(
            row(1, vendor, "the repeat waits for the cool-down and finds it missing")
                .given(reads_lag)
                .fault(reset())
                .settings(|settings| settings.retry.cool_down = Duration::from_secs(30))
                .scenes(&[Scene::Waits(2), Scene::Passes(Duration::from_secs(31))])
                .ends(INFERRED)
                .trail(REPEATED)
                .apart(Duration::from_secs(30)),
        );
        rows.push(
            row(1, vendor, "neither a read nor a repeat can settle it")
                .fault(reset())
                .rule(down().for_operation(vendor.read()))
                .rule(down().for_operation(vendor.delete()))
                .settings(|settings| {
                    settings.retry.max_attempts = 2;
                    settings.retry.max_age = Duration::from_millis(300);
                })
                .ends(UNKNOWN)
                .trail_starts(&["delete ambiguous", "settle ambiguous"])
                .calls(1..=2)
                .worked(1),
        );
        rows.push(
            row(1, vendor, "the read that should settle it fails at first")
                .fault(reset())
                .rule(
                    FaultRule::once(Fault::HttpError { status: 502, after_effect: false })
                        .for_operation(vendor.read()),
                )
                .ends(INFERRED)
                .trail_starts(&["delete ambiguous"]),
        );
        // One call for Alibaba, twenty for Tencent.
        let calls = if vendor == Alibaba { 1 } else { 20 };
        rows.push(
            row(1, vendor, "twenty answers are lost")
                .asks(vendor.delete(), many(vendor, 20))
                .rule(FaultRule::once(reset()).for_operation(vendor.delete()).times(calls))
                .ends(INFERRED)
                .trail(GONE)
                .calls(usize::try_from(calls).unwrap()..=usize::try_from(calls).unwrap()),
        );
    }
    rows.extend(
        ["DeleteVideoFailed", "InternalError", "UnknownError", "ServiceUnavailable"]
            .into_iter()
            .flat_map(|code| by_code(1, Alibaba, code)),
    );
    let of_tencent = [
        "InternalError",
        "InternalError.DBError",
        "FailedOperation",
        "FailedOperation.DBError",
        "FailedOperation.NetWorkError",
    ];
    rows.extend(of_tencent.into_iter().flat_map(|code| by_code(1, Tencent, code)));
    rows.push(
        row(1, Alibaba, "a lost answer about nineteen that stood and one that never did")
            .asks("DeleteVideo", many_but(Alibaba, 20, &[(7, a::MISSING)]))
            .fault(reset())
            .ends(INFERRED)
            .trail(GONE)
            .calls(1..=1)
            .worked(19),
    );
    rows.push(
        row(1, Alibaba, "twenty that failed together are tried again together")
            .asks("DeleteVideo", many(Alibaba, 20))
            .fault(error("InternalError"))
            .ends(DELETED)
            .trail(REPEATED)
            .calls(2..=2),
    );
    rows.extend(lost_of_each_kind());
    rows
}

fn down() -> FaultRule {
    FaultRule::always(Fault::HttpError { status: 502, after_effect: false })
}

/// The answer of every other delete is lost, after the effect.
fn lost_of_each_kind() -> Vec<Row> {
    let (video, file) = (a::normal(1), t::video(1));
    let lost = |vendor, what: &str, operation, target: Value| {
        row(1, vendor, format!("the answer about {what} is lost"))
            .asks(operation, vec![target])
            .fault(reset())
            .ends(INFERRED)
    };
    let all_snapshots = json!({"kind": "snapshots", "id": video, "all": true});
    let by_url = json!({"kind": "image", "url": a::image_url(1)});
    let copies = json!({"kind": "renditions", "id": file, "family": "wechat_publish"});
    vec![
        lost(Alibaba, "a source", "DeleteMezzanines", source(&video)).trail(GONE),
        lost(Alibaba, "a rendition", "DeleteStream", renditions(&video, &["HD"])).trail(READ_GONE),
        lost(Alibaba, "a type of snapshots", "DeleteImage", snapshots(&video)).trail(GONE),
        // No read lists every type.
        lost(Alibaba, "all snapshots", "DeleteImage", all_snapshots).trail(UNREAD).worked(4),
        lost(Alibaba, "an image", "DeleteImage", image(&a::image(1))).trail(READ_GONE),
        // No read takes an image's URL.
        lost(Alibaba, "an image by its URL", "DeleteImage", by_url).trail(UNREAD),
        lost(Alibaba, "an auxiliary asset", "DeleteAttachedMedia", attached(&a::attached(1))).trail(GONE),
        lost(Tencent, "a source", "DeleteMedia", source(&file)).trail(READ_GONE),
        lost(Tencent, "a rendition", "DeleteMedia", renditions(&file, &["100010"])).trail(READ_GONE),
        lost(Tencent, "an image", "DeleteMedia", image(t::IMAGE)).trail(READ_GONE),
        // No read lists these copies.
        lost(Tencent, "the WeChat copies", "DeleteMedia", copies)
            .given(|world| world.switches(|switches| switches.absent_part = AbsentPart::ResourceNotFound))
            .trail(READ_REPEATED),
    ]
}

// Line 2.

fn make_again(world: &World) {
    let made =
        world.sandboxes.tencent_vod.make_part(&t::video(1), PartKind::TranscodeFiles, t::TRANSCODES[0]);
    assert_eq!(made, Some(2), "the first one is gone by now");
}

fn rendition_stands(world: &World) -> bool {
    let assets = world.tencent().vendor().assets();
    let media =
        assets["media"].as_array().unwrap().iter().find(|media| media["FileId"] == t::video(1)).unwrap();
    media["Parts"].as_array().unwrap().contains(&json!(format!("TranscodeFiles:{}", t::TRANSCODES[0])))
}

/// The vendor may be at work for longer than such a delete may be repeated.
fn late(row: Row) -> Row {
    row.settings(|settings| settings.retry.cool_down = Duration::from_secs(61))
        .given(reads_lag)
        .fault(reset())
        .ends(UNKNOWN)
        .worked(1)
}

fn unsafe_to_repeat() -> Vec<Row> {
    let (video, file) = (a::normal(1), t::video(1));
    let by_reference = || vec![json!({"kind": "media", "reference_id": a::reference(1)})];
    let rendition = || vec![renditions(&file, &["100010"])];
    let over_a_minute = [Scene::Waits(2), Scene::Passes(Duration::from_secs(62))];
    let mut rows = vec![
        row(2, Alibaba, "a reference is resolved first and settled by what it named")
            .asks("DeleteVideo", by_reference())
            .fault(reset())
            .ends(INFERRED)
            .trail(READ_GONE),
        row(2, Alibaba, "a reference that was bound anew does not lead to the new asset")
            .asks("DeleteVideo", by_reference())
            .given(reads_lag)
            .fault(reset())
            .scenes(&[
                Scene::Received("DeleteVideo", 1),
                Scene::Do(|world| {
                    assert!(world.sandboxes.alibaba_vod.bind_reference(&a::reference(1), &a::normal(20)));
                }),
            ])
            .ends(INFERRED)
            .trail(READ_REPEATED)
            .worked(1)
            .then(|world| world.sandboxes.alibaba_vod.has_video(&a::normal(20)))
            .then(|world| world.at_alibaba("DeleteVideo").iter().all(|call| call.ids == [a::normal(1)])),
        late(
            row(2, Alibaba, "a source is not repeated after a minute")
                .asks("DeleteMezzanines", vec![source(&video)]),
        )
        .trail(GONE),
        late(
            row(2, Alibaba, "snapshots of a type are not repeated after a minute")
                .asks("DeleteImage", vec![snapshots(&video)]),
        )
        .trail(GONE),
        late(
            row(2, Alibaba, "all snapshots are not repeated after a minute")
                .asks("DeleteImage", vec![json!({"kind": "snapshots", "id": video, "all": true})]),
        )
        .trail(&["delete ambiguous"])
        .worked(4),
        late(
            row(2, Alibaba, "a stream has an id of its own and is repeated however late")
                .asks("DeleteStream", vec![renditions(&video, &["HD"])]),
        )
        .scenes(&[Scene::Waits(3), Scene::Passes(Duration::from_secs(62))])
        .ends(INFERRED)
        .trail(READ_REPEATED),
        late(
            row(2, Tencent, "a rendition that was made anew is not deleted by a late repeat")
                .asks("DeleteMedia", rendition()),
        )
        .scenes(&[Scene::Received("DeleteMedia", 1), Scene::Do(make_again)])
        .trail(READ_GONE)
        .then(rendition_stands),
        late(
            row(2, Tencent, "a source is not repeated after a minute")
                .asks("DeleteMedia", vec![source(&file)]),
        )
        .trail(READ_GONE),
        row(2, Tencent, "a rendition is repeated within the minute")
            .asks("DeleteMedia", rendition())
            .fault(Fault::Reset { after_effect: false })
            .ends(DELETED)
            .trail(READ_REPEATED),
    ];
    for vendor in BOTH {
        rows.push(
            late(row(2, vendor, "a whole asset is repeated however late"))
                .scenes(&over_a_minute)
                .ends(INFERRED)
                .trail(REPEATED),
        );
    }
    rows
}

// Line 10.

fn replayed() -> Vec<Row> {
    let mut rows: Vec<Row> = by_code(10, Alibaba, "SignatureNonceUsed").into();
    for vendor in BOTH {
        rows.push(
            row(10, vendor, "a connection that ends before the answer is not tried again by the client")
                .over(Wire::Reused(Closing::InUse))
                .ends(DELETED)
                .trail(REPEATED)
                .calls(1..=1),
        );
    }
    rows
}

// Line 14.

fn killed() -> Vec<Row> {
    let (video, file) = (a::normal(1), t::video(1));
    let columns: Vec<(Vendor, &str, &'static str, Value, bool)> = vec![
        (Alibaba, "a whole asset", "DeleteVideo", media(&video), false),
        (Alibaba, "a source", "DeleteMezzanines", source(&video), false),
        (Alibaba, "a rendition", "DeleteStream", renditions(&video, &["HD"]), true),
        (Alibaba, "snapshots", "DeleteImage", snapshots(&video), false),
        (Alibaba, "an image", "DeleteImage", image(&a::image(1)), true),
        (Alibaba, "an auxiliary asset", "DeleteAttachedMedia", attached(&a::attached(1)), false),
        (Tencent, "a whole asset", "DeleteMedia", media(&file), false),
        (Tencent, "a source", "DeleteMedia", source(&file), true),
        (Tencent, "a rendition", "DeleteMedia", renditions(&file, &["100010"]), true),
    ];
    let mut rows = Vec::new();
    for (vendor, what, operation, target, reads_first) in columns {
        for (after_effect, when, end) in
            [(true, "after the effect", INFERRED), (false, "before the effect", DELETED)]
        {
            let trail = match (reads_first, after_effect) {
                (false, true) => GONE,
                (false, false) => REPEATED,
                (true, true) => READ_GONE,
                (true, false) => READ_REPEATED,
            };
            rows.push(
                row(14, vendor, format!("killed while {what} is deleted, {when}"))
                    .asks(operation, vec![target.clone()])
                    .fault(Fault::Hang { after_effect })
                    .scenes(&[Scene::Received(operation, 1), Scene::Sending, Scene::Kill])
                    .ends(end)
                    .trail(trail),
            );
        }
    }
    for vendor in BOTH {
        rows.push(
            row(14, vendor, "killed while a repeat waits")
                .given(reads_lag)
                .fault(reset())
                .settings(|settings| settings.retry.cool_down = Duration::from_secs(30))
                .scenes(&[Scene::Waits(2), Scene::Kill, Scene::Passes(Duration::from_secs(31))])
                .ends(INFERRED)
                .trail(REPEATED)
                .apart(Duration::from_secs(30)),
        );
    }
    let in_a_read = |vendor, read: &'static str, operation, target| {
        row(14, vendor, "killed in the read before a delete")
            .asks(operation, vec![target])
            .rule(FaultRule::once(Fault::Hang { after_effect: true }).for_operation(read))
            .scenes(&[Scene::Received(read, 1), Scene::Sending, Scene::Kill])
            .ends(DELETED)
            .trail(&["resolve not_sent", "resolve answered", "delete answered"])
    };
    rows.push(in_a_read(Alibaba, "GetPlayInfo", "DeleteStream", renditions(&video, &["HD"])));
    rows.push(in_a_read(Tencent, "DescribeMediaInfos", "DeleteMedia", source(&file)));
    rows
}

// Line 24.

fn says(status: u16, body: &Value, after_effect: bool) -> Fault {
    Fault::Says { status, body: body.to_string(), after_effect }
}

fn nonsense() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        let unreadable: [Named<Timed>; 5] = [
            ("bytes that are no text", |after_effect| Fault::Garbage { after_effect }),
            ("an empty body", |after_effect| Fault::Empty { after_effect }),
            ("a web page with status 200", |after_effect| Fault::Html { after_effect }),
            ("a gigabyte", |after_effect| Fault::Huge { bytes: HUGE_BYTES, after_effect }),
            ("a redirect", |after_effect| Fault::Redirect {
                location: "http://127.0.0.1:9/elsewhere".to_owned(),
                after_effect,
            }),
        ];
        for (what, fault) in unreadable {
            rows.extend(after_and_before(24, vendor, what, fault));
        }
        for (what, body) in [("an empty object", json!({})), ("a list", json!([])), ("null", Value::Null)] {
            rows.push(row(24, vendor, what).fault(says(200, &body, true)).ends(INFERRED).trail(GONE));
        }
        // Nothing is wrong with what it says.
        rows.push(
            row(24, vendor, "a true answer with a wrong label")
                .fault(Fault::WrongContentType {})
                .ends(DELETED)
                .trail(&["delete answered"]),
        );
        let new_fields = match vendor {
            Alibaba => json!({"RequestId": "r-1", "Brand": {"New": [1]}, "Code2": "x"}),
            Tencent => json!({"Response": {"RequestId": "r-1", "Brand": {"New": [1]}}, "Other": 2}),
        };
        rows.push(
            row(24, vendor, "a success with new fields")
                .fault(says(200, &new_fields, true))
                .ends(DELETED)
                .trail(&["delete answered"]),
        );
        let success = match vendor {
            Alibaba => json!({"RequestId": "r-1"}),
            Tencent => json!({"Response": {"RequestId": "r-1"}}),
        };
        for status in [202, 404] {
            rows.push(
                row(24, vendor, format!("a success with status {status}"))
                    .fault(says(status, &success, false))
                    .ends(DELETED)
                    .trail(REPEATED),
            );
        }
        rows.push(
            row(24, vendor, "a code that nobody knows, for good")
                .rule(FaultRule::always(error("Brand.New")).for_operation(vendor.delete()))
                .ends(End::failed("vendor_error").with("Brand.New"))
                .trail(&["delete answered"; 3]),
        );
        rows.push(
            row(24, vendor, "a code that nobody knows, once")
                .fault(error("Brand.New"))
                .ends(DELETED)
                .trail(&["delete answered"; 2]),
        );
        rows.push(
            row(24, vendor, "a code that nobody knows, after the effect")
                .fault(error_after("Brand.New"))
                .ends(INFERRED)
                .trail(&["delete answered"; 2]),
        );
    }
    let after = |vendor, what: &str, body: Value| {
        row(24, vendor, what).fault(says(200, &body, true)).ends(INFERRED).trail(GONE)
    };
    rows.push(after(
        Alibaba,
        "a list that cannot be read",
        json!({"RequestId": "r-1", "NonExistVideoIds": true}),
    ));
    rows.push(after(Alibaba, "a success without its request id", json!({"ForbiddenVideoIds": []})));
    rows.push(after(Tencent, "a success without its request id", json!({"Response": {}})));
    rows.push(after(
        Tencent,
        "an error without a code",
        json!({"Response": {"Error": {}, "RequestId": "r-1"}}),
    ));
    rows.push(after(Tencent, "another vendor's envelope", json!({"RequestId": "r-1"})));
    rows.push(
        row(24, Alibaba, "a code that nobody knows, with status 500")
            .fault(Fault::Error { status: Some(500), code: "Brand.New".to_owned(), message: None })
            .ends(DELETED)
            .trail(REPEATED),
    );
    rows.push(
        row(24, Alibaba, "an error in XML")
            .fault(Fault::XmlError { status: None, code: "ServiceUnavailable".to_owned() })
            .ends(DELETED)
            .trail(REPEATED),
    );
    rows.push(
        row(24, Tencent, "an error in the legacy envelope")
            .fault(Fault::LegacyError { code: "InternalError".to_owned() })
            .ends(DELETED)
            .trail(REPEATED),
    );
    rows
}

// Lines 25 and 26.

fn gateways() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        for status in [500, 502, 503, 504] {
            let page = |after_effect| Fault::HttpError { status, after_effect };
            rows.extend(after_and_before(25, vendor, &format!("a gateway's {status}"), page));
        }
        rows.extend(after_and_before(25, vendor, "a gateway's 404 about the path", |after_effect| {
            Fault::HttpError { status: 404, after_effect }
        }));
        rows.push(
            row(25, vendor, "a gateway that is down for three calls")
                .rule(
                    FaultRule::once(Fault::HttpError { status: 503, after_effect: false })
                        .for_operation(vendor.delete())
                        .times(3),
                )
                .ends(DELETED)
                .trail(&[
                    "delete ambiguous",
                    "settle answered",
                    "delete ambiguous",
                    "settle answered",
                    "delete ambiguous",
                    "settle answered",
                    "delete answered",
                ]),
        );
    }
    rows
}

fn stale_connections() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        rows.push(
            row(26, vendor, "the vendor closed the connection while nobody used it")
                .over(Wire::Reused(Closing::Idle))
                .ends(DELETED)
                .trail(&["delete answered"]),
        );
        // The request was written, so it may have arrived for all that the client knows.
        rows.push(
            row(26, vendor, "the vendor closes the connection as it is used again")
                .over(Wire::Reused(Closing::InUse))
                .ends(DELETED)
                .trail(REPEATED)
                .calls(1..=1),
        );
        rows.push(
            row(26, vendor, "nobody listens")
                .over(Wire::Nowhere)
                .settings(|settings| settings.retry.max_attempts = 2)
                .ends(End::failed("unavailable"))
                .trail(&["delete not_sent"; 2]),
        );
    }
    rows
}
