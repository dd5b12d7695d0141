//! A delete of unknown effect whose selector may soon mean another object.
//!
//! A template number, a type of snapshot, a reference id: what was deleted under
//! it may have been made anew before the repeat goes out. Such a delete is
//! repeated within a minute or not at all (FAULTS.md, row 2), and the object that
//! was made in between is there at the end of every test.

use std::time::Duration;

use serde_json::json;
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::{PartKind, seed as t};
use vodrm::sandbox::Fault;

use crate::harness::{ALIBABA, TENCENT, World, no_limits, once};

/// A vendor that may be at work for longer than a repeat may wait.
async fn slow_vendor() -> World {
    World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        settings.retry.cool_down = Duration::from_secs(61);
    })
    .await
}

/// The rendition is made once more, under the same number.
fn make_again(world: &World, video: &str) {
    let made = world.sandboxes.tencent_vod.make_part(video, PartKind::TranscodeFiles, t::TRANSCODES[0]);
    assert_eq!(made, Some(2));
}

fn stands(world: &World, video: &str) -> bool {
    let assets = world.tencent().vendor().assets();
    let media = assets["media"].as_array().unwrap().iter().find(|media| media["FileId"] == video).unwrap();
    media["Parts"].as_array().unwrap().contains(&json!(format!("TranscodeFiles:{}", t::TRANSCODES[0])))
}

#[tokio::test]
async fn a_rendition_that_was_made_anew_is_not_deleted_by_a_late_repeat() {
    let world = slow_vendor().await;
    let video = t::video(1);
    // Reads go on showing what was deleted, so they cannot settle it.
    world.switches(|switches| switches.read_delay_ms = 600_000);
    world.tencent().set_faults(once("DeleteMedia", Fault::Reset { after_effect: true })).unwrap();
    let path = format!("{TENCENT}/media/{video}/renditions?definition={}", t::TRANSCODES[0]);
    let (answer, ()) = tokio::join!(world.delete(&path), async {
        world.tencent().wait_until(|rows| rows.iter().any(|row| row.action == "DeleteMedia")).await;
        make_again(&world, &video);
    });
    answer.is(504, "unknown", Some("unsettled"));
    assert_eq!(world.at_tencent("DeleteMedia").len(), 1, "it is not repeated");
    assert!(stands(&world, &video));
    world.end().await;
}

#[tokio::test]
async fn sources_and_snapshots_are_not_repeated_late_either() {
    let world = slow_vendor().await;
    world.quirks(|quirks| quirks.visible_after_delete_ms = 600_000);
    for (path, operation) in [
        (format!("media/{}/source", a::normal(1)), "DeleteMezzanines"),
        (format!("media/{}/snapshots?type=cover", a::normal(2)), "DeleteImage"),
        (format!("media/{}/snapshots?all=true", a::normal(3)), "DeleteImage"),
    ] {
        let before = world.at_alibaba(operation).len();
        world.alibaba().set_faults(once(operation, Fault::Reset { after_effect: true })).unwrap();
        world.delete(&format!("{ALIBABA}/{path}")).await.is(504, "unknown", Some("unsettled"));
        assert_eq!(world.at_alibaba(operation).len(), before + 1, "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_whole_media_is_repeated_however_late() {
    let world = slow_vendor().await;
    world.switches(|switches| switches.read_delay_ms = 600_000);
    world.tencent().set_faults(once("DeleteMedia", Fault::Reset { after_effect: true })).unwrap();
    let accepted = world.delete_async(&format!("{TENCENT}/media/{}", t::video(2))).await;
    world.until(&accepted, |item| item["attempts"] == 2 && item["state"] == "pending").await;
    world.clock.advance(Duration::from_secs(61));
    let finished = world.finished(&accepted).await;
    let item = finished.nth(0);
    assert_eq!((&item["outcome"], &item["confirmation"]), (&json!("deleted"), &json!("inferred")), "{item}");
    world.end().await;
}

#[tokio::test]
async fn a_reference_that_was_bound_anew_never_leads_to_the_new_asset() {
    let world = World::quick().await;
    world.quirks(|quirks| quirks.visible_after_delete_ms = 600_000);
    let (old, new) = (a::normal(1), a::normal(20));
    world.alibaba().set_faults(once("DeleteVideo", Fault::Reset { after_effect: true })).unwrap();
    let body = json!({"account": ALIBABA, "targets": [{"kind": "media", "reference_id": a::reference(1)}]});
    let (answer, ()) = tokio::join!(world.post(&body), async {
        world.alibaba().wait_until(|rows| rows.iter().any(|row| row.action == "DeleteVideo")).await;
        assert!(world.sandboxes.alibaba_vod.bind_reference(&a::reference(1), &new));
    });
    let item = answer.nth(0);
    let told = [&item["outcome"], &item["confirmation"], &item["resolved_id"]];
    assert_eq!(told, [&json!("deleted"), &json!("inferred"), &json!(old)], "{item}");
    assert!(world.sandboxes.alibaba_vod.has_video(&new));
    for call in world.at_alibaba("DeleteVideo") {
        assert_eq!(call.ids, std::slice::from_ref(&old));
    }
    world.end().await;
}

/// What was under way when the process died.
enum Cut {
    Call,
    Wait,
}

/// A rendition's delete worked, its answer was lost, the process died; then it was made again.
async fn ten_minutes_down(cut: Cut) {
    let mut world = World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        settings.retry.cool_down = Duration::from_secs(30);
    })
    .await;
    world.switches(|switches| switches.read_delay_ms = 600_000);
    let video = t::video(3);
    let fault = match cut {
        Cut::Call => Fault::Hang { after_effect: true },
        Cut::Wait => Fault::Reset { after_effect: true },
    };
    world.tencent().set_faults(once("DeleteMedia", fault)).unwrap();
    let path = format!("{TENCENT}/media/{video}/renditions?definition={}", t::TRANSCODES[0]);
    let accepted = world.delete_async(&path).await;
    match cut {
        Cut::Call => {
            world.tencent().wait_until(|rows| rows.iter().any(|row| row.action == "DeleteMedia")).await;
        }
        // A read before the delete, the delete, a read after it; now it waits for its repeat.
        Cut::Wait => {
            world.until(&accepted, |item| item["attempts"] == 3 && item["state"] == "pending").await;
        }
    }
    world.crash().await;
    make_again(&world, &video);
    world.clock.advance(Duration::from_mins(10));
    world.start().await;
    // Whatever is to come is due by then.
    world.until(&accepted, |item| item["state"] == "done" || item["attempts"].as_u64() > Some(3)).await;
    world.clock.advance(Duration::from_secs(31));
    let finished = world.finished(&accepted).await;
    assert_eq!(finished.outcomes(), ["unknown"], "{}", finished.body);
    assert_eq!(world.at_tencent("DeleteMedia").len(), 1, "it is not repeated");
    assert!(stands(&world, &video), "the new rendition was deleted");
    world.end().await;
}

#[tokio::test]
async fn a_rendition_made_anew_after_a_crash_in_its_delete_stands_ten_minutes_later() {
    ten_minutes_down(Cut::Call).await;
}

#[tokio::test]
async fn a_rendition_made_anew_after_a_crash_before_its_repeat_stands_ten_minutes_later() {
    ten_minutes_down(Cut::Wait).await;
}

#[tokio::test]
async fn a_repeat_that_a_blocked_account_held_up_for_too_long_does_not_go_out() {
    let world = World::by_default().await;
    world.switches(|switches| switches.read_delay_ms = 600_000);
    let refused =
        Fault::Error { status: None, code: "AuthFailure.SignatureFailure".to_owned(), message: None };
    let mut rules = once("DeleteMedia", Fault::Reset { after_effect: true });
    rules.extend(once("DeleteMedia", refused));
    world.tencent().set_faults(rules).unwrap();
    let video = t::video(5);
    let path = format!("{TENCENT}/media/{video}/renditions?definition={}", t::TRANSCODES[0]);
    let accepted = world.delete_async(&path).await;
    // A read, the delete, a read, the repeat that closes the account; then two minutes go by.
    world.until(&accepted, |item| item["attempts"] == 4 && item["state"] == "pending").await;
    make_again(&world, &video);
    world.clock.advance(Duration::from_mins(2));
    assert_eq!(world.unblock(TENCENT).await["state"], "ok");
    let finished = world.finished(&accepted).await;
    assert_eq!(finished.outcomes(), ["unknown"], "{}", finished.body);
    assert!(stands(&world, &video), "the new rendition was deleted");
    world.end().await;
}
