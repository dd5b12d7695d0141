//! Items become calls: what travels together, what never does, and how many calls it takes.
//!
//! Deletes that arrive while a lane waits for its permit share the next call; one
//! that arrives alone waits for nobody. One id that a vendor does not swallow is
//! found by halving, at a price that is bounded and checked here for every place
//! in a batch. Ends with the queue's limit.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed;
use vodrm::sandbox::{Fault, FaultRule};

use crate::harness::{ALIBABA, TENCENT, World, no_limits, of_ids};

fn poisoned(id: &str) -> FaultRule {
    let fault = Fault::Error { status: None, code: "InvalidParameter".to_owned(), message: None };
    FaultRule::always(fault).for_operation("DeleteVideo").for_id(id)
}

#[tokio::test]
async fn a_thousand_single_deletes_at_once_take_at_most_sixty_calls() {
    let world = World::by_default().await;
    let ids = world.bulk(1_000);
    let answers =
        join_all(ids.iter().map(async |id| world.delete(&format!("{ALIBABA}/media/{id}")).await)).await;
    for answer in answers {
        answer.is_deleted();
    }
    let calls = world.at_alibaba("DeleteVideo");
    assert!(calls.len() <= 60, "{} calls for 1,000 deletes", calls.len());
    assert!(calls.iter().all(|call| call.verdict == "ok"), "the published limit was kept");
    println!("1,000 concurrent deletes took {} calls", calls.len());
    world.end().await;
}

#[tokio::test]
async fn a_lone_delete_waits_for_nobody() {
    let world = World::by_default().await;
    let ids = world.bulk(2);
    let hang = FaultRule::once(Fault::Hang { after_effect: true }).for_id(&ids[0]);
    world.alibaba().set_faults(vec![hang]).unwrap();
    world.delete_async(&format!("{ALIBABA}/media/{}", ids[0])).await;
    world.alibaba().wait_for_calls(1).await;
    // The call before it in the same lane has no answer yet, and that one's time is not up.
    let answer = world.delete(&format!("{ALIBABA}/media/{}", ids[1])).await;
    answer.is_deleted();
    assert_eq!(world.at_alibaba("DeleteVideo")[1].ids, [ids[1].clone()]);
    world.end().await;
}

#[tokio::test]
async fn items_share_a_call_only_if_nothing_but_the_id_differs() {
    let world = World::quick().await;
    let ids = world.bulk(40);
    let target = |(n, id): (usize, &String)| match n % 4 {
        0 => json!({"kind": "source", "id": id}),
        1 => json!({"kind": "source", "id": id, "force": true}),
        2 => json!({"kind": "media", "id": id}),
        _ => json!({"kind": "renditions", "id": id, "job_ids": [seed::job(id, 0)]}),
    };
    let images = (1..=4).map(|n| json!({"kind": "image", "id": seed::image(n)}));
    let urls = (5..=8).map(|n| json!({"kind": "image", "url": seed::image_url(n)}));
    let covers = (1..=3).map(|n| json!({"kind": "snapshots", "id": seed::normal(n), "types": ["cover"]}));
    let targets: Vec<Value> =
        ids.iter().enumerate().map(target).chain(images).chain(urls).chain(covers).collect();
    let answer = world.post(&json!({"account": ALIBABA, "targets": targets})).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 51], "{}", answer.body);
    let sent = |operation: &str| world.at_alibaba(operation).into_iter().map(|call| call.ids.len());
    assert_eq!(sent("DeleteVideo").collect::<Vec<_>>(), [10]);
    assert_eq!(sent("DeleteMezzanines").collect::<Vec<_>>(), [10, 10], "with and without Force");
    assert_eq!(sent("DeleteStream").count(), 10, "one video a call");
    assert_eq!(sent("DeleteImage").collect::<Vec<_>>().len(), 5, "ids, URLs, and one video a call");
    for call in world.at_alibaba("DeleteMezzanines") {
        let places = call.ids.iter().map(|id| ids.iter().position(|known| known == id).unwrap() % 4);
        assert_eq!(places.collect::<BTreeSet<_>>().len(), 1, "{call:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_full_call_carries_twenty_items_at_alibaba_and_one_at_tencent() {
    let world = World::quick().await;
    let answer = world.post_ids(ALIBABA, "media", &world.bulk(100)).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 100]);
    let sizes: Vec<_> = world.at_alibaba("DeleteVideo").iter().map(|call| call.ids.len()).collect();
    assert_eq!(sizes, [20; 5]);
    let files: Vec<String> = (0..20).map(vodrm::providers::tencent::sandbox::seed::video).collect();
    let answer = world.post_ids(TENCENT, "media", &files).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 20]);
    assert_eq!(world.at_tencent("DeleteMedia").len(), 20);
    world.end().await;
}

#[tokio::test]
async fn one_bad_id_in_twenty_costs_at_most_eleven_calls_wherever_it_stands() {
    let world = World::quick().await;
    let all = world.bulk(20 * 20);
    let mut most = 0;
    for (place, ids) in all.chunks(20).enumerate() {
        world.alibaba().set_faults(vec![poisoned(&ids[place])]).unwrap();
        let before = world.at_alibaba("DeleteVideo").len();
        let answer = world.post_ids(ALIBABA, "media", ids).await;
        let mut wanted = vec!["deleted"; 20];
        wanted[place] = "refused";
        assert_eq!(answer.outcomes(), wanted, "{}", answer.body);
        let bad = &answer.nth(place)["error"];
        assert_eq!((&bad["code"], &bad["vendor_code"]), (&json!("invalid"), &json!("InvalidParameter")));
        let calls = world.at_alibaba("DeleteVideo").len() - before;
        assert!(calls <= 11, "{calls} calls with the bad id at {place}");
        most = most.max(calls);
    }
    println!("one bad id in twenty took at most {most} calls");
    world.end().await;
}

#[tokio::test]
async fn any_mix_of_bad_ids_costs_at_most_thirty_nine_calls() {
    let world = World::quick().await;
    let mixes: [&[usize]; 6] = [
        &[0, 19],
        &[9, 10],
        &[0, 4, 9, 14, 19],
        &[3, 7, 8, 12, 16],
        &[0, 2, 4, 6, 8, 10, 12, 14, 16, 18],
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19],
    ];
    let all = world.bulk(20 * 6);
    for (ids, bad) in all.chunks(20).zip(mixes) {
        world.alibaba().set_faults(bad.iter().map(|place| poisoned(&ids[*place])).collect()).unwrap();
        let before = world.at_alibaba("DeleteVideo").len();
        let answer = world.post_ids(ALIBABA, "media", ids).await;
        let wanted: Vec<_> = (0..20).map(|n| if bad.contains(&n) { "refused" } else { "deleted" }).collect();
        assert_eq!(answer.outcomes(), wanted, "{}", answer.body);
        let calls = world.at_alibaba("DeleteVideo").len() - before;
        assert!(calls <= 39, "{calls} calls with the bad ids at {bad:?}");
        println!("{} bad ids in twenty took {calls} calls", bad.len());
    }
    world.end().await;
}

#[tokio::test]
async fn one_unlisted_answer_for_a_batch_burns_only_the_id_that_causes_it() {
    let world = World::quick().await;
    let ids = world.bulk(8);
    let fault = Fault::Error { status: None, code: "Brand.New".to_owned(), message: None };
    world.alibaba().set_faults(vec![FaultRule::always(fault).for_id(&ids[5])]).unwrap();
    let answer = world.post_ids(ALIBABA, "media", &ids).await;
    let mut wanted = vec!["deleted"; 8];
    wanted[5] = "failed";
    assert_eq!(answer.outcomes(), wanted, "{}", answer.body);
    let error = &answer.nth(5)["error"];
    assert_eq!((&error["code"], &error["vendor_code"]), (&json!("vendor_error"), &json!("Brand.New")));
    world.end().await;
}

#[tokio::test]
async fn a_full_queue_is_429_and_takes_nothing() {
    let world = World::with(|settings, sandboxes| {
        no_limits(settings, sandboxes);
        settings.lanes.queue_depth = 50;
    })
    .await;
    let ids = world.bulk(100);
    // One call takes 20 at once; of the other 51 one does not fit.
    let answer = world.post_ids(ALIBABA, "media", &ids[..71]).await;
    assert_eq!((answer.status, answer.body["code"].as_str()), (429, Some("queue_full")), "{}", answer.body);
    let seconds: u64 = answer.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=3_600).contains(&seconds), "{seconds}");
    assert_eq!(answer.body["retriable"], true);
    assert_eq!(world.get("/v1/deletions").await.body["items"], json!([]), "nothing was accepted");
    assert_eq!(world.alibaba().calls(), 0, "nothing is sent later");
    // The places and the permit that it looked at are free again.
    let answer = world.post_ids(ALIBABA, "media", &ids[..50]).await;
    assert_eq!(answer.outcomes(), vec!["deleted"; 50]);
    assert_eq!(world.lane(ALIBABA, "DeleteVideo").await["queue_depth"], 0);
    let waiting = of_ids(TENCENT, "media", &["5285890784199999999"]);
    assert_eq!(world.post(&waiting).await.outcomes(), ["absent"], "other lanes are not concerned");
    world.end().await;
}
