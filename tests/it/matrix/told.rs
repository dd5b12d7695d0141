//! Rows about answers that tell: lines 3, 4 and 5.
//!
//! The code decides and not the HTTP status; each position gets the fate that the
//! answer gives to exactly its id; and one bad id costs its company a few more
//! calls and nothing else.

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::{BusyInBatch, EmptyLists, IdLists, seed as a};
use vodrm::providers::tencent::sandbox::{AbsentPart, Busy, NotFoundCode, seed as t};
use vodrm::sandbox::{Fault, FaultRule};

use super::row::{
    ABSENT, Alibaba, BOTH, Change, DELETED, End, INFERRED, Lane, Named, Row, Tencent, all_but, attached,
    error, image, many, many_but, media, renditions, row, snapshots, source,
};
use crate::harness::World;

/// Calls that isolate one bad id among twenty, at most; FAULTS.md, 5.
const FOR_ONE: usize = 11;
/// Calls for twenty ids, whatever the mix.
const FOR_ANY: usize = 39;

const ONCE: &[&str] = &["delete answered"];

pub(super) fn rows() -> Vec<Row> {
    all_missing().into_iter().chain(partial()).chain(poisoned()).collect()
}

/// A missing id that is no other's.
fn nobody(n: u32) -> String {
    format!("dead{n:028x}")
}

fn says(body: &Value) -> Fault {
    Fault::Says { status: 200, body: body.to_string(), after_effect: true }
}

// Line 3.

fn all_missing() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        let code = if vendor == Alibaba { "InvalidVideo.NotFound" } else { "ResourceNotFound" };
        for status in [200, 400, 404] {
            rows.push(
                row(3, vendor, format!("the one is missing, with status {status}"))
                    .asks(vendor.delete(), vec![media(vendor.missing())])
                    .fault(Fault::Error { status: Some(status), code: code.to_owned(), message: None })
                    .ends(ABSENT)
                    .trail(ONCE),
            );
        }
        rows.push(
            row(3, vendor, "missing after an answer that was lost and a read that does not tell")
                .given(|world| {
                    world.quirks(|quirks| quirks.visible_after_delete_ms = 600_000);
                    world.switches(|switches| switches.read_delay_ms = 600_000);
                })
                .fault(Fault::Reset { after_effect: true })
                .ends(INFERRED)
                .trail(&["delete ambiguous", "settle answered", "delete answered"]),
        );
        rows.push(
            row(3, vendor, "missing, after a call that was throttled")
                .asks(vendor.delete(), vec![media(vendor.missing())])
                .fault(Fault::Throttle { code: None, retry_after_ms: None })
                .ends(ABSENT)
                .trail(&["delete refused", "delete answered"])
                .lane(Lane::Slowed(1)),
        );
    }
    for (status, given) in [
        (404, (|world: &World| world.quirks(|quirks| quirks.all_missing_status = 404)) as Change),
        (400, |world| world.quirks(|quirks| quirks.all_missing_status = 400)),
    ] {
        let twenty = || (0..20).map(|n| media(&nobody(n))).collect();
        rows.push(
            row(3, Alibaba, format!("all twenty are missing, with status {status}"))
                .asks("DeleteVideo", twenty())
                .given(given)
                .ends(ABSENT)
                .trail(ONCE)
                .calls(1..=1),
        );
    }
    let both = [nobody(1), nobody(2)];
    rows.push(
        row(3, Alibaba, "all are listed as missing in a success")
            .asks("DeleteVideo", both.iter().map(|id| media(id)).collect())
            .fault(says(&json!({"RequestId": "r-1", "NonExistVideoIds": both})))
            .ends(ABSENT)
            .trail(ONCE)
            .calls(1..=1),
    );
    let of_alibaba = |what: &str, operation, target: Value| {
        row(3, Alibaba, format!("{what} is missing")).asks(operation, vec![target]).ends(ABSENT)
    };
    rows.push(of_alibaba("the video of a source", "DeleteMezzanines", source(a::MISSING)).trail(ONCE));
    rows.push(of_alibaba("the video of snapshots", "DeleteImage", snapshots(a::MISSING)).trail(ONCE));
    rows.push(of_alibaba("an image", "DeleteImage", image(a::MISSING)).trail(&["resolve answered"]));
    rows.push(
        of_alibaba("the video of a rendition", "DeleteStream", renditions(a::MISSING, &["HD"]))
            .trail(&["resolve answered"]),
    );
    // Its list is described as "failed to be deleted", so a read has the last word.
    rows.push(
        of_alibaba("an auxiliary asset", "DeleteAttachedMedia", attached(a::MISSING))
            .trail(&["delete answered", "settle answered"]),
    );
    for (code, given) in [
        (
            "ResourceNotFound.FileNotExist",
            (|world: &World| set_code(world, NotFoundCode::FileNotExist)) as Change,
        ),
        ("InvalidParameterValue.FileId", |world| set_code(world, NotFoundCode::FileId)),
        ("ResourceNotFound", |world| set_code(world, NotFoundCode::ResourceNotFound)),
    ] {
        rows.push(
            row(3, Tencent, format!("the vendor calls a missing file {code}"))
                .asks("DeleteMedia", vec![media(t::MISSING)])
                .given(given)
                .ends(ABSENT)
                .trail(ONCE),
        );
    }
    rows.push(
        row(3, Tencent, "the file of a source is missing")
            .asks("DeleteMedia", vec![source(t::MISSING)])
            .ends(ABSENT)
            .trail(&["resolve answered"]),
    );
    rows.push(
        row(3, Alibaba, "a 404 about the interface is nobody's absence")
            .fault(error("InvalidApi.NotFound"))
            .ends(End::refused("invalid").with("InvalidApi.NotFound"))
            .trail(ONCE),
    );
    rows
}

fn set_code(world: &World, code: NotFoundCode) {
    world.switches(|switches| switches.not_found_code = code);
}

// Line 4.

/// Missing, standing, barred, standing.
fn mixed() -> Vec<Value> {
    [nobody(1), a::normal(1), a::OTHER_APPLICATION.to_owned(), a::normal(2)]
        .iter()
        .map(|id| media(id))
        .collect()
}

fn partial() -> Vec<Row> {
    let mut rows = Vec::new();
    let spellings: [Named<Change>; 7] = [
        ("lists", |world| world.quirks(|quirks| quirks.id_lists = IdLists::Array)),
        ("bare strings", |world| world.quirks(|quirks| quirks.id_lists = IdLists::BareString)),
        ("comma strings", |world| world.quirks(|quirks| quirks.id_lists = IdLists::CommaString)),
        ("JSON in a list", |world| world.quirks(|quirks| quirks.id_lists = IdLists::JsonInArray)),
        ("JSON in a string", |world| world.quirks(|quirks| quirks.id_lists = IdLists::JsonString)),
        ("lists, empty ones left out", |world| world.quirks(|quirks| quirks.empty_lists = EmptyLists::Omit)),
        ("lists, empty ones null", |world| world.quirks(|quirks| quirks.empty_lists = EmptyLists::Null)),
    ];
    for (what, given) in spellings {
        rows.push(
            row(4, Alibaba, format!("missing and forbidden ones, told in {what}"))
                .asks("DeleteVideo", mixed())
                .given(given)
                .ends_each(vec![ABSENT, DELETED, End::refused("forbidden"), DELETED])
                .trail(ONCE)
                .calls(1..=1),
        );
    }
    let sources = || vec![source(a::NO_TRANSCODE), source(&a::normal(1)), source(&nobody(1))];
    let forced = || {
        let force = |id: &str| json!({"kind": "source", "id": id, "force": true});
        vec![force(a::OTHER_APPLICATION), force(a::NO_TRANSCODE), force(&nobody(1))]
    };
    rows.push(
        row(4, Alibaba, "a source that plays is protected")
            .asks("DeleteMezzanines", sources())
            .ends_each(vec![End::refused("protected"), DELETED, ABSENT])
            .trail(ONCE)
            .calls(1..=1),
    );
    rows.push(
        row(4, Alibaba, "with force the same list means a missing right")
            .asks("DeleteMezzanines", forced())
            .ends_each(vec![End::refused("forbidden"), DELETED, ABSENT])
            .trail(ONCE)
            .calls(1..=1),
    );
    rows.push(
        row(4, Alibaba, "auxiliary assets of which one is listed")
            .asks("DeleteAttachedMedia", vec![attached(&nobody(1)), attached(&a::attached(1))])
            .ends_each(vec![ABSENT, DELETED])
            .trail(&["delete answered", "settle answered"])
            .calls(1..=1),
    );
    rows.extend(contradictions());
    for vendor in BOTH {
        rows.push(
            row(4, vendor, "the same target twice is sent once")
                .asks(vendor.delete(), vec![media(&vendor.id(1)), media(&vendor.id(1))])
                .ends(DELETED)
                .trail(ONCE)
                .calls(1..=1)
                .worked(1),
        );
    }
    rows.push(
        row(4, Tencent, "one file of each fate")
            .asks("DeleteMedia", [t::MISSING, &t::video(1), t::LOCKED, &t::video(2)].map(media).into())
            .ends_each(vec![
                ABSENT,
                DELETED,
                End::refused("forbidden").with("UnauthorizedOperation"),
                DELETED,
            ])
            .trail(ONCE)
            .calls(4..=4),
    );
    rows.push(
        row(4, Tencent, "a template that is not there beside one that is")
            .asks("DeleteMedia", vec![renditions(&t::video(1), &["999", "100010"])])
            .given(|world| world.switches(|switches| switches.absent_part = AbsentPart::ResourceNotFound))
            .ends(DELETED)
            .trail(&["resolve answered", "delete answered"]),
    );
    rows.push(
        row(4, Tencent, "one of each fate in the read before a source")
            .asks(
                "DeleteMedia",
                [t::ORIGINAL_ONLY, t::MISSING, t::WITHOUT_ORIGINAL, &t::video(1)].map(source).into(),
            )
            .ends_each(vec![End::refused("protected"), ABSENT, ABSENT, DELETED])
            .trail(&["resolve answered"])
            .calls(1..=1),
    );
    rows.extend(contradicting_reads());
    rows
}

/// Answers that cannot be true of the call: none of it is believed.
fn contradictions() -> Vec<Row> {
    let (one, other) = (a::normal(1), a::normal(2));
    let lists = |name: &str, ids: Value| json!({"RequestId": "r-1", name: ids});
    let in_both = json!({"RequestId": "r-1", "NonExistVideoIds": [one], "ForbiddenVideoIds": [one]});
    let lost = |what: &str, body: &Value| {
        row(4, Alibaba, what)
            .asks("DeleteVideo", vec![media(&one), media(&other)])
            .fault(says(body))
            .ends(INFERRED)
            .trail(&["delete ambiguous", "settle answered"])
            .calls(1..=1)
    };
    vec![
        lost(
            "an id that was not sent is listed as missing",
            &lists("NonExistVideoIds", json!([a::normal(3)])),
        ),
        lost(
            "an id that was not sent is listed as forbidden",
            &lists("ForbiddenVideoIds", json!([one, a::normal(3)])),
        ),
        lost("one id is in both lists", &in_both),
        lost("an id is listed in other letters", &lists("NonExistVideoIds", json!([one.to_uppercase()]))),
        row(4, Alibaba, "an id that was not sent is listed and nothing was done")
            .asks("DeleteVideo", vec![media(&one), media(&other)])
            .fault(Fault::Says { status: 200, body: in_both.to_string(), after_effect: false })
            .ends(DELETED)
            .trail(&["delete ambiguous", "settle answered", "delete answered"])
            .calls(2..=2),
        row(4, Alibaba, "one id is listed twice in one list")
            .asks("DeleteVideo", vec![media(a::MISSING), media(&one)])
            .fault(says(&lists("NonExistVideoIds", json!([a::MISSING, a::MISSING]))))
            .ends_each(vec![ABSENT, DELETED])
            .trail(ONCE)
            .calls(1..=1),
    ]
}

/// The same in the read that should settle a lost answer: it proves nothing, and the repeat decides.
fn contradicting_reads() -> Vec<Row> {
    let file = t::video(1);
    let stands = json!([{"FileId": file, "BasicInfo": {"Name": "one"}}]);
    let read = |what: &str, set: Value, missing: Value| {
        let body =
            json!({"Response": {"RequestId": "r-1", "MediaInfoSet": set, "NotExistFileIdSet": missing}});
        row(4, Tencent, what)
            .fault(Fault::Reset { after_effect: true })
            .rule(FaultRule::once(says(&body)).for_operation("DescribeMediaInfos"))
            .ends(INFERRED)
    };
    vec![
        read("a read tells that one file stands and is missing", stands, json!([file])).trail(&[
            "delete ambiguous",
            "settle answered",
            "delete answered",
        ]),
        read("a read tells only of a file that it was not asked for", json!([]), json!([t::video(9)]))
            .trail(&["delete ambiguous", "settle answered", "settle answered"]),
        read("a read lists a missing file twice", Value::Null, json!([file, file]))
            .trail(&["delete ambiguous", "settle answered"]),
    ]
}

// Line 5.

fn poisoned() -> Vec<Row> {
    let busy = End::busy().with("Forbidden.IllegalStatus");
    let mut rows = Vec::new();
    for place in [0, 9, 19] {
        rows.push(
            row(5, Alibaba, format!("one busy id in twenty, at place {place}"))
                .asks("DeleteVideo", many_but(Alibaba, 20, &[(place, a::TRANSCODING)]))
                .ends_each(all_but(20, DELETED, &[(place, busy)]))
                .trail_starts(ONCE)
                .calls(2..=FOR_ONE),
        );
    }
    let bad = End::refused("invalid").with("InvalidParameter.VideoId");
    let invalid =
        |place: u32| FaultRule::always(error("InvalidParameter.VideoId")).for_id(&a::normal(place + 1));
    rows.push(
        row(5, Alibaba, "one malformed id in twenty")
            .asks("DeleteVideo", many(Alibaba, 20))
            .rule(invalid(13))
            .ends_each(all_but(20, DELETED, &[(13, bad)]))
            .trail_starts(ONCE)
            .calls(2..=FOR_ONE),
    );
    rows.push(
        row(5, Alibaba, "two malformed ids in twenty")
            .asks("DeleteVideo", many(Alibaba, 20))
            .rule(invalid(3))
            .rule(invalid(16))
            .ends_each(all_but(20, DELETED, &[(3, bad), (16, bad)]))
            .trail_starts(ONCE)
            .calls(2..=FOR_ANY),
    );
    let five = [0, 4, 9, 14, 19];
    rows.push(
        five.into_iter().fold(
            row(5, Alibaba, "five malformed ids in twenty")
                .asks("DeleteVideo", many(Alibaba, 20))
                .ends_each(all_but(20, DELETED, &five.map(|place| (usize::try_from(place).unwrap(), bad))))
                .trail_starts(ONCE)
                .calls(2..=FOR_ANY),
            |row, place| row.rule(invalid(place)),
        ),
    );
    let all_bad: Vec<FaultRule> = (0..20).map(invalid).collect();
    rows.push(
        all_bad.into_iter().fold(
            row(5, Alibaba, "twenty malformed ids in twenty")
                .asks("DeleteVideo", many(Alibaba, 20))
                .ends(bad)
                .trail_starts(ONCE)
                .calls(20..=FOR_ANY),
            Row::rule,
        ),
    );
    rows.push(
        row(5, Alibaba, "a busy id that is only listed cannot be told from a forbidden one")
            .asks("DeleteVideo", many_but(Alibaba, 20, &[(4, a::TRANSCODING)]))
            .given(|world| world.quirks(|quirks| quirks.busy_in_batch = BusyInBatch::List))
            .ends_each(all_but(20, DELETED, &[(4, End::refused("forbidden"))]))
            .trail(ONCE)
            .calls(1..=1),
    );
    rows.push(
        row(5, Alibaba, "a busy id alone")
            .asks("DeleteVideo", vec![media(a::TRANSCODING)])
            .ends(busy)
            .trail(ONCE),
    );
    rows.push(
        row(5, Alibaba, "a code that nobody knows, because of one id in twenty")
            .asks("DeleteVideo", many(Alibaba, 20))
            .rule(FaultRule::always(error("Brand.New")).for_id(&a::normal(8)))
            .ends_each(all_but(20, DELETED, &[(7, End::failed("vendor_error").with("Brand.New"))]))
            .trail_starts(ONCE)
            // The halving, and two more tries of the one.
            .calls(2..=FOR_ONE + 2),
    );
    let invalid_file = End::refused("invalid").with("InvalidParameterValue");
    rows.push(
        row(5, Tencent, "one malformed id in twenty costs nobody else a call")
            .asks("DeleteMedia", many(Tencent, 20))
            .rule(FaultRule::always(error("InvalidParameterValue")).for_id(&t::video(14)))
            .ends_each(all_but(20, DELETED, &[(13, invalid_file)]))
            .trail(ONCE)
            .calls(20..=20),
    );
    rows.push(
        row(5, Tencent, "one busy file in twenty")
            .asks("DeleteMedia", many_but(Tencent, 20, &[(6, t::BUSY)]))
            .given(|world| world.switches(|switches| switches.busy = Busy::ResourceInUse))
            .ends_each(all_but(20, DELETED, &[(6, End::busy().with("ResourceInUse"))]))
            .trail(ONCE)
            .calls(20..=20),
    );
    rows.push(
        row(5, Tencent, "one id in twenty fails their common read")
            .asks("DeleteMedia", (1..=20).map(|n| source(&t::video(n))).collect())
            .rule(
                FaultRule::always(error("InvalidParameterValue.FileIds"))
                    .for_operation("DescribeMediaInfos")
                    .for_id(&t::video(14)),
            )
            .ends_each(all_but(
                20,
                DELETED,
                &[(13, End::refused("invalid").with("InvalidParameterValue.FileIds"))],
            ))
            .trail_starts(&["resolve answered"])
            .calls(19..=19)
            .then(|world| (2..=FOR_ONE).contains(&world.at_tencent("DescribeMediaInfos").len())),
    );
    rows.push(
        row(5, Tencent, "a bad part of two fails the call, and the other goes")
            .asks("DeleteMedia", vec![renditions(&t::video(1), &["100010", "100020"])])
            .fault(error("InvalidParameterValue.Definition"))
            .ends(DELETED)
            .trail(&["resolve answered", "delete answered", "delete answered", "delete answered"])
            .worked(2),
    );
    rows
}
