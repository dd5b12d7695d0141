//! What each kind of target comes to at Tencent, where one call deletes all of it or parts.
//!
//! The danger here is widening: a selector that the vendor reads as "everything",
//! an id that is a video although an image was meant, a source without which
//! nothing plays. Each has its claim, with the ledger as the witness.

use serde_json::{Value, json};
use vodrm::providers::tencent::sandbox::{Busy, PartKind, seed};

use crate::harness::{TENCENT, World};

/// The parts that a media still has, as the simulator lists them.
fn left(world: &World, id: &str) -> Vec<String> {
    let assets = world.tencent().vendor().assets();
    let media = assets["media"].as_array().unwrap().iter().find(|media| media["FileId"] == id);
    let parts = media.unwrap_or_else(|| panic!("{id} is gone"))["Parts"].as_array().unwrap().clone();
    parts.iter().map(|part| part.as_str().unwrap().to_owned()).collect()
}

/// Everything that delete calls named, whether it worked or not.
fn sent(world: &World) -> Vec<String> {
    let rows = world.at_tencent("DeleteMedia");
    rows.iter().flat_map(|row| &row.effects).filter_map(|effect| effect.part.clone()).collect()
}

async fn renditions(world: &World, id: &str, query: &str) -> crate::harness::Answer {
    world.delete(&format!("{TENCENT}/media/{id}/renditions?{query}")).await
}

#[tokio::test]
async fn a_media_goes_whole_and_only_once() {
    let world = World::by_default().await;
    for id in [seed::video(1).as_str(), seed::AUDIO, seed::IMAGE, seed::FORBIDDEN, seed::WITH_MPS] {
        world.delete(&format!("{TENCENT}/media/{id}")).await.is_deleted();
        world.delete(&format!("{TENCENT}/media/{id}")).await.is(200, "absent", None);
    }
    world.end().await;
}

#[tokio::test]
async fn what_is_missing_is_absent_of_every_kind() {
    let world = World::by_default().await;
    let missing = seed::MISSING;
    for path in [
        format!("media/{missing}"),
        format!("media/{missing}/source"),
        format!("media/{missing}/source?force=true"),
        format!("media/{missing}/renditions?all=true"),
        format!("media/{missing}/renditions?definition=100010"),
        format!("images/{missing}"),
    ] {
        world.delete(&format!("{TENCENT}/{path}")).await.is(200, "absent", None);
        let and = if path.contains('?') { '&' } else { '?' };
        let strict = world.delete(&format!("{TENCENT}/{path}{and}if_absent=error")).await;
        strict.is(404, "absent", Some("absent"));
    }
    world.end().await;
}

#[tokio::test]
async fn a_source_goes_only_while_something_else_plays() {
    let world = World::by_default().await;
    let video = seed::video(2);
    world.delete(&format!("{TENCENT}/media/{video}/source")).await.is_deleted();
    assert_eq!(left(&world, &video).len(), 8, "only the original went");
    let lone = format!("{TENCENT}/media/{}/source", seed::ORIGINAL_ONLY);
    world.delete(&lone).await.is(423, "refused", Some("protected"));
    assert_eq!(left(&world, seed::ORIGINAL_ONLY), ["OriginalFiles:0"]);
    world.delete(&format!("{lone}?force=true")).await.is_deleted();
    let without = format!("{TENCENT}/media/{}/source", seed::WITHOUT_ORIGINAL);
    world.delete(&without).await.is(200, "absent", None);
    world.end().await;
}

#[tokio::test]
async fn named_templates_go_and_all_others_stay() {
    let world = World::by_default().await;
    let video = seed::video(3);
    let answer = renditions(&world, &video, "definition=100010&definition=100030&definition=999").await;
    answer.is_deleted();
    let outcomes: Vec<_> = answer.item()["parts"].as_array().unwrap().iter().map(|p| &p["outcome"]).collect();
    assert_eq!(outcomes, ["deleted", "deleted", "absent"]);
    assert_eq!(
        sent(&world),
        ["TranscodeFiles:100010", "TranscodeFiles:100030"],
        "what is not there is not sent"
    );
    let stays = left(&world, &video);
    for part in ["TranscodeFiles:100020", "TranscodeFiles:10000", "OriginalFiles:0"] {
        assert!(stays.contains(&part.to_owned()), "{part} of {stays:?}");
    }
    renditions(&world, &video, "definition=999").await.is(200, "absent", None);
    world.end().await;
}

#[tokio::test]
async fn the_master_playlist_goes_only_when_it_is_named() {
    let world = World::by_default().await;
    let video = seed::video(4);
    renditions(&world, &video, "definition=10000").await.is_deleted();
    assert_eq!(sent(&world), ["TranscodeFiles:10000"]);
    assert_eq!(left(&world, &video).len(), 8);
    world.end().await;
}

#[tokio::test]
async fn a_family_goes_whole_and_the_others_stay() {
    let world = World::by_default().await;
    for (n, family, gone) in [
        (5, "transcode", "TranscodeFiles"),
        (6, "adaptive", "AdaptiveDynamicStreamingFiles"),
        (7, "wechat_publish", "WechatPublishFiles"),
        (8, "wechat_mini_program_publish", "WechatMiniProgramPublishFiles"),
    ] {
        let (video, before) = (seed::video(n), left(&world, &seed::video(n)));
        renditions(&world, &video, &format!("family={family}")).await.is_deleted();
        let wanted: Vec<_> = before.into_iter().filter(|part| part.split(':').next() != Some(gone)).collect();
        assert_eq!(left(&world, &video), wanted, "{family}");
    }
    renditions(&world, &seed::video(9), "family=adaptive&definition=12").await.is_deleted();
    assert!(left(&world, &seed::video(9)).contains(&"AdaptiveDynamicStreamingFiles:10".to_owned()));
    world.end().await;
}

#[tokio::test]
async fn all_renditions_are_four_families_and_never_the_whole_media() {
    let world = World::by_default().await;
    renditions(&world, &seed::video(10), "all=true").await.is_deleted();
    assert_eq!(left(&world, &seed::video(10)), ["OriginalFiles:0"]);
    renditions(&world, seed::WITH_MPS, "all=true").await.is_deleted();
    assert_eq!(left(&world, seed::WITH_MPS).len(), 4, "the products of MPS were not asked for");
    world.end().await;
}

#[tokio::test]
async fn an_image_that_is_a_video_is_invalid_and_stays() {
    let world = World::by_default().await;
    for id in [seed::video(11).as_str(), seed::AUDIO] {
        world.delete(&format!("{TENCENT}/images/{id}")).await.is(422, "refused", Some("invalid"));
    }
    assert_eq!(world.at_tencent("DeleteMedia").len(), 0);
    world.delete(&format!("{TENCENT}/images/{}", seed::IMAGE)).await.is_deleted();
    assert_eq!(world.at_tencent("DeleteMedia").len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_locked_media_is_forbidden_and_a_worked_on_one_is_busy() {
    let world = World::by_default().await;
    world.delete(&format!("{TENCENT}/media/{}", seed::LOCKED)).await.is(403, "refused", Some("forbidden"));
    for busy in [Busy::ResourceInUse, Busy::ResourceUnavailable, Busy::TaskDuplicate] {
        world.switches(|switches| switches.busy = busy);
        let answer = world.delete(&format!("{TENCENT}/media/{}", seed::BUSY)).await;
        answer.is(409, "busy", Some("busy"));
    }
    world.sandboxes.tencent_vod.set_busy(seed::BUSY, false);
    world.delete(&format!("{TENCENT}/media/{}", seed::BUSY)).await.is_deleted();
    world.end().await;
}

#[tokio::test]
async fn what_tencent_lacks_is_unsupported_and_the_rest_goes_on() {
    let world = World::by_default().await;
    let (id, kinds) = (seed::video(12), json!(["media", "source", "renditions", "image"]));
    let targets = [
        json!({"kind": "snapshots", "id": id, "all": true}),
        json!({"kind": "attached_media", "id": id}),
        json!({"kind": "image", "url": "https://media.example/1.jpg"}),
        json!({"kind": "media", "reference_id": "reference-1"}),
        json!({"kind": "renditions", "id": id, "job_ids": ["1"]}),
        json!({"kind": "media", "id": id}),
    ];
    let answer = world.post(&json!({"account": TENCENT, "targets": targets})).await;
    assert_eq!(answer.status, 207);
    for item in &answer.items()[..5] {
        assert_eq!(
            (&item["outcome"], &item["error"]["code"], &item["error"]["supported"], &item["retriable"]),
            (&json!("refused"), &json!("unsupported"), &kinds, &json!(false)),
            "{item}"
        );
    }
    assert_eq!(answer.nth(5)["outcome"], "deleted");
    assert_eq!(world.tencent().calls(), 1, "what cannot be served is not asked");
    world.end().await;
}

#[tokio::test]
async fn a_selector_that_would_mean_everything_is_refused_before_anything_is_sent() {
    let world = World::by_default().await;
    let id = seed::video(13);
    let pointer = |answer: &crate::harness::Answer| answer.body["errors"][0]["pointer"].clone();
    for target in [
        json!({"kind": "renditions", "id": id, "definitions": ["0"]}),
        json!({"kind": "renditions", "id": id, "definitions": [0]}),
        json!({"kind": "renditions", "id": id, "definitions": ["HD"]}),
        json!({"kind": "renditions", "id": id, "definitions": ["-1"]}),
        json!({"kind": "renditions", "id": id, "definitions": []}),
        json!({"kind": "renditions", "id": id, "all": true, "definitions": ["100010"]}),
        json!({"kind": "renditions", "id": id}),
    ] {
        let beside: Value = json!({"kind": "media", "id": seed::video(14)});
        let answer = world.post(&json!({"account": TENCENT, "targets": [beside, target]})).await;
        assert_eq!(answer.status, 422, "{target}: {}", answer.body);
        assert!(pointer(&answer).as_str().is_some_and(|p| p.starts_with("#/targets/1")), "{}", answer.body);
    }
    assert_eq!(world.tencent().calls(), 0);
    world.end().await;
}

#[tokio::test]
async fn every_spelling_of_not_found_is_absent() {
    use vodrm::providers::tencent::sandbox::{AbsentPart, NotFoundCode};
    let world = World::by_default().await;
    for code in [NotFoundCode::ResourceNotFound, NotFoundCode::FileNotExist, NotFoundCode::FileId] {
        world.switches(|switches| {
            (switches.not_found_code, switches.absent_part) = (code, AbsentPart::ResourceNotFound);
        });
        world.delete(&format!("{TENCENT}/media/{}", seed::MISSING)).await.is(200, "absent", None);
    }
    // A WeChat copy stands in no list: only the delete itself tells that it is not there.
    let video = seed::video(15);
    renditions(&world, &video, "family=wechat_publish").await.is_deleted();
    renditions(&world, &video, "family=wechat_publish").await.is(200, "absent", None);
    // One that is there beside one that is not: refused as a whole by this vendor, settled apart.
    world.sandboxes.tencent_vod.make_part(&video, PartKind::WechatPublishFiles, 0);
    let answer = renditions(&world, &video, "all=true").await;
    answer.is_deleted();
    assert_eq!(left(&world, &video), ["OriginalFiles:0"]);
    world.end().await;
}
