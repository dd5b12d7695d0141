//! Playback that is blocked while a delete waits.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use vodrm::guard::policy::Policy;

use super::{Guarded, id_of};
use crate::harness::process::vodrm;
use crate::harness::{ALI, Fault, FaultRule, TEN, Vendors, ali, client, soon, ten};

const FORBID: &str = "ForbidMediaDistribution";

/// A deletion that waits for an hour.
fn waiting(ids: &[&str]) -> Value {
    let targets: Vec<Value> = ids.iter().map(|id| json!({"kind": "media", "id": id})).collect();
    json!({"account": TEN, "delay": "1h", "quarantine": true, "targets": targets})
}

fn marks(shown: &Value) -> Vec<&str> {
    shown["items"].as_array().unwrap().iter().map(|it| it["quarantine"].as_str().unwrap_or("-")).collect()
}

fn is_forbidden(vendors: &Vendors, id: &str) -> bool {
    let assets = vendors.both.tencent.vendor().assets();
    let media = assets["media"].as_array().unwrap();
    let one = media.iter().find(|one| one["FileId"] == id);
    one.unwrap_or_else(|| panic!("{id} is not there"))["Forbidden"] == true
}

impl Guarded {
    fn is_blocked(&self, id: &str) -> bool {
        is_forbidden(&self.house.vendors, id)
    }

    /// The deletion, once every item has a mark.
    async fn marked(&self, id: &str) -> Value {
        self.until(id, "the block", |shown| marks(shown).iter().all(|mark| *mark != "-")).await
    }

    /// The deletion, once the vendor was asked so often to block or lift.
    async fn asked(&self, times: usize) {
        let asked = self.house.tencent().wait_until(|rows| {
            rows.iter().filter(|row| row.action == FORBID && row.delivered).count() >= times
        });
        soon("the call", asked).await;
    }

    fn spoil(&self, rules: Vec<FaultRule>) {
        let of_blocks = rules.into_iter().map(|rule| rule.for_operation(FORBID)).collect();
        self.house.tencent().set_faults(of_blocks).unwrap();
    }
}

fn approved() -> Policy {
    Policy { approve_above: Some(0), ..Policy::default() }
}

#[tokio::test]
async fn playback_is_blocked_at_once_and_a_cancel_opens_it_again() {
    let guarded = Guarded::quick(Policy::default()).await;
    let ids: Vec<String> = (0..25).map(ten::video).collect();
    let mut body = waiting(&ids.iter().map(String::as_str).collect::<Vec<_>>());
    let targets = body["targets"].as_array_mut().unwrap();
    targets.push(json!({"kind": "media", "id": ids[0], "ref": "again"}));
    targets.push(json!({"kind": "media", "id": ten::FORBIDDEN}));
    targets.push(json!({"kind": "media", "id": ten::MISSING}));
    let scheduled = guarded.post("cms", &body).await;
    assert_eq!((scheduled.status, &scheduled.json()["state"]), (202, &json!("scheduled")), "{scheduled:?}");
    let id = id_of(&scheduled);
    let shown = guarded.marked(&id).await;
    let expected = [vec!["blocked"; 26], vec!["blocked_before", "not_blocked"]].concat();
    guarded.asked(2).await;
    assert_eq!(marks(&shown), expected);
    let blocks = || guarded.calls(FORBID);
    let settled = async { while !ids.iter().all(|id| guarded.is_blocked(id)) {} };
    soon("the blocks", settled).await;
    assert_eq!((blocks(), guarded.calls("DescribeMediaInfos")), (2, 2), "25 assets, each once");
    assert_eq!(guarded.deletes(), 0);
    let canceled = guarded.verb("cms", &id, "cancel", &json!({})).await;
    assert_eq!((canceled.status, &canceled.json()["counts"]["canceled"]), (200, &json!(28)), "{canceled:?}");
    let ended = guarded.finished(&id).await;
    let expected = [vec!["lifted"; 26], vec!["blocked_before", "not_blocked"]].concat();
    assert_eq!((marks(&ended), blocks()), (expected, 4));
    let audit = guarded.get("root", &format!("/v1/audit?deletion={id}&action=sent")).await.json();
    let told = |index: usize| audit["items"][index]["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(told(0), "ForbidMediaDistribution to open playback again, calls: 2", "{audit}");
    assert_eq!(told(1), "ForbidMediaDistribution to block playback, calls: 2");
    assert_eq!(audit["items"][1]["items"]["ranges"], "0-25");
    assert!(!ids.iter().any(|id| guarded.is_blocked(id)));
    assert!(guarded.is_blocked(ten::FORBIDDEN), "that was not ours to open");
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn nothing_is_blocked_before_it_is_approved() {
    let guarded = Guarded::quick(approved()).await;
    let video = ten::video(3);
    let asked = guarded.post("cms", &waiting(&[&video])).await;
    assert_eq!(asked.json()["state"], "awaiting_approval", "{asked:?}");
    let id = id_of(&asked);
    let rejected = id_of(&guarded.post("cms", &waiting(&[&ten::video(4)])).await);
    assert_eq!(guarded.verb("lead", &rejected, "reject", &json!({"reason": "no"})).await.status, 200);
    guarded.finished(&rejected).await;
    assert_eq!(guarded.calls(FORBID), 0, "not even playback is touched");
    let digest = json!({"digest": asked.json()["digest"]});
    assert_eq!(guarded.verb("lead", &id, "approve", &digest).await.json()["state"], "scheduled");
    guarded.asked(1).await;
    assert!(guarded.is_blocked(&video));
    assert_eq!(guarded.verb("cms", &id, "cancel", &json!({})).await.status, 200);
    assert_eq!(marks(&guarded.finished(&id).await), ["lifted"]);
    assert_eq!(guarded.deletes(), 0);
}

#[tokio::test]
async fn what_is_deleted_is_not_opened_before() {
    let guarded = Guarded::quick(Policy::default()).await;
    let video = ten::video(3);
    let mut body = waiting(&[&video]);
    body["delay"] = json!("700ms");
    let id = id_of(&guarded.post("cms", &body).await);
    guarded.asked(1).await;
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["counts"]["deleted"], marks(&ended)), (&json!(1), vec!["blocked"]), "{ended}");
    assert_eq!(guarded.calls(FORBID), 1, "nothing is opened of what is deleted");
}

#[tokio::test]
async fn a_quarantine_needs_a_vendor_that_can_and_time_in_which_to() {
    let guarded = Guarded::start().await;
    let of = |account: &str, id: &str| json!({"account": account, "quarantine": true, "targets": [{"kind": "media", "id": id}]});
    let mut alibaba = of(ALI, ali::NORMAL);
    alibaba["delay"] = json!("1h");
    guarded.post("cms", &alibaba).await.problem(422, "invalid");
    guarded.post("cms", &of(TEN, &ten::video(1))).await.problem(422, "invalid");
    let mut mixed = waiting(&[&ten::video(1)]);
    mixed["targets"]
        .as_array_mut()
        .unwrap()
        .push(json!({"account": ALI, "kind": "media", "id": ali::NORMAL}));
    guarded.post("cms", &mixed).await.problem(422, "invalid");
    assert_eq!(guarded.house.vendors.calls(), 0);
}

#[tokio::test]
async fn an_asset_that_cannot_be_blocked_does_not_spare_the_others() {
    let guarded = Guarded::quick(Policy::default()).await;
    let ids = [ten::video(1), ten::ARCHIVED.to_owned(), ten::video(2), ten::video(3)];
    let body = waiting(&ids.each_ref().map(String::as_str));
    let id = id_of(&guarded.post("cms", &body).await);
    let expected = ["blocked", "not_blocked", "blocked", "blocked"];
    guarded.until(&id, "the blocks", |shown| marks(shown) == expected).await;
    assert!([0, 2, 3].iter().all(|n| guarded.is_blocked(&ids[*n])));
    assert_eq!(guarded.verb("cms", &id, "cancel", &json!({})).await.status, 200);
    assert_eq!(marks(&guarded.finished(&id).await), ["lifted", "not_blocked", "lifted", "lifted"]);
    assert!(!ids.iter().any(|id| guarded.is_blocked(id)));
}

#[tokio::test]
async fn a_block_whose_answer_was_lost_is_lifted_like_any_other() {
    let guarded = Guarded::quick(Policy::default()).await;
    let video = ten::video(1);
    guarded.spoil(vec![FaultRule::always(Fault::Reset { after_effect: true })]);
    let id = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    let tried = guarded
        .house
        .tencent()
        .wait_until(|rows| rows.iter().filter(|row| row.action == FORBID).count() >= 5);
    soon("the tries", tried).await;
    assert_eq!(marks(&guarded.marked(&id).await), ["blocked"]);
    assert!(guarded.is_blocked(&video));
    guarded.spoil(Vec::new());
    assert_eq!(guarded.verb("cms", &id, "cancel", &json!({})).await.status, 200);
    assert_eq!(marks(&guarded.finished(&id).await), ["lifted"]);
    assert!(!guarded.is_blocked(&video));
}

#[tokio::test]
async fn a_lift_that_meets_a_broken_vendor_is_tried_until_it_works() {
    let guarded = Guarded::quick(Policy::default()).await;
    let video = ten::video(1);
    let id = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    guarded.asked(1).await;
    guarded.spoil(vec![FaultRule::always(Fault::Garbage { after_effect: false })]);
    assert_eq!(guarded.verb("cms", &id, "cancel", &json!({})).await.status, 200);
    // More than one step asks for: the vendor stays broken over all its tries.
    guarded.asked(7).await;
    assert!(guarded.is_blocked(&video));
    guarded.spoil(Vec::new());
    assert_eq!(marks(&guarded.finished(&id).await), ["lifted"]);
    assert!(!guarded.is_blocked(&video));
}

#[tokio::test]
async fn a_lift_that_is_refused_is_shown_and_counted() {
    let guarded = Guarded::quick(Policy::default()).await;
    let video = ten::video(1);
    let id = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    guarded.asked(1).await;
    guarded.spoil(vec![FaultRule::always(Fault::Error {
        status: None,
        code: "InvalidParameterValue.StorageClass".to_owned(),
        message: None,
    })]);
    assert!([200, 202].contains(&guarded.verb("cms", &id, "cancel", &json!({})).await.status));
    let ended = guarded.finished(&id).await;
    assert_eq!((&ended["state"], marks(&ended)), (&json!("canceled"), vec!["not_lifted"]), "{ended}");
    assert!(guarded.is_blocked(&video));
    let metrics = guarded.get("root", "/metrics").await.text();
    assert!(metrics.contains("vodrm_quarantine_not_lifted_total 1\n"), "{metrics}");
}

#[tokio::test]
async fn two_deletions_of_one_asset_the_first_one_opens_it() {
    let guarded = Guarded::quick(Policy::default()).await;
    let video = ten::video(1);
    let first = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    guarded.asked(1).await;
    let second = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    assert_eq!(marks(&guarded.marked(&second).await), ["blocked_before"]);
    guarded.verb("cms", &second, "cancel", &json!({})).await;
    guarded.finished(&second).await;
    assert!(guarded.is_blocked(&video), "the first one still waits");
    guarded.verb("cms", &first, "cancel", &json!({})).await;
    guarded.finished(&first).await;
    assert!(!guarded.is_blocked(&video));
}

#[tokio::test]
async fn a_stopped_account_blocks_and_opens_nothing_until_it_is_started() {
    let mut guarded = Guarded::quick(Policy::default()).await;
    let (stop, start) = (format!("/v1/accounts/{TEN}/stop"), format!("/v1/accounts/{TEN}/start"));
    guarded.call("root", "POST", &stop, None).await;
    let video = ten::video(1);
    let id = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    guarded.house.restart().await;
    assert_eq!(guarded.house.vendors.calls(), 0);
    guarded.call("root", "POST", &start, None).await;
    guarded.asked(1).await;
    guarded.call("root", "POST", &stop, None).await;
    guarded.verb("cms", &id, "cancel", &json!({})).await;
    guarded.house.restart().await;
    assert!(guarded.is_blocked(&video));
    let shown = guarded.get("cms", &format!("/v1/deletions/{id}")).await.json();
    assert_eq!((&shown["finished_at"], marks(&shown)), (&Value::Null, vec!["blocked"]), "{shown}");
    guarded.call("root", "POST", &start, None).await;
    assert_eq!(marks(&guarded.finished(&id).await), ["lifted"]);
    assert!(!guarded.is_blocked(&video));
}

#[tokio::test]
async fn a_pause_keeps_what_plays_until_it_is_resumed() {
    let guarded = Guarded::quick(Policy::default()).await;
    let (stop, start) = (format!("/v1/accounts/{TEN}/stop"), format!("/v1/accounts/{TEN}/start"));
    guarded.call("root", "POST", &stop, None).await;
    let video = ten::video(1);
    let id = id_of(&guarded.post("cms", &waiting(&[&video])).await);
    assert_eq!(guarded.verb("cms", &id, "pause", &json!({})).await.json()["state"], "paused");
    guarded.call("root", "POST", &start, None).await;
    let other = id_of(&guarded.post("cms", &waiting(&[&ten::video(2)])).await);
    guarded.marked(&other).await;
    guarded.asked(1).await;
    assert!(!guarded.is_blocked(&video));
    assert_eq!(guarded.verb("cms", &id, "resume", &json!({})).await.json()["state"], "scheduled");
    guarded.asked(2).await;
    assert!(guarded.is_blocked(&video));
}

#[tokio::test]
async fn what_is_held_meanwhile_is_not_blocked() {
    let guarded = Guarded::quick(Policy::default()).await;
    let (held, free) = (ten::video(1), ten::video(2));
    let mut body = waiting(&[&held, &free]);
    body["dry_run"] = json!(true);
    let planned = guarded.post("cms", &body).await;
    assert_eq!(planned.status, 200, "{planned:?}");
    assert_eq!(guarded.house.vendors.calls(), 0, "a plan blocks nothing");
    let why = json!({"reason": "court order 7"});
    let put = guarded.call("legal", "PUT", &format!("/v1/accounts/{TEN}/holds/{held}"), Some(&why)).await;
    assert_eq!(put.status, 200, "{put:?}");
    let id = id_of(&planned);
    assert_eq!(guarded.verb("cms", &id, "start", &json!({})).await.json()["state"], "scheduled");
    guarded.asked(1).await;
    assert_eq!(marks(&guarded.marked(&id).await), ["not_blocked", "blocked"]);
    assert!(!guarded.is_blocked(&held) && guarded.is_blocked(&free));
}

/// A service of its own that reaches a simulator of this process.
fn config(directory: &Path, vendors: &Vendors) -> String {
    let path = directory.join("vodrm.toml");
    let toml = format!(
        "[accounts.media]\nprovider = \"tencent\"\nendpoint = \"{}\"\n\
         credentials = {{ env = {{ id = \"KEY_ID\", secret = \"KEY_SECRET\" }} }}\n",
        vendors.both.tencent.base_url()
    );
    std::fs::write(&path, toml).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn a_block_that_a_killed_process_never_heard_of_is_lifted_after_a_cancel() {
    let (directory, vendors) = (tempfile::tempdir().unwrap(), Vendors::start());
    let file = config(directory.path(), &vendors);
    let environment: BTreeMap<&str, String> = [
        ("VODRM__SERVER__LISTEN", "127.0.0.1:0"),
        ("KEY_ID", ten::SECRET_ID),
        ("KEY_SECRET", ten::SECRET_KEY),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    let args = ["serve", "--config", file.as_str()];
    // The vendor blocks it, and its answer never comes; nor does it to the process after that.
    let lost = FaultRule::always(Fault::Hang { after_effect: true }).for_operation(FORBID);
    vendors.both.tencent.set_faults(vec![lost]).unwrap();
    let video = ten::video(1);
    let process = vodrm(directory.path(), &args, &environment);
    let mut body = waiting(&[&video]);
    body["account"] = json!("media");
    let url = format!("http://{}/v1/deletions", process.address());
    let answer: Value = client().post(url).json(&body).send().await.unwrap().json().await.unwrap();
    let id = answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    let asked = |times: usize| {
        let asked = vendors
            .both
            .tencent
            .wait_until(move |rows| rows.iter().filter(|row| row.action == FORBID).count() >= times);
        soon("the block", asked)
    };
    asked(1).await;
    process.signal("-KILL");
    drop(tokio::task::spawn_blocking(move || process.exit(Duration::from_secs(5))).await.unwrap());
    assert!(is_forbidden(&vendors, &video));
    vendors.both.tencent.set_faults(Vec::new()).unwrap();
    let process = vodrm(directory.path(), &args, &environment);
    let url = format!("http://{}/v1/deletions/{id}", process.address());
    let canceled = client().post(format!("{url}/cancel")).send().await.unwrap();
    assert_eq!(canceled.status(), 200, "{canceled:?}");
    let ended = async {
        loop {
            let shown: Value = client().get(&url).send().await.unwrap().json().await.unwrap();
            if shown["finished_at"].is_string() {
                return shown;
            }
        }
    };
    let ended = soon("the end", ended).await;
    assert_eq!(marks(&ended), ["lifted"], "{ended}");
    assert!(!is_forbidden(&vendors, &video));
}
