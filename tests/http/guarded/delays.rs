//! Time in which a delete can be undone.

use std::time::Duration;

use serde_json::json;
use vodrm::guard::policy::Policy;

use super::{Guarded, id_of};
use crate::harness::{ALI, ali, media_body};

#[tokio::test]
async fn nothing_is_sent_before_the_delay_is_over() {
    let guarded = Guarded::start().await;
    let mut body = media_body([ali::NORMAL]);
    body["delay"] = json!("200ms");
    let scheduled = guarded.post("cms", &body).await;
    assert_eq!((scheduled.status, &scheduled.json()["state"]), (202, &json!("scheduled")), "{scheduled:?}");
    assert_eq!(guarded.deletes(), 0);
    let ended = guarded.finished(&id_of(&scheduled)).await;
    assert_eq!(ended["counts"]["deleted"], 1);
    let time = |field: &str| ended[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let waited = time("started_at") - time("created_at");
    assert!(Duration::try_from(waited).unwrap() >= Duration::from_millis(200), "{waited}");
}

#[tokio::test]
async fn a_policy_gives_at_least_its_grace_and_cancel_undoes_it() {
    let policy = Policy { grace: Duration::from_hours(1), ..Policy::default() };
    let guarded = Guarded::with(policy).await;
    let path = format!("/v1/accounts/{ALI}/media/{}", ali::NORMAL);
    let single = guarded.call("cms", "DELETE", &path, None).await;
    assert_eq!((single.status, &single.json()["state"]), (202, &json!("pending")), "{single:?}");
    let mut body = media_body([ali::MISSING]);
    body["delay"] = json!("1s");
    let shown = guarded.post("cms", &body).await.json();
    let time = |field: &str| shown[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(Duration::try_from(time("runs_at") - time("created_at")).unwrap() >= Duration::from_hours(1));
    let id = single.header("location").rsplit('/').next().unwrap().to_owned();
    let canceled = guarded.verb("cms", &id, "cancel", &json!({"reason": "no"})).await;
    assert_eq!((canceled.status, &canceled.json()["counts"]["canceled"]), (200, &json!(1)), "{canceled:?}");
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn a_paused_delay_goes_on_where_it_was() {
    let guarded = Guarded::start().await;
    let mut body = media_body([ali::NORMAL]);
    body["delay"] = json!("1h");
    let id = id_of(&guarded.post("cms", &body).await);
    assert_eq!(guarded.verb("cms", &id, "pause", &json!({})).await.json()["state"], "paused");
    assert_eq!(guarded.verb("cms", &id, "resume", &json!({})).await.json()["state"], "scheduled");
    assert_eq!(guarded.deletes(), 0);
}
