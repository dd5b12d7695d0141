//! A deletion as it happens: every outcome once, in order, wherever one comes back.

use crate::harness::sse::{Event, Events};
use crate::harness::{ALI, Fault, FaultRule, House, ali, lines, media_body};

fn items(events: &[Event]) -> Vec<u32> {
    events.iter().filter(|event| event.name == "item").map(|event| event.id).collect()
}

fn ends_with_done(events: &[Event]) {
    let done: Vec<&Event> = events.iter().filter(|event| event.name == "done").collect();
    assert_eq!(done.len(), 1, "{events:?}");
    assert_eq!(events.last().unwrap().name, "done");
    assert_eq!(done[0].data["state"], "finished");
    assert!(done[0].data.get("items").is_none(), "without its items: {}", done[0].data);
}

#[tokio::test]
async fn whoever_comes_back_goes_on_where_it_was() {
    let house = House::start().await;
    let ids: Vec<String> = (0..45).map(|n| format!("missing-{n}")).collect();
    let id = house.submit(&media_body(ids.iter().map(String::as_str))).await.json();
    let id = id["id"].as_str().unwrap();
    let whole = Events::of(&house, id, None).await.all().await;
    assert_eq!(items(&whole), (1..=45).collect::<Vec<u32>>());
    ends_with_done(&whole);
    let mut seen: Vec<u64> = whole.iter().filter_map(|event| event.data["index"].as_u64()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..45).collect::<Vec<u64>>(), "every item once");
    for cut in 0..=45 {
        let rest = Events::of(&house, id, Some(cut)).await.all().await;
        assert_eq!(items(&rest), (cut + 1..=45).collect::<Vec<u32>>(), "after {cut}");
        ends_with_done(&rest);
        assert!(rest.iter().all(|event| event.id >= cut), "{rest:?}");
    }
}

#[tokio::test]
async fn a_deletion_under_way_is_told_without_gap_or_repeat_over_breaks() {
    let house = House::start().await;
    let list = lines((0..5_000).map(|n| format!("missing-{n}")));
    let answer = house.upload_text("", list).send().await.json();
    let id = answer["id"].as_str().unwrap();
    let (mut after, mut all) = (None, Vec::new());
    // The line breaks after ever more events; the client comes back with the last id it saw.
    for breaks_after in 1.. {
        let mut events = Events::of(&house, id, after).await;
        let mut is_done = false;
        for _ in 0..breaks_after * 40 {
            let Some(event) = events.next().await else { break };
            after = Some(event.id);
            is_done |= event.name == "done";
            all.push(event);
        }
        if is_done {
            break;
        }
    }
    assert_eq!(items(&all), (1..=5_000).collect::<Vec<u32>>());
    ends_with_done(&all);
    let pending: Vec<u64> = all
        .iter()
        .filter(|event| event.name == "progress")
        .map(|event| event.data["counts"]["pending"].as_u64().unwrap())
        .collect();
    assert!(pending.windows(2).all(|two| two[0] >= two[1]), "counters never fall back: {pending:?}");
    assert_eq!(pending.last(), Some(&0));
}

#[tokio::test]
async fn counters_come_at_once_and_the_end_when_it_comes() {
    let house = House::start().await;
    house
        .alibaba()
        .set_faults(vec![FaultRule::always(Fault::Delay { ms: 700, late_effect: false })])
        .unwrap();
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    let mut events = Events::of(&house, &id, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((first.name.as_str(), first.id), ("progress", 0));
    assert_eq!(first.data["counts"]["pending"], 1);
    let rest = events.all().await;
    assert_eq!(items(&rest), [1]);
    ends_with_done(&rest);
    assert_eq!(rest[0].data["target"]["account"], ALI);
}

#[tokio::test]
async fn a_place_that_was_never_given_is_a_400() {
    let house = House::start().await;
    let id = house.submit(&media_body([ali::MISSING])).await.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/deletions/{id}/events");
    for bad in ["2", "-1", "x", "", "1.5"] {
        let answer = house.call("GET", &path).header("last-event-id", bad).send().await;
        answer.problem(400, "malformed");
    }
    house.get(&format!("{path}?last_event_id=1")).await.problem(400, "malformed");
    house.call("GET", &path).header("accept", "application/json").send().await.problem(406, "not_acceptable");
    assert_eq!(house.call("GET", &path).header("accept", "text/event-stream").send().await.status, 200);
}

#[tokio::test]
async fn a_watch_ends_with_the_service() {
    let mut house = House::start().await;
    house
        .alibaba()
        .set_faults(vec![FaultRule::always(Fault::Throttle { code: None, retry_after_ms: Some(60_000) })])
        .unwrap();
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    let mut events = Events::of(&house, &id, None).await;
    assert_eq!(events.next().await.unwrap().name, "progress");
    house.stop().await;
    assert_eq!(events.next().await, None, "in order, without `done`");
}
