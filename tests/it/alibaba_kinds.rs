//! What each kind of target comes to at Alibaba, seen by a caller and by the ledger.
//!
//! One vendor call per claim, no faults: which operation goes out, what it may
//! touch, and the outcome for what stands, is missing, protected, busy or of
//! another application.

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed;

use crate::harness::{ALIBABA, World};

fn job_of(row: &vodrm::sandbox::LedgerRow) -> Vec<String> {
    row.effects.iter().filter_map(|effect| effect.part.clone()).collect()
}

fn parts(item: &Value) -> Vec<(&str, &str)> {
    let parts = item["parts"].as_array().unwrap_or_else(|| panic!("no parts in {item}"));
    parts.iter().map(|part| (part["part"].as_str().unwrap(), part["outcome"].as_str().unwrap())).collect()
}

#[tokio::test]
async fn every_kind_is_deleted_by_its_own_operation() {
    let world = World::by_default().await;
    let jobs = seed::job(&seed::normal(5), 0);
    for (path, operation) in [
        (format!("media/{}", seed::normal(2)), "DeleteVideo"),
        (format!("media/{}/source", seed::normal(3)), "DeleteMezzanines"),
        (format!("media/{}/renditions?definition=HD", seed::normal(4)), "DeleteStream"),
        (format!("media/{}/renditions?job_id={jobs}", seed::normal(5)), "DeleteStream"),
        (format!("media/{}/snapshots?type=cover", seed::normal(6)), "DeleteImage"),
        (format!("images/{}", seed::IMAGE), "DeleteImage"),
        (format!("attached-media/{}", seed::ATTACHED), "DeleteAttachedMedia"),
        (format!("media/{}", seed::UPLOADING), "DeleteVideo"),
        (format!("media/{}", seed::BLOCKED), "DeleteVideo"),
    ] {
        let before = world.at_alibaba(operation).len();
        let answer = world.delete(&format!("{ALIBABA}/{path}")).await;
        answer.is_deleted();
        assert_eq!(answer.item()["vendor"]["operation"], operation);
        assert_eq!(world.at_alibaba(operation).len(), before + 1, "{path}");
    }
    let library = &world.sandboxes.alibaba_vod;
    assert!(!library.has_video(&seed::normal(2)) && library.has_video(&seed::normal(3)));
    assert!(!library.has_source(&seed::normal(3)) && library.has_source(&seed::normal(4)));
    assert!(!library.has_image(seed::IMAGE) && library.has_image(seed::COVER_IMAGE));
    assert!(!library.has_attached(seed::ATTACHED) && library.has_attached(&seed::attached(2)));
    world.end().await;
}

#[tokio::test]
async fn what_is_missing_is_absent_and_404_only_where_that_is_asked_for() {
    let world = World::by_default().await;
    let missing = seed::MISSING;
    for path in [
        format!("media/{missing}"),
        format!("media/{missing}/source"),
        format!("media/{missing}/source?force=true"),
        format!("media/{missing}/renditions?all=true"),
        format!("media/{missing}/renditions?job_id=00ab"),
        format!("media/{missing}/snapshots?all=true"),
        format!("media/{missing}/snapshots?type=cover&type=normal"),
        format!("images/{missing}"),
        format!("attached-media/{missing}"),
        format!("media/{}/renditions?job_id=00ab", seed::NORMAL),
    ] {
        world.delete(&format!("{ALIBABA}/{path}")).await.is(200, "absent", None);
        let and = if path.contains('?') { '&' } else { '?' };
        let strict = world.delete(&format!("{ALIBABA}/{path}{and}if_absent=error")).await;
        strict.is(404, "absent", Some("absent"));
    }
    assert_eq!(world.sandboxes.alibaba_vod.stream_ids(seed::NORMAL).len(), seed::RENDITIONS.len());
    world.end().await;
}

#[tokio::test]
async fn a_reference_id_is_resolved_by_a_read_and_never_deleted_by() {
    let world = World::by_default().await;
    let references: Vec<Value> = (1..=3)
        .map(|n| json!({"kind": "media", "reference_id": seed::reference(n)}))
        .chain([
            json!({"kind": "source", "reference_id": seed::reference(4)}),
            json!({"kind": "renditions", "reference_id": seed::reference(5), "definitions": ["HD"]}),
            json!({"kind": "media", "reference_id": "no-such-reference"}),
        ])
        .collect();
    let answer = world.post(&json!({"account": ALIBABA, "targets": references})).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut wanted = vec!["deleted"; 5];
    wanted.push("absent");
    assert_eq!(answer.outcomes(), wanted, "{}", answer.body);
    for n in 1..=5 {
        assert_eq!(answer.nth(n - 1)["resolved_id"], seed::normal(u32::try_from(n).unwrap()));
    }
    for row in world.alibaba().ledger().iter().filter(|row| row.action.starts_with("Delete")) {
        assert!(row.ids.iter().all(|id| !id.contains("ref")), "a reference id was deleted by: {row:?}");
    }
    assert!(!world.sandboxes.alibaba_vod.has_video(&seed::normal(1)));
    assert!(!world.sandboxes.alibaba_vod.has_source(&seed::normal(4)));
    world.end().await;
}

#[tokio::test]
async fn a_definition_takes_all_its_duplicates_and_nothing_else() {
    let world = World::by_default().await;
    let path = format!("{ALIBABA}/media/{}/renditions?definition=LD", seed::NORMAL);
    let before = world.sandboxes.alibaba_vod.stream_ids(seed::NORMAL);
    let answer = world.delete(&path).await;
    answer.is_deleted();
    // LD was made twice, and a default read shows only the newer one.
    let gone = [seed::job(seed::NORMAL, 1), seed::job(seed::NORMAL, 2)];
    let told: Vec<_> = parts(answer.item()).into_iter().map(|(part, _)| part.to_owned()).collect();
    assert_eq!(told, gone.clone().map(|job| format!("job:{job}")));
    let left: Vec<_> = before.into_iter().filter(|job| !gone.contains(job)).collect();
    assert_eq!(world.sandboxes.alibaba_vod.stream_ids(seed::NORMAL), left);
    world.delete(&path).await.is(200, "absent", None);
    world.end().await;
}

#[tokio::test]
async fn a_definition_that_is_not_there_is_an_absent_part_beside_a_deleted_one() {
    let world = World::by_default().await;
    let job = seed::job(seed::NORMAL, 0);
    let query = format!("definition=HD&definition=4K&job_id={job}&job_id=00ab");
    let answer = world.delete(&format!("{ALIBABA}/media/{}/renditions?{query}", seed::NORMAL)).await;
    answer.is_deleted();
    let hd = format!("job:{}", seed::job(seed::NORMAL, 5));
    let named = format!("job:{job}");
    let told =
        [(hd.as_str(), "deleted"), ("definition:4K", "absent"), (&named, "deleted"), ("job:00ab", "absent")];
    assert_eq!(parts(answer.item()), told);
    let sent: Vec<_> = world.at_alibaba("DeleteStream").iter().flat_map(job_of).collect();
    assert_eq!(sent, [seed::job(seed::NORMAL, 5), job], "what is not there is not sent");
    world.end().await;
}

#[tokio::test]
async fn all_renditions_go_and_the_video_and_its_source_stay() {
    let world = World::by_default().await;
    for video in [seed::normal(8), seed::ENCRYPTED_ONLY.to_owned()] {
        let answer = world.delete(&format!("{ALIBABA}/media/{video}/renditions?all=true")).await;
        answer.is_deleted();
        assert_eq!(world.sandboxes.alibaba_vod.stream_ids(&video), Vec::<String>::new());
        assert!(world.sandboxes.alibaba_vod.has_source(&video));
    }
    // The one entry of an untranscoded video is its source, which nobody asked to delete.
    let untranscoded =
        world.delete(&format!("{ALIBABA}/media/{}/renditions?all=true", seed::NO_TRANSCODE)).await;
    untranscoded.is(200, "absent", None);
    assert!(world.sandboxes.alibaba_vod.has_source(seed::NO_TRANSCODE));
    world.end().await;
}

#[tokio::test]
async fn a_source_that_plays_is_protected_unless_forced() {
    let world = World::by_default().await;
    for video in [seed::NO_TRANSCODE, seed::ASYNC_TRANSCODE] {
        let path = format!("{ALIBABA}/media/{video}/source");
        world.delete(&path).await.is(423, "refused", Some("protected"));
        assert!(world.sandboxes.alibaba_vod.has_source(video));
        world.delete(&format!("{path}?force=true")).await.is_deleted();
        assert!(!world.sandboxes.alibaba_vod.has_source(video));
    }
    let foreign = format!("{ALIBABA}/media/{}/source?force=true", seed::OTHER_APPLICATION);
    world.delete(&foreign).await.is(403, "refused", Some("forbidden"));
    world.end().await;
}

#[tokio::test]
async fn what_belongs_to_another_application_is_forbidden() {
    let world = World::by_default().await;
    let path = format!("{ALIBABA}/media/{}", seed::OTHER_APPLICATION);
    let answer = world.delete(&path).await;
    answer.is(403, "refused", Some("forbidden"));
    assert_eq!(answer.body["retriable"], false);
    assert!(world.sandboxes.alibaba_vod.has_video(seed::OTHER_APPLICATION));
    assert!(world.account(ALIBABA).await["reason"].is_null(), "one asset is not the account");
    world.end().await;
}

#[tokio::test]
async fn a_video_that_is_transcoded_is_busy_and_deletable_later() {
    let world = World::by_default().await;
    for status in [403, 400] {
        world.quirks(|quirks| quirks.illegal_status = status);
        let answer = world.delete(&format!("{ALIBABA}/media/{}", seed::TRANSCODING)).await;
        answer.is(409, "busy", Some("busy"));
        assert_eq!((&answer.body["retriable"], answer.item()["attempts"].as_u64()), (&json!(true), Some(1)));
    }
    world.sandboxes.alibaba_vod.set_status(seed::TRANSCODING, "Normal");
    world.delete(&format!("{ALIBABA}/media/{}", seed::TRANSCODING)).await.is_deleted();
    world.end().await;
}

#[tokio::test]
async fn snapshots_go_by_type_or_all_at_once() {
    let world = World::by_default().await;
    let snapshots = async |video: String| {
        let media = world.get(&format!("/v1/accounts/{ALIBABA}/media/{video}")).await;
        let list = media.body["snapshots"].as_array().unwrap_or_else(|| panic!("{}", media.body)).clone();
        let kinds = list.iter().filter_map(|snapshot| Some(snapshot["type"].as_str()?.to_owned()));
        let mut kinds: Vec<String> = kinds.collect();
        kinds.dedup();
        kinds
    };
    let (some, all) = (seed::normal(10), seed::normal(11));
    let answer =
        world.delete(&format!("{ALIBABA}/media/{some}/snapshots?type=cover&type=sprite_origin")).await;
    answer.is_deleted();
    assert_eq!(snapshots(some).await, ["normal", "sprite"]);
    world.delete(&format!("{ALIBABA}/media/{all}/snapshots?all=true")).await.is_deleted();
    assert_eq!(snapshots(all).await, Vec::<String>::new());
    world.end().await;
}

#[tokio::test]
async fn an_image_goes_by_url_even_with_a_comma_in_it() {
    let world = World::by_default().await;
    let urls = [seed::image_url(1), seed::image_url(2), seed::COMMA_IMAGE_URL.replace(',', "%2C")];
    let targets: Vec<Value> = urls.iter().map(|url| json!({"kind": "image", "url": url})).collect();
    let answer = world.post(&json!({"account": ALIBABA, "targets": targets})).await;
    assert_eq!((answer.status, answer.outcomes()), (200, vec!["deleted"; 3]), "{}", answer.body);
    for n in 1..=3 {
        assert!(!world.sandboxes.alibaba_vod.has_image(&seed::image(n)), "image {n}");
    }
    let one = json!({"account": ALIBABA, "targets": [{"kind": "image", "url": seed::image_url(1)}]});
    assert_eq!(world.post(&one).await.outcomes(), ["absent"]);
    world.end().await;
}

#[tokio::test]
async fn a_family_is_unsupported_with_the_list_of_what_is() {
    let world = World::by_default().await;
    let path = format!("{ALIBABA}/media/{}/renditions?family=transcode", seed::NORMAL);
    let answer = world.delete(&path).await;
    answer.is(422, "refused", Some("unsupported"));
    let supported = answer.item()["error"]["supported"].as_array().unwrap().len();
    assert_eq!(supported, 6, "{}", answer.body);
    assert_eq!(world.alibaba().calls(), 0);
    world.end().await;
}
