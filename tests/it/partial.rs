//! Answers that tell several fates at once, in every spelling that the pages show.
//!
//! Alibaba lists who is missing and who is barred and says nothing of the rest,
//! and its pages write such lists in five ways. Whatever the spelling, each
//! position must get its own outcome, and an answer that contradicts the call
//! must not be believed.

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::{BusyInBatch, EmptyLists, IdLists, seed};

use crate::harness::{ALIBABA, World};

const SPELLINGS: [IdLists; 5] =
    [IdLists::Array, IdLists::BareString, IdLists::CommaString, IdLists::JsonInArray, IdLists::JsonString];

/// A missing id that is no other's.
fn missing(n: u32) -> String {
    format!("dead{n:028x}")
}

#[tokio::test]
async fn every_spelling_of_a_partial_answer_gives_each_position_its_own_outcome() {
    let world = World::quick().await;
    let mut videos = world.bulk(200).into_iter();
    for id_lists in SPELLINGS {
        for empty_lists in [EmptyLists::Empty, EmptyLists::Omit, EmptyLists::Null] {
            world.quirks(|quirks| {
                (quirks.id_lists, quirks.empty_lists) = (id_lists, empty_lists);
                quirks.numbers_as_strings = empty_lists == EmptyLists::Omit;
            });
            let mut next = || videos.next().unwrap();
            let ids = [next(), missing(1), next(), seed::OTHER_APPLICATION.to_owned(), missing(2), next()];
            let answer = world.post_ids(ALIBABA, "media", &ids).await;
            let wanted = ["deleted", "absent", "deleted", "refused", "absent", "deleted"];
            assert_eq!(answer.outcomes(), wanted, "{id_lists:?}, {empty_lists:?}: {}", answer.body);
            assert_eq!(answer.nth(3)["error"]["code"], "forbidden");
            let one_missing = world.post_ids(ALIBABA, "media", &[next(), missing(3)]).await;
            assert_eq!(one_missing.outcomes(), ["deleted", "absent"], "{id_lists:?}, {empty_lists:?}");
            let none = world.post_ids(ALIBABA, "media", &[next(), next()]).await;
            assert_eq!(none.outcomes(), ["deleted", "deleted"], "{id_lists:?}, {empty_lists:?}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn sources_and_attached_media_are_told_apart_too() {
    let world = World::quick().await;
    let videos = world.bulk(10);
    for (n, id_lists) in SPELLINGS.into_iter().enumerate() {
        world.quirks(|quirks| quirks.id_lists = id_lists);
        let (video, image) = (&videos[n], u32::try_from(n).unwrap() + 1);
        let ids = [video.clone(), missing(4), seed::NO_TRANSCODE.to_owned()];
        let answer = world.post_ids(ALIBABA, "source", &ids).await;
        assert_eq!(answer.outcomes(), ["deleted", "absent", "refused"], "{id_lists:?}");
        assert_eq!(answer.nth(2)["error"]["code"], "protected");
        let ids = [seed::attached(image), missing(5), missing(6)];
        let answer = world.post_ids(ALIBABA, "attached_media", &ids).await;
        assert_eq!(answer.outcomes(), ["deleted", "absent", "absent"], "{id_lists:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_batch_of_which_nothing_exists_is_absent_at_404_and_at_400() {
    let world = World::quick().await;
    let ids: Vec<String> = (0..20).map(missing).collect();
    for status in [404, 400] {
        world.quirks(|quirks| quirks.all_missing_status = status);
        for kind in ["media", "source", "attached_media"] {
            let answer = world.post_ids(ALIBABA, kind, &ids).await;
            assert_eq!((answer.status, answer.outcomes()), (200, vec!["absent"; 20]), "{status} {kind}");
            assert!(answer.items().iter().all(|item| item["attempts"] == 1), "{status} {kind}");
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_busy_video_in_a_batch_is_busy_alone_whichever_way_the_vendor_says_so() {
    let world = World::quick().await;
    let videos = world.bulk(38);
    for (busy_in_batch, ids) in
        [BusyInBatch::RefuseCall, BusyInBatch::List].into_iter().zip(videos.chunks(19))
    {
        world.quirks(|quirks| quirks.busy_in_batch = busy_in_batch);
        let mut ids = ids.to_vec();
        ids.insert(7, seed::TRANSCODING.to_owned());
        let answer = world.post_ids(ALIBABA, "media", &ids).await;
        let told = answer.nth(7)["outcome"].clone();
        // A busy video that is only listed cannot be told from one without a right.
        let wanted = if busy_in_batch == BusyInBatch::List { "refused" } else { "busy" };
        assert_eq!(told, wanted, "{}", answer.body);
        let others = answer.items().iter().filter(|item| item["index"] != 7);
        assert!(others.clone().all(|item| item["outcome"] == "deleted"), "{}", answer.body);
        assert_eq!(others.count(), 19);
    }
    assert!(world.sandboxes.alibaba_vod.has_video(seed::TRANSCODING));
    world.end().await;
}

#[tokio::test]
async fn items_keep_their_order_and_their_labels() {
    let world = World::quick().await;
    let videos = world.bulk(300);
    let target = |(n, id): (usize, &String)| {
        let id = if n % 7 == 3 { &missing(u32::try_from(n).unwrap()) } else { id };
        json!({"kind": if n % 5 == 1 { "source" } else { "media" }, "id": id, "ref": format!("row-{n}")})
    };
    let targets: Vec<Value> = videos.iter().enumerate().map(target).collect();
    let answer = world.post(&json!({"account": ALIBABA, "targets": targets})).await;
    for (n, item) in answer.items().iter().enumerate() {
        assert_eq!((&item["index"], &item["ref"]), (&json!(n), &json!(format!("row-{n}"))));
        assert_eq!(item["target"]["id"], targets[n]["id"]);
        assert_eq!(item["outcome"], if n % 7 == 3 { "absent" } else { "deleted" }, "{item}");
    }
    world.end().await;
}
