//! Pages for operators: metrics, the contract and its rendered form.

use crate::harness::{ALI, Fault, FaultRule, House, TEN, ali, media, new_key, ten};

#[tokio::test]
async fn metrics_are_open_metrics_and_count_what_matters() {
    let house = House::start().await;
    let throttle = Fault::Throttle { code: None, retry_after_ms: Some(10) };
    house.tencent().set_faults(vec![FaultRule::once(throttle)]).unwrap();
    house.delete_media(ali::NORMAL).await;
    house.delete_media(ali::MISSING).await;
    assert_eq!(house.delete(&media(TEN, &ten::video(1))).await.status, 200);
    house.get("/no/such/path").await;
    let answer = house.get("/metrics").await;
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    for sample in [
        r#"vodrm_vendor_calls_total{account="sandbox-alibaba",operation="DeleteVideo",result="answered"} 2"#,
        r#"vodrm_vendor_call_seconds_count{account="sandbox-alibaba",operation="DeleteVideo"} 2"#,
        r#"vodrm_items_ended_total{outcome="deleted"} 2"#,
        r#"vodrm_items_ended_total{outcome="absent"} 1"#,
        r#"vodrm_permit_wait_seconds_count{account="sandbox-alibaba",operation="DeleteVideo"}"#,
        r#"vodrm_queue_depth{account="sandbox-alibaba",operation="DeleteVideo"} 0"#,
        r#"vodrm_throttled_total{account="sandbox-tencent",operation="DeleteMedia"} 1"#,
        r#"vodrm_lane_blocked{account="sandbox-alibaba",operation="DeleteVideo"} 0"#,
        "vodrm_journal_commit_seconds_count",
        "vodrm_journal_commit_writes_count",
        r#"vodrm_http_requests_total{method="DELETE",route="/v1/accounts/{account}/media/{id}",status="200"} 3"#,
        r#"vodrm_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        "vodrm_http_request_seconds_count 4",
        "vodrm_http_connections 1",
    ] {
        let name = sample.split(['{', ' ']).next().unwrap();
        let near: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
        assert!(text.contains(sample), "{sample} is not in {near:#?}");
    }
}

#[tokio::test]
async fn callers_cannot_grow_the_number_of_series() {
    let house = House::start().await;
    let series = async || {
        house.get("/metrics").await.text().lines().filter(|l| l.contains("http_requests_total")).count()
    };
    house.get("/x").await;
    house.call("BREW", "/x").send().await;
    let before = series().await;
    for n in 0..20 {
        house.get(&format!("/x-{n}")).await;
        house.get(&format!("/v1/deletions/x-{n}")).await;
        house.call(&format!("BREW{n}"), "/x").send().await;
    }
    assert!(series().await <= before + 2);
}

#[tokio::test]
async fn the_rendered_contract_needs_no_internet() {
    let house = House::start().await;
    let to = house.get("/docs").await;
    let page = if to.status == 200 { to } else { house.get(to.header("location")).await };
    assert_eq!((page.status, page.header("content-type")), (200, "text/html"), "{page:?}");
    let html = page.text();
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("//cdn"), "{html}");
    let assets: Vec<&str> = html
        .split(['"', '\''])
        .filter(|part| [".js", ".css", ".png"].iter().any(|end| part.ends_with(end)))
        .collect();
    assert!(assets.len() >= 3, "{html}");
    let mut scripts = String::new();
    for asset in assets {
        let answer = house.get(&format!("/docs/{}", asset.trim_start_matches("./"))).await;
        assert_eq!(answer.status, 200, "{asset}");
        assert!(!answer.body.is_empty());
        if asset.ends_with("initializer.js") {
            scripts.push_str(&answer.text());
        }
    }
    assert!(scripts.contains("/openapi.yaml"), "it shows the contract: {scripts}");
    assert!(!scripts.contains("https://"), "{scripts}");
    assert_eq!(house.get("/openapi.yaml").await.text(), vodrm::api::docs::OPENAPI_YAML);
}

#[tokio::test]
async fn a_switch_opens_the_pages_and_nothing_else() {
    let (_, digest) = new_key();
    let caller = format!("[callers.a]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\nmay = [\"read\"]\n");
    // On loopback they are open by default.
    let open = House::with(&caller).await;
    for page in ["/metrics", "/openapi.yaml", "/docs/"] {
        assert_eq!(open.get(page).await.status, 200, "{page}");
    }
    open.get(&format!("/v1/accounts/{ALI}")).await.problem(401, "unauthenticated");
    let closed = House::with(&format!("[server]\npublic_docs = false\n{caller}")).await;
    for page in ["/metrics", "/openapi.yaml", "/docs/", "/docs/index.html", "/docs/swagger-ui.css"] {
        closed.get(page).await.problem(401, "unauthenticated");
    }
}
