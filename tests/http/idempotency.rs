//! One key, one deletion: however often, however at once, after a restart too.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::raw::Raw;
use crate::harness::{ALI, Answer, House, ali, beside, lines, media, media_body, new_key, soon};

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";

async fn post(house: &House, key: &str, body: &Value) -> Answer {
    house.call("POST", "/v1/deletions").header(KEY, key).json(body).send().await
}

fn id_of(answer: &Answer) -> String {
    assert!([200, 202, 207].contains(&answer.status), "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_repeat_gives_the_first_deletion_back() {
    let house = House::start().await;
    let body = media_body([ali::NORMAL, ali::MISSING]);
    let first = post(&house, "run-7", &body).await;
    assert_eq!((first.status, first.header(REPLAYED)), (200, ""), "{first:?}");
    let calls = house.vendors.calls();
    let second = post(&house, "run-7", &body).await;
    assert_eq!((second.status, second.header(REPLAYED)), (200, "true"), "{second:?}");
    assert_eq!(second.json(), first.json());
    assert_eq!(house.vendors.calls(), calls);
    post(&house, "run-7", &media_body([ali::NORMAL])).await.problem(422, "idempotency_key_reused");
    let other = post(&house, "run-8", &body).await;
    assert_ne!(id_of(&other), id_of(&first));
    let list = house.upload_text("", lines([ali::NORMAL])).header(KEY, "run-7").send().await;
    list.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn a_single_delete_is_repeated_by_its_key_too() {
    let house = House::start().await;
    let delete = |path: String, key: &'static str| house.call("DELETE", &path).header(KEY, key).send();
    let path = media(ALI, ali::NORMAL);
    let first = delete(path.clone(), "one").await;
    assert_eq!((first.status, first.json()["outcome"].as_str()), (200, Some("deleted")));
    let second = delete(path.clone(), "one").await;
    assert_eq!((second.status, second.header(REPLAYED)), (200, "true"));
    assert_eq!(second.json(), first.json(), "deleted, not absent: nothing was asked again");
    delete(format!("{path}?reason=x"), "one").await.problem(422, "idempotency_key_reused");
    delete(media(ALI, &ali::normal(2)), "one").await.problem(422, "idempotency_key_reused");
    delete(format!("{path}/source"), "one").await.problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn an_upload_is_repeated_by_its_key_too() {
    let house = House::start().await;
    let list = lines([ali::NORMAL, ali::MISSING, "a b"]);
    let send = |query: &'static str, list: String| house.upload_text(query, list).header(KEY, "list").send();
    let first = id_of(&send("", list.clone()).await);
    house.finished(&first).await;
    let second = send("", list.clone()).await;
    assert_eq!((second.status, second.header(REPLAYED)), (207, "true"), "{second:?}");
    assert_eq!(id_of(&second), first);
    send("", format!("{list}{}", ali::normal(2))).await.problem(422, "idempotency_key_reused");
    send("&reason=x", list).await.problem(422, "idempotency_key_reused");
    let all = house.get("/v1/deletions").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1, "{all}");
}

#[tokio::test]
async fn a_key_whose_upload_is_under_way_is_busy_and_free_again_if_it_breaks_off() {
    let house = House::start().await;
    let path = format!("/v1/deletions?account={ALI}");
    let head = "content-type: text/plain\r\nidempotency-key: list\r\ncontent-length: 100";
    let mut raw = Raw::open(house.addr).await;
    raw.send(format!("POST {path} HTTP/1.1\r\nhost: x\r\n{head}\r\n\r\nvideo-1\n")).await;
    // Too short to be taken by itself: it is busy as soon as the first has begun.
    let busy = async {
        loop {
            let answer = house.upload_text("", "a b\n").header(KEY, "list").send().await;
            if answer.status != 400 {
                return answer;
            }
        }
    };
    soon("the first upload", busy).await.problem(409, "idempotency_key_busy");
    post(&house, "list", &media_body([ali::NORMAL])).await.problem(409, "idempotency_key_busy");
    drop(raw);
    let free = async {
        loop {
            let answer = house.upload_text("", lines(["video-9"])).header(KEY, "list").send().await;
            if answer.status != 409 {
                return answer;
            }
        }
    };
    house.finished(&id_of(&soon("the key's release", free).await)).await;
}

#[tokio::test]
async fn a_thousand_twins_make_one_deletion() {
    let house = House::start().await;
    let body = media_body([ali::NORMAL]);
    let twins: Vec<_> = (0..1_000)
        .map(|_| {
            let request = house.client.post(house.url("/v1/deletions")).header(KEY, "twin").json(&body);
            beside(async move {
                let answer = request.send().await.unwrap();
                (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
            })
        })
        .collect();
    let mut names = BTreeSet::new();
    for twin in twins {
        let (status, answer) = soon("a twin's answer", twin).await.unwrap();
        assert!([200, 202].contains(&status), "{status} {answer}");
        names.insert(answer["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(names.len(), 1, "{names:?}");
    let all = house.get("/v1/deletions").await.json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    assert_eq!(house.vendors.calls(), 1);
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let mut house = House::start().await;
    let body = media_body([ali::NORMAL]);
    let first = id_of(&post(&house, "night", &body).await);
    house.stop().await;
    let journal = house.journal_path();
    let next = House::built("", |settings| settings.store.path = journal).await;
    let again = post(&next, "night", &body).await;
    assert_eq!((id_of(&again), again.header(REPLAYED)), (first, "true"));
    assert_eq!(next.vendors.calls(), 0);
}

#[tokio::test]
async fn keys_of_different_callers_never_meet() {
    let (one, two) = (new_key(), new_key());
    let caller = |name: &str, digest: &str| {
        format!(
            "[callers.{name}]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\nmay = [\"read\", \"delete\"]\n"
        )
    };
    let mut house = House::with(&(caller("one", &one.1) + &caller("two", &two.1))).await;
    house.as_caller(&one.0);
    let first = id_of(&post(&house, "k", &media_body([ali::NORMAL])).await);
    house.as_caller(&two.0);
    let other = post(&house, "k", &media_body([ali::MISSING])).await;
    assert_ne!(id_of(&other), first);
    assert_eq!(other.header(REPLAYED), "");
}

#[tokio::test]
async fn a_key_must_be_sane_and_may_be_demanded() {
    let house = House::start().await;
    let body = media_body([ali::NORMAL]);
    for bad in ["", "a b", &"k".repeat(256)] {
        post(&house, bad, &body).await.problem(400, "malformed");
        house
            .call("DELETE", &media(ALI, ali::NORMAL))
            .header(KEY, bad)
            .send()
            .await
            .problem(400, "malformed");
    }
    let strict = House::with("[idempotency]\nrequired = true").await;
    strict.submit(&body).await.problem(400, "idempotency_key_required");
    strict.delete_media(ali::NORMAL).await.problem(400, "idempotency_key_required");
    strict.upload_text("", lines([ali::NORMAL])).send().await.problem(400, "idempotency_key_required");
    assert_eq!(house.vendors.calls() + strict.vendors.calls(), 0);
    assert_eq!(post(&strict, "k", &body).await.status, 200);
    assert_eq!(json!(strict.vendors.calls()), json!(1));
}
