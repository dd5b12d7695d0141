//! Lists: what is in them, in which order, page by page.

use serde_json::{Value, json};

use crate::harness::{ALI, House, TEN, ali, media, media_body, media_target, ten};

fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// Every page of a list, one after another.
async fn pages(house: &House, path: &str) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = house.get(&format!("{path}{separator}{token}")).await.json();
        all.push(page.clone());
        match page["next_page_token"].as_str() {
            Some(next) => token = format!("page_token={next}"),
            None => return all,
        }
    }
}

#[tokio::test]
async fn deletions_are_listed_newest_first_page_by_page() {
    let house = House::start().await;
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(house.submit(&media_body([ali::MISSING])).await.json()["id"].as_str().unwrap().to_owned());
    }
    made.reverse();
    assert_eq!(ids(&house.get("/v1/deletions").await.json()), made);
    let read = pages(&house, "/v1/deletions?page_size=2").await;
    assert_eq!(read.iter().map(|page| ids(page).len()).collect::<Vec<_>>(), [2, 2, 1]);
    assert_eq!(read.iter().flat_map(ids).collect::<Vec<_>>(), made);
    assert_eq!(pages(&house, "/v1/deletions?page_size=5").await.len(), 1, "no empty page at the end");
    assert!(read[0]["items"][0]["items"].is_null(), "without their items");
    // What comes in between does not shift the pages.
    let first = house.get("/v1/deletions?page_size=2").await.json();
    house.submit(&media_body([ali::MISSING])).await;
    let token = first["next_page_token"].as_str().unwrap();
    let second = house.get(&format!("/v1/deletions?page_size=2&page_token={token}")).await.json();
    assert_eq!(ids(&second), made[2..4]);
}

#[tokio::test]
async fn deletions_are_filtered_by_account_state_caller_and_time() {
    let house = House::start().await;
    let ali_only = house.submit(&media_body([ali::MISSING])).await.json();
    let both = json!({"account": ALI, "targets": [
        media_target(ali::MISSING), {"kind": "media", "account": TEN, "id": ten::MISSING},
    ]});
    let both = house.submit(&both).await.json();
    let hang = crate::harness::Fault::Hang { after_effect: false };
    house.alibaba().set_faults(vec![crate::harness::FaultRule::always(hang)]).unwrap();
    let open = house.submit_async(&media_body([ali::NORMAL])).await;
    let (first, second) = (ali_only["id"].as_str().unwrap(), both["id"].as_str().unwrap());
    let (from, to) = (ali_only["created_at"].as_str().unwrap(), both["created_at"].as_str().unwrap());
    for (query, wanted) in [
        (format!("account={TEN}"), vec![second]),
        (format!("account={ALI}"), vec![open.as_str(), second, first]),
        ("account=nobody".to_owned(), vec![]),
        ("state=finished".to_owned(), vec![second, first]),
        ("state=running".to_owned(), vec![open.as_str()]),
        ("requested_by=anonymous".to_owned(), vec![open.as_str(), second, first]),
        ("requested_by=cms".to_owned(), vec![]),
        (format!("since={from}&until={to}"), vec![first]),
        (format!("since={to}"), vec![open.as_str(), second]),
        (format!("until={from}"), vec![]),
        (format!("account={ALI}&state=finished&since={to}"), vec![second]),
    ] {
        let page = house.get(&format!("/v1/deletions?{query}")).await.json();
        assert_eq!(ids(&page), wanted, "{query}");
        assert!(page["next_page_token"].is_null());
    }
}

#[tokio::test]
async fn items_are_listed_in_order_and_filtered() {
    let house = House::start().await;
    let targets: Vec<String> = (1..=4).flat_map(|n| [ali::normal(n), format!("missing-{n}")]).collect();
    let deletion = house.submit(&media_body(targets.iter().map(String::as_str))).await.json();
    let path = format!("/v1/deletions/{}/items", deletion["id"].as_str().unwrap());
    let indexes = |pages: &[Value]| -> Vec<u64> {
        pages
            .iter()
            .flat_map(|page| page["items"].as_array().unwrap())
            .map(|i| i["index"].as_u64().unwrap())
            .collect()
    };
    let read = pages(&house, &format!("{path}?page_size=3")).await;
    assert_eq!((read.len(), indexes(&read)), (3, (0..8).collect::<Vec<_>>()));
    assert_eq!(read[0]["items"][0], deletion["items"][0], "the same item everywhere");
    for (query, wanted) in [
        ("outcome=deleted", vec![0, 2, 4, 6]),
        ("outcome=absent&state=done", vec![1, 3, 5, 7]),
        ("state=pending", vec![]),
        ("outcome=failed", vec![]),
    ] {
        assert_eq!(indexes(&pages(&house, &format!("{path}?page_size=3&{query}")).await), wanted, "{query}");
    }
}

#[tokio::test]
async fn the_receipt_of_an_item_names_every_call() {
    let house = House::start().await;
    let answer = house.delete(&format!("{}/renditions?definition=HD", media(ALI, ali::NORMAL))).await;
    let receipt = house.get(&format!("{}/items/0", answer.header("location"))).await.json();
    let calls: Vec<(&str, &str)> = receipt["calls"]
        .as_array()
        .unwrap()
        .iter()
        .map(|call| (call["operation"].as_str().unwrap(), call["purpose"].as_str().unwrap()))
        .collect();
    assert_eq!(calls.last(), Some(&("DeleteStream", "delete")), "{receipt}");
    assert_eq!(calls[0].1, "resolve", "{receipt}");
    assert_eq!(receipt["attempts"].as_u64(), Some(calls.len() as u64));
    let rows = house.alibaba().ledger();
    assert_eq!(rows.len(), calls.len(), "as many as the vendor saw");
    assert_eq!(receipt["calls"][0]["class"], "answered");
    assert_eq!(
        receipt["vendor"]["request_id"],
        receipt["calls"].as_array().unwrap().last().unwrap()["request_id"]
    );
}

#[tokio::test]
async fn what_happened_to_an_asset_is_found_by_any_of_its_names() {
    let house = House::start().await;
    let (image, reference) = (ali::image_url(4), ali::reference(5));
    let targets = json!([
        media_target(ali::NORMAL),
        {"kind": "source", "id": ali::NORMAL},
        {"kind": "media", "reference_id": reference},
        {"kind": "image", "url": image},
    ]);
    house.submit(&json!({"account": ALI, "targets": targets})).await;
    house.delete_media(ali::NORMAL).await;
    let find = async |id: &str, more: &str| {
        let id: String =
            percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC).to_string();
        house.get(&format!("/v1/items?account={ALI}&id={id}{more}")).await.json()
    };
    let kinds = |page: &Value| -> Vec<String> {
        page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|i| i["target"]["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    let found = find(ali::NORMAL, "").await;
    assert_eq!(kinds(&found), ["media", "source", "media"], "newest first: {found}");
    let first = find(ali::NORMAL, "&page_size=2").await;
    let rest =
        find(ali::NORMAL, &format!("&page_size=2&page_token={}", first["next_page_token"].as_str().unwrap()))
            .await;
    assert_eq!((kinds(&first).len(), kinds(&rest).len()), (2, 1));
    assert_eq!(kinds(&find(&reference, "").await), ["media"]);
    assert_eq!(kinds(&find(&ali::normal(5), "").await), ["media"], "by what the reference was resolved to");
    assert_eq!(kinds(&find(&image, "").await), ["image"]);
    assert_eq!(find("nothing-of-the-kind", "").await["items"], json!([]));
    house.get("/v1/items?account=nobody&id=x").await.problem(404, "not_found");
}

#[tokio::test]
async fn more_than_a_thousand_items_would_stand_in_pages_and_a_thousand_stand_inline() {
    let house = House::start().await;
    let ids: Vec<String> = (0..1_000).map(|n| format!("missing-{n}")).collect();
    let id = house.submit_async(&media_body(ids.iter().map(String::as_str))).await;
    let deletion = house.finished(&id).await;
    assert_eq!(deletion["items"].as_array().unwrap().len(), 1_000);
    assert_eq!(deletion["counts"]["absent"], 1_000);
    assert!(deletion["warnings"][0].as_str().unwrap().contains("90 %"), "{}", deletion["warnings"]);
    let page = house.get(&format!("/v1/deletions/{id}/items")).await.json();
    assert_eq!(page["items"].as_array().unwrap().len(), 100, "the default page");
}

#[tokio::test]
async fn accounts_are_listed_with_their_lanes() {
    let house = House::start().await;
    let page = house.get("/v1/accounts").await.json();
    let names: Vec<&str> =
        page["items"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    assert_eq!(names, [ALI, TEN]);
    let one = house.get(&format!("/v1/accounts/{TEN}")).await.json();
    assert_eq!((one["provider"].as_str(), one["state"].as_str()), (Some("tencent"), Some("ok")));
    assert_eq!(one["kinds"], json!(["media", "source", "renditions", "image"]));
    assert!(one["lanes"].as_array().unwrap().iter().any(|lane| lane["operation"] == "DeleteMedia"), "{one}");
    assert_eq!(house.call("POST", &format!("/v1/accounts/{TEN}/unblock")).send().await.json()["state"], "ok");
    assert_eq!(house.vendors.calls(), 0, "an open account is not probed");
}
