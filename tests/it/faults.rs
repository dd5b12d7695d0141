//! What can go wrong with a call, for every delete, before and after it took effect.
//!
//! One table of faults, one column for each delete. An answer that was lost after
//! the delete worked must end as `deleted` with `confirmation: inferred`, one that
//! was lost before it as plainly `deleted` after a repeat; never as absent, failed
//! or refused. Each case has an account of its own, so no two share a call.

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::{AbsentPart, seed as t};
use vodrm::sandbox::{Fault, FaultRule};

use crate::harness::{ALIBABA, TENCENT, World, copies, no_limits, once};

/// More than a client reads of an answer.
const HUGE_BYTES: u64 = 2 << 20;

/// Where nothing listens: the discard port.
const NOWHERE: &str = "http://127.0.0.1:9";

/// Answers that nobody can read, whoever the vendor is.
fn unreadable(after_effect: bool) -> Vec<Fault> {
    let mut faults = vec![
        Fault::Reset { after_effect },
        Fault::Cut { at_byte: 0, after_effect },
        Fault::Cut { at_byte: 40, after_effect },
        Fault::Garbage { after_effect },
        Fault::Empty { after_effect },
        Fault::Html { after_effect },
        Fault::Huge { bytes: HUGE_BYTES, after_effect },
        Fault::Redirect { location: format!("{NOWHERE}/elsewhere"), after_effect },
    ];
    faults.extend([500, 502, 503, 504].map(|status| Fault::HttpError { status, after_effect }));
    faults
}

/// The vendor's own answers that leave the effect open.
fn answered(codes: &[&str], after_effect: bool) -> Vec<Fault> {
    let fault = |code: &&str| {
        let code = (*code).to_owned();
        if after_effect {
            Fault::ErrorAfter { status: None, code, message: None }
        } else {
            Fault::Error { status: None, code, message: None }
        }
    };
    codes.iter().map(fault).collect()
}

const ALIBABA_CODES: [&str; 5] =
    ["DeleteVideoFailed", "InternalError", "UnknownError", "ServiceUnavailable", "SignatureNonceUsed"];
const TENCENT_CODES: [&str; 5] = [
    "InternalError",
    "InternalError.DBError",
    "FailedOperation",
    "FailedOperation.DBError",
    "FailedOperation.NetWorkError",
];

fn at_alibaba(after_effect: bool) -> Vec<Fault> {
    let mut faults = unreadable(after_effect);
    faults.extend(answered(&ALIBABA_CODES, after_effect));
    if !after_effect {
        let code = || "ServiceUnavailable".to_owned();
        faults.push(Fault::XmlError { status: None, code: code() });
        faults.push(Fault::Error { status: Some(503), code: "Brand.New".to_owned(), message: None });
        faults.push(Fault::Error { status: None, code: "Brand.New".to_owned(), message: None });
    }
    faults
}

fn at_tencent(after_effect: bool) -> Vec<Fault> {
    let mut faults = unreadable(after_effect);
    // The page: statuses other than 200 carry no meaning of the API's.
    faults.push(Fault::HttpError { status: 429, after_effect });
    faults.extend(answered(&TENCENT_CODES, after_effect));
    if !after_effect {
        faults.push(Fault::LegacyError { code: "InternalError".to_owned() });
        faults.push(Fault::Error { status: None, code: "Brand.New".to_owned(), message: None });
    }
    faults
}

/// One column of the table: an operation, and the n-th target that it deletes.
struct Column {
    of: &'static str,
    operation: &'static str,
    target: fn(u32) -> Value,
}

/// Every fault of the list once, each for a target of its own, from the `first`-th on.
async fn play(column: &Column, faults: Vec<Fault>, inferred: bool, first: u32, set_up: impl Fn(&World)) {
    let mut names = Vec::new();
    let count = faults.len();
    let world = World::with(|settings, sandboxes| {
        names = copies(settings, column.of, count);
        no_limits(settings, sandboxes);
    })
    .await;
    world.bulk(100);
    set_up(&world);
    let target = |(n, account): (u32, &String)| {
        let mut target = (column.target)(first + n);
        target["account"] = json!(account);
        target
    };
    let targets: Vec<Value> = (0..).zip(&names).map(target).collect();
    let rules = faults.iter().zip(&targets).map(|(fault, target)| {
        let id = target["id"].as_str().unwrap();
        FaultRule::once(fault.clone()).for_operation(column.operation).for_id(id)
    });
    let sandbox = if column.of == ALIBABA { world.alibaba() } else { world.tencent() };
    sandbox.set_faults(rules.collect()).unwrap();
    let answer = world.post(&json!({"targets": targets})).await;
    let confirmation = if inferred { json!("inferred") } else { Value::Null };
    for (item, fault) in answer.items().iter().zip(&faults) {
        let told = (&item["outcome"], &item["confirmation"]);
        assert_eq!(told, (&json!("deleted"), &confirmation), "{fault:?} at {}: {item}", column.operation);
        assert!(item["attempts"].as_u64() > Some(1), "{fault:?}: {item}");
    }
    let fired = sandbox.ledger().iter().filter(|row| row.fault.is_some()).count();
    assert_eq!(fired, count, "every fault met its call");
    world.end().await;
}

async fn both(column: Column, faults: fn(bool) -> Vec<Fault>) {
    play(&column, faults(true), true, 1, |_| {}).await;
    play(&column, faults(false), false, 1, |_| {}).await;
}

fn media(n: u32) -> Value {
    json!({"kind": "media", "id": a::bulk(n)})
}

#[tokio::test]
async fn delete_video_survives_every_fault() {
    both(Column { of: ALIBABA, operation: "DeleteVideo", target: media }, at_alibaba).await;
}

#[tokio::test]
async fn delete_mezzanines_survives_every_fault() {
    let target = |n| json!({"kind": "source", "id": a::bulk(n)});
    both(Column { of: ALIBABA, operation: "DeleteMezzanines", target }, at_alibaba).await;
}

#[tokio::test]
async fn delete_stream_survives_every_fault() {
    let target = |n| json!({"kind": "renditions", "id": a::normal(n), "definitions": ["HD", "LD"]});
    both(Column { of: ALIBABA, operation: "DeleteStream", target }, at_alibaba).await;
}

#[tokio::test]
async fn delete_image_by_type_survives_every_fault() {
    let target = |n| json!({"kind": "snapshots", "id": a::normal(n), "types": ["cover"]});
    both(Column { of: ALIBABA, operation: "DeleteImage", target }, at_alibaba).await;
}

#[tokio::test]
async fn delete_image_of_all_types_survives_every_fault_without_a_read() {
    let target = |n| json!({"kind": "snapshots", "id": a::normal(n), "all": true});
    both(Column { of: ALIBABA, operation: "DeleteImage", target }, at_alibaba).await;
}

/// Twelve, as many as there are images: each of the kinds of loss.
fn twelve(after_effect: bool) -> Vec<Fault> {
    let mut faults = unreadable(after_effect);
    faults.truncate(9);
    faults.extend(answered(&ALIBABA_CODES[..3], after_effect));
    faults
}

#[tokio::test]
async fn delete_image_by_id_survives_every_fault() {
    let target = |n| json!({"kind": "image", "id": a::image(n)});
    both(Column { of: ALIBABA, operation: "DeleteImage", target }, twelve).await;
}

#[tokio::test]
async fn delete_attached_media_survives_every_fault() {
    let target = |n| json!({"kind": "attached_media", "id": a::attached(n)});
    both(Column { of: ALIBABA, operation: "DeleteAttachedMedia", target }, twelve).await;
}

#[tokio::test]
async fn delete_media_survives_every_fault() {
    let target = |n: u32| json!({"kind": "media", "id": t::video(n.into())});
    both(Column { of: TENCENT, operation: "DeleteMedia", target }, at_tencent).await;
}

#[tokio::test]
async fn delete_media_of_renditions_survives_every_fault() {
    let target =
        |n: u32| json!({"kind": "renditions", "id": t::video(n.into()), "definitions": [100_010, 100_020]});
    both(Column { of: TENCENT, operation: "DeleteMedia", target }, at_tencent).await;
}

#[tokio::test]
async fn delete_media_of_a_source_survives_every_fault() {
    let target = |n: u32| json!({"kind": "source", "id": t::video(n.into())});
    both(Column { of: TENCENT, operation: "DeleteMedia", target }, at_tencent).await;
}

#[tokio::test]
async fn a_copy_that_no_read_shows_is_settled_by_the_repeat() {
    let target = |n: u32| json!({"kind": "renditions", "id": t::video(n.into()), "family": "wechat_publish"});
    let column = Column { of: TENCENT, operation: "DeleteMedia", target };
    let tells = |world: &World| {
        world.switches(|switches| switches.absent_part = AbsentPart::ResourceNotFound);
    };
    play(&column, at_tencent(true), true, 1, tells).await;
    play(&column, at_tencent(false), false, 1, tells).await;
    // A vendor that accepts the delete of what is gone has said so of this very id.
    play(&column, at_tencent(true), false, 1, |_| {}).await;
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_after_fifteen_seconds() {
    let mut names = Vec::new();
    let world = World::with(|settings, sandboxes| {
        names = [copies(settings, ALIBABA, 2), copies(settings, TENCENT, 2)].concat();
        no_limits(settings, sandboxes);
    })
    .await;
    let ids = [a::normal(1), a::normal(2), t::video(1), t::video(2)];
    let hang = |n: usize| FaultRule::once(Fault::Hang { after_effect: n.is_multiple_of(2) }).for_id(&ids[n]);
    world.alibaba().set_faults((0..2).map(hang).collect()).unwrap();
    world.tencent().set_faults((2..4).map(hang).collect()).unwrap();
    let target = |(id, name)| json!({"kind": "media", "account": name, "id": id});
    let targets: Vec<Value> = ids.iter().zip(&names).map(target).collect();
    let answer = world.post(&json!({"targets": targets})).await;
    assert_eq!(answer.outcomes(), ["deleted"; 4], "{}", answer.body);
    for (n, item) in answer.items().iter().enumerate() {
        let inferred = if n.is_multiple_of(2) { json!("inferred") } else { Value::Null };
        assert_eq!(item["confirmation"], inferred, "{item}");
        let first = &world.calls_of(&answer, n).await[0];
        assert_eq!(first["class"], "ambiguous");
        let took = first["duration_ms"].as_u64().unwrap();
        assert!((14_900..18_000).contains(&took), "{first}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_true_answer_with_a_wrong_label_or_delay_is_believed() {
    let world = World::quick().await;
    let ids = world.bulk(2);
    for (n, fault) in
        [Fault::WrongContentType {}, Fault::Delay { ms: 300, late_effect: true }].into_iter().enumerate()
    {
        world.alibaba().set_faults(vec![FaultRule::once(fault.clone())]).unwrap();
        world.tencent().set_faults(vec![FaultRule::once(fault)]).unwrap();
        let answers = [
            world.delete(&format!("{ALIBABA}/media/{}", ids[n])).await,
            world.delete(&format!("{TENCENT}/media/{}", t::video(n as u64))).await,
        ];
        for answer in answers {
            answer.is_deleted();
            assert_eq!(answer.item()["attempts"], 1, "{}", answer.body);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_redirect_is_never_followed() {
    let world = World::quick().await;
    let id = world.bulk(1).remove(0);
    let location = format!("{}/?Action=DeleteVideo&VideoIds={}", world.tencent().base_url(), a::normal(1));
    let redirect = Fault::Redirect { location, after_effect: false };
    world.alibaba().set_faults(once("DeleteVideo", redirect)).unwrap();
    world.delete(&format!("{ALIBABA}/media/{id}")).await.is_deleted();
    assert_eq!(world.tencent().calls(), 0);
    world.end().await;
}

#[tokio::test]
async fn a_batch_whose_answer_was_lost_is_inferred_of_each_and_absent_of_none() {
    let world = World::quick().await;
    let mut ids = world.bulk(19);
    ids.push(a::MISSING.to_owned());
    world.alibaba().set_faults(once("DeleteVideo", Fault::Reset { after_effect: true })).unwrap();
    let answer = world.post_ids(ALIBABA, "media", &ids).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 20], "{}", answer.body);
    assert!(answer.items().iter().all(|item| item["confirmation"] == "inferred"));
    assert_eq!(world.at_alibaba("DeleteVideo").len(), 1, "a read settles it, no second delete");
    assert_eq!(world.at_alibaba("GetVideoInfos").len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_batch_that_failed_together_is_tried_again_together() {
    let world = World::quick().await;
    let ids = world.bulk(20);
    let fault = Fault::Error { status: None, code: "InternalError".to_owned(), message: None };
    world.alibaba().set_faults(vec![FaultRule::once(fault).for_operation("DeleteVideo").times(2)]).unwrap();
    let answer = world.post_ids(ALIBABA, "media", &ids).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 20], "{}", answer.body);
    let sizes: Vec<_> = world.alibaba().ledger().iter().map(|call| call.ids.len()).collect();
    assert_eq!(sizes, [20; 5], "delete, read, delete, read, delete");
    world.end().await;
}

#[tokio::test]
async fn reads_may_go_wrong_too_and_are_made_again() {
    let world = World::quick().await;
    let id = world.bulk(1).remove(0);
    let mut rules = once("DeleteVideo", Fault::Reset { after_effect: true });
    for fault in
        [Fault::Garbage { after_effect: false }, Fault::HttpError { status: 502, after_effect: false }]
    {
        rules.push(FaultRule::once(fault).for_operation("GetVideoInfos"));
    }
    world.alibaba().set_faults(rules).unwrap();
    let answer = world.delete(&format!("{ALIBABA}/media/{id}")).await;
    answer.is(200, "deleted", None);
    assert_eq!(answer.item()["confirmation"], "inferred");
    let read = once("DescribeMediaInfos", Fault::Empty { after_effect: false });
    world.tencent().set_faults(read).unwrap();
    world.delete(&format!("{TENCENT}/media/{}/source", t::video(1))).await.is_deleted();
    world.end().await;
}

#[tokio::test]
async fn a_vendor_that_answers_and_does_nothing_has_failed_after_all_tries() {
    let world = World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        settings.retry.max_attempts = 3;
    })
    .await;
    let id = world.bulk(1).remove(0);
    let error = |code: &str| Fault::Error { status: None, code: code.to_owned(), message: None };
    world
        .alibaba()
        .set_faults(vec![FaultRule::always(error("InternalError")).for_operation("DeleteVideo")])
        .unwrap();
    let answer = world.delete(&format!("{ALIBABA}/media/{id}")).await;
    answer.is(502, "failed", Some("unavailable"));
    let tries = world.at_alibaba("DeleteVideo").len();
    assert!((2..=3).contains(&tries), "{tries} deletes with three tries");
    assert!(world.sandboxes.alibaba_vod.has_video(&id));
    // A code in no table gets few tries and is shown as it came.
    world.tencent().set_faults(vec![FaultRule::always(error("Brand.New"))]).unwrap();
    let answer = world.delete(&format!("{TENCENT}/media/{}", t::video(1))).await;
    answer.is(502, "failed", Some("vendor_error"));
    assert_eq!(answer.item()["error"]["vendor_code"], "Brand.New");
    assert_eq!(world.at_tencent("DeleteMedia").len(), 3);
    world.end().await;
}

#[tokio::test]
async fn what_nothing_can_settle_is_unknown_and_never_failed() {
    let world = World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        settings.retry.max_attempts = 2;
        settings.retry.max_age = std::time::Duration::from_millis(300);
    })
    .await;
    let id = world.bulk(1).remove(0);
    let down = Fault::HttpError { status: 502, after_effect: false };
    let mut rules = once("DeleteVideo", Fault::Reset { after_effect: true });
    rules.push(FaultRule::always(down));
    world.alibaba().set_faults(rules).unwrap();
    let answer = world.delete(&format!("{ALIBABA}/media/{id}")).await;
    answer.is(504, "unknown", Some("unsettled"));
    assert_eq!(answer.body["retriable"], true);
    world.end().await;
}

#[tokio::test]
async fn a_call_that_could_not_be_sent_proves_that_nothing_was_deleted() {
    let world = World::with(|settings, _| {
        settings.retry.max_attempts = 2;
        for account in &mut settings.accounts {
            account.endpoint = Some(NOWHERE.parse().unwrap());
        }
    })
    .await;
    for path in [format!("{ALIBABA}/media/{}", a::NORMAL), format!("{TENCENT}/media/{}", t::video(1))] {
        let answer = world.delete(&path).await;
        answer.is(502, "failed", Some("unavailable"));
        let classes = world.calls_of(&answer, 0).await.into_iter().map(|call| call["class"].clone());
        assert_eq!(classes.collect::<Vec<_>>(), ["not_sent", "not_sent"]);
    }
    world.end().await;
}
