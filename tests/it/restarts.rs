//! The end of the process, in order and not, with items at every place on their way.
//!
//! What a dead process had under way is doubtful until the vendor tells: a delete
//! that worked is inferred, one that did not is repeated, and nothing is lost. An
//! end in order leaves nothing doubtful at all.

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::seed as t;
use vodrm::sandbox::{Fault, FaultRule};

use crate::harness::{ALIBABA, TENCENT, World, of_ids};

/// One target of each delete, at both vendors.
fn one_of_each() -> Value {
    json!({"targets": [
        {"account": ALIBABA, "kind": "media", "id": a::normal(1)},
        {"account": ALIBABA, "kind": "source", "id": a::normal(2)},
        {"account": ALIBABA, "kind": "renditions", "id": a::normal(3), "definitions": ["HD"]},
        {"account": ALIBABA, "kind": "snapshots", "id": a::normal(4), "types": ["cover"]},
        {"account": ALIBABA, "kind": "image", "id": a::IMAGE},
        {"account": ALIBABA, "kind": "attached_media", "id": a::ATTACHED},
        {"account": TENCENT, "kind": "media", "id": t::video(1)},
        {"account": TENCENT, "kind": "source", "id": t::video(2)},
        {"account": TENCENT, "kind": "renditions", "id": t::video(3), "definitions": [100_010]},
    ]})
}

fn hang_deletes(world: &World, after_effect: bool) {
    let hang = |operation: &&str| FaultRule::always(Fault::Hang { after_effect }).for_operation(operation);
    let at_alibaba =
        ["DeleteVideo", "DeleteMezzanines", "DeleteStream", "DeleteImage", "DeleteAttachedMedia"];
    world.alibaba().set_faults(at_alibaba.iter().map(hang).collect()).unwrap();
    world.tencent().set_faults(vec![hang(&"DeleteMedia")]).unwrap();
}

/// Dies while every one of these deletes is under way.
async fn crash_in_every_delete(after_effect: bool) {
    let mut world = World::quick().await;
    hang_deletes(&world, after_effect);
    let accepted = world.post_async(&one_of_each()).await;
    let hanging = |rows: &[vodrm::sandbox::LedgerRow]| rows.iter().filter(|row| row.fault.is_some()).count();
    world.alibaba().wait_until(|rows| hanging(rows) == 6).await;
    world.tencent().wait_until(|rows| hanging(rows) == 3).await;
    world.crash().await;
    world.alibaba().set_faults(vec![]).unwrap();
    world.tencent().set_faults(vec![]).unwrap();
    world.start().await;
    let finished = world.finished(&accepted).await;
    let confirmation = if after_effect { json!("inferred") } else { Value::Null };
    for item in finished.items() {
        let told = (&item["outcome"], &item["confirmation"]);
        assert_eq!(told, (&json!("deleted"), &confirmation), "{item}");
    }
    let first = world.calls_of(&accepted, 0).await;
    assert_eq!(first[0]["class"], "ambiguous", "the lost call is in the receipt");
    world.end().await;
}

#[tokio::test]
async fn deletes_under_way_at_a_crash_that_worked_are_inferred() {
    crash_in_every_delete(true).await;
}

#[tokio::test]
async fn deletes_under_way_at_a_crash_that_did_not_work_are_repeated() {
    crash_in_every_delete(false).await;
}

#[tokio::test]
async fn a_crash_in_a_read_before_a_delete_leaves_no_doubt() {
    let mut world = World::quick().await;
    let hang =
        |operation: &str| FaultRule::always(Fault::Hang { after_effect: true }).for_operation(operation);
    world.alibaba().set_faults(vec![hang("GetPlayInfo"), hang("GetImageInfos")]).unwrap();
    world.tencent().set_faults(vec![hang("DescribeMediaInfos")]).unwrap();
    let targets = json!([
        {"account": ALIBABA, "kind": "renditions", "id": a::normal(3), "definitions": ["HD"]},
        {"account": ALIBABA, "kind": "image", "id": a::MISSING},
        {"account": TENCENT, "kind": "source", "id": t::video(2)},
        {"account": TENCENT, "kind": "source", "id": t::MISSING},
    ]);
    let accepted = world.post_async(&json!({"targets": targets})).await;
    world.alibaba().wait_for_calls(2).await;
    world.tencent().wait_for_calls(1).await;
    world.crash().await;
    world.alibaba().set_faults(vec![]).unwrap();
    world.tencent().set_faults(vec![]).unwrap();
    world.start().await;
    let finished = world.finished(&accepted).await;
    assert_eq!(finished.outcomes(), ["deleted", "absent", "deleted", "absent"], "{}", finished.body);
    assert!(finished.items().iter().all(|item| item["confirmation"].is_null()));
    world.end().await;
}

#[tokio::test]
async fn what_waited_at_a_crash_goes_on_and_nothing_is_lost() {
    let mut world = World::by_default().await;
    let videos = world.bulk(400);
    let files: Vec<String> = (0..48).map(t::video).collect();
    let of_videos = world.post_async(&of_ids(ALIBABA, "media", &videos)).await;
    let of_files = world.post_async(&of_ids(TENCENT, "media", &files)).await;
    for calls in [2, 6, 10] {
        world.alibaba().wait_for_calls(calls).await;
        world.crash().await;
        world.start().await;
    }
    for accepted in [of_videos, of_files] {
        let finished = world.finished(&accepted).await;
        let counts = &finished.body["counts"];
        assert_eq!(counts["deleted"], counts["total"], "{counts}");
    }
    assert!(world.sandboxes.alibaba_vod.has_video(a::NORMAL), "nobody asked for this one");
    world.end().await;
}

#[tokio::test]
async fn an_end_in_order_leaves_nothing_doubtful() {
    let mut world = World::quick().await;
    // Nothing of this exists, so each must end as absent; whatever was doubtful for a moment would be inferred.
    let ids: Vec<String> = (0..900).map(|n| format!("52858907849{n:08}")).collect();
    let accepted = world.post_async(&of_ids(TENCENT, "media", &ids)).await;
    for calls in (60..=840).step_by(60) {
        world.tencent().wait_for_calls(calls).await;
        world.restart().await;
    }
    let finished = world.finished(&accepted).await;
    let inferred = finished.items().iter().filter(|item| !item["confirmation"].is_null()).count();
    assert_eq!(inferred, 0, "items that no call was made for were taken for sent");
    assert_eq!(finished.body["counts"]["absent"], 900, "{}", finished.body["counts"]);
    assert_eq!(world.at_tencent("DeleteMedia").len(), 900, "each was sent once");
    world.end().await;
}

#[tokio::test]
async fn an_end_in_order_waits_for_the_calls_under_way() {
    let mut world = World::quick().await;
    let slow = Fault::Delay { ms: 400, late_effect: false };
    world.alibaba().set_faults(vec![FaultRule::always(slow.clone())]).unwrap();
    world.tencent().set_faults(vec![FaultRule::always(slow)]).unwrap();
    let accepted = world.post_async(&one_of_each()).await;
    world.alibaba().wait_until(|rows| rows.iter().any(|row| row.action == "DeleteVideo")).await;
    world.restart().await;
    world.alibaba().set_faults(vec![]).unwrap();
    world.tencent().set_faults(vec![]).unwrap();
    let finished = world.finished(&accepted).await;
    for item in finished.items() {
        assert_eq!((&item["outcome"], &item["confirmation"]), (&json!("deleted"), &Value::Null), "{item}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_deletion_and_its_receipts_are_the_same_after_a_restart() {
    let mut world = World::by_default().await;
    let answer = world.post(&one_of_each()).await;
    let before = (world.get(answer.location()).await.body, world.calls_of(&answer, 2).await);
    world.crash().await;
    world.start().await;
    assert_eq!((world.get(answer.location()).await.body, world.calls_of(&answer, 2).await), before);
    world.end().await;
}
