//! How long an answer waits, and that the work does not.

use std::time::{Duration, Instant};

use crate::harness::{ALI, Fault, FaultRule, House, ali, beside, media, media_body, soon};

/// A vendor that is at work until the test says otherwise.
fn hang(house: &House) {
    house.alibaba().set_faults(vec![FaultRule::always(Fault::Hang { after_effect: false })]).unwrap();
}

/// A vendor that takes its time and does what it is asked.
fn take_a_moment(house: &House) {
    let slow = Fault::Delay { ms: 300, late_effect: false };
    house.alibaba().set_faults(vec![FaultRule::always(slow)]).unwrap();
}

#[tokio::test]
async fn preferences_are_applied_and_said_so() {
    let house = House::start().await;
    let path = media(ALI, ali::MISSING);
    for (prefer, applied) in [
        ("wait=5", "wait=5"),
        ("wait=600", "wait=60"),
        ("Wait = \"7\" ; x=y, foo", "wait=7"),
        ("respond-async", "respond-async"),
        ("wait=5, respond-async", "respond-async, wait=5"),
        ("wait=soon", ""),
        ("return=minimal", ""),
    ] {
        let answer = house.call("DELETE", &path).header("prefer", prefer).send().await;
        assert!([200, 202].contains(&answer.status), "{answer:?}");
        assert_eq!(answer.header("preference-applied"), applied, "{prefer}");
        let posted = house.call("POST", "/v1/deletions").header("prefer", prefer);
        let posted = posted.json(&media_body([ali::MISSING])).send().await;
        assert_eq!(posted.header("preference-applied"), applied, "{prefer}");
    }
    let twice = house.call("DELETE", &path).header("prefer", "respond-async").header("prefer", "wait=3");
    assert_eq!(twice.send().await.header("preference-applied"), "respond-async, wait=3");
}

#[tokio::test]
async fn respond_async_answers_before_the_vendor_does() {
    let house = House::start().await;
    hang(&house);
    for prefer in ["respond-async", "wait=0", "wait=0, respond-async"] {
        let answer = house.call("DELETE", &media(ALI, ali::NORMAL)).header("prefer", prefer).send().await;
        assert_eq!(answer.status, 202, "{prefer}");
    }
}

#[tokio::test]
async fn a_wait_ends_with_its_time_or_with_the_work() {
    let house = House::start().await;
    take_a_moment(&house);
    let answer = house.call("DELETE", &media(ALI, ali::NORMAL)).header("prefer", "wait=60").send().await;
    assert_eq!(answer.status, 200, "it came when it was there: {answer:?}");
    hang(&house);
    let started = Instant::now();
    let answer = house.call("DELETE", &media(ALI, ali::NORMAL)).header("prefer", "wait=1").send().await;
    assert_eq!(answer.status, 202);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_long_poll_ends_with_the_deletion_or_its_time() {
    let house = House::start().await;
    hang(&house);
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    let path = format!("/v1/deletions/{id}");
    assert_eq!(house.get(&path).await.json()["state"], "running");
    let started = Instant::now();
    assert_eq!(house.get(&format!("{path}?wait=400ms")).await.json()["state"], "running");
    assert!(started.elapsed() >= Duration::from_millis(400));
    let slow = House::start().await;
    take_a_moment(&slow);
    let id = slow.submit_async(&media_body([ali::NORMAL])).await;
    let ended = slow.get(&format!("/v1/deletions/{id}?wait=60s")).await.json();
    assert_eq!((ended["state"].as_str(), ended["ok"].as_bool()), (Some("finished"), Some(true)));
    assert_eq!(slow.get(&format!("/v1/deletions/{id}?wait=60s")).await.status, 200, "an ended one at once");
}

#[tokio::test]
async fn a_long_poll_does_not_spin_behind_a_block() {
    let house = House::start().await;
    let refused =
        Fault::Error { status: Some(404), code: "InvalidAccessKeyId.NotFound".into(), message: None };
    house.alibaba().set_faults(vec![FaultRule::always(refused)]).unwrap();
    let id = house.submit_async(&media_body([ali::NORMAL])).await;
    let account = format!("/v1/accounts/{ALI}");
    soon("the block", async { while house.get(&account).await.json()["state"] != "blocked" {} }).await;
    let started = Instant::now();
    let shown = house.get(&format!("/v1/deletions/{id}?wait=500ms")).await.json();
    assert!(started.elapsed() >= Duration::from_millis(500), "it would be asked again at once");
    assert!(shown["warnings"][0].as_str().unwrap().contains("bad_credentials"), "{shown}");
}

#[tokio::test]
async fn hanging_up_cancels_nothing_that_was_accepted() {
    let house = House::start().await;
    take_a_moment(&house);
    for method in ["DELETE", "POST"] {
        house.alibaba().reset();
        take_a_moment(&house);
        let (client, url) = (house.client.clone(), house.url(&media(ALI, ali::NORMAL)));
        let (post, body) = (house.url("/v1/deletions"), media_body([ali::NORMAL]));
        let request = if method == "DELETE" { client.delete(url) } else { client.post(post).json(&body) };
        let waiting = beside(async move { request.send().await });
        house.alibaba().wait_for_calls(1).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        let newest = house.get("/v1/deletions?page_size=1").await.json();
        let ended = house.finished(newest["items"][0]["id"].as_str().unwrap()).await;
        assert_eq!(
            (ended["ok"].as_bool(), ended["counts"]["deleted"].as_u64()),
            (Some(true), Some(1)),
            "{method}"
        );
    }
    assert!(!house.vendors.both.alibaba_vod.has_video(ali::NORMAL));
}
