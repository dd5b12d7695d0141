//! `vodrm demo`: a guided tour that needs no account, no file and no free port.
//!
//! Starts the service with its simulators, deletes one of everything through the
//! API as a caller would, and shows what came of it and the curl lines to do the
//! same. Uses the public API only.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::sandboxes::{ALIBABA_ACCOUNT, Sandboxes, TENCENT_ACCOUNT};
use crate::app::service::Service;
use crate::app::shutdown::{Shutdown, Signals};
use crate::providers::alibaba::sandbox::seed as alibaba;
use crate::providers::tencent::sandbox::seed as tencent;
use crate::settings::{Settings, Sources};
use crate::telemetry;
use crate::types::clock::SystemClock;

/// What `demo` takes.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep everything running afterwards, to try more by hand
    #[arg(long)]
    pub keep: bool,
}

/// Shows what there is to see.
pub async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder for the journal")?;
    let clock = SystemClock::start();
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sandboxes = Sandboxes::start(free, free, &clock, &tasks, &stop)?;
    // The built-in values alone: the tour must not depend on a configuration that lies around.
    let directory = folder.path().to_owned();
    let sources = Sources { directory, environment: BTreeMap::new(), file: None, listen: Some(free) };
    let mut settings = Settings::load(&sources)?;
    settings.store.path = folder.path().join("vodrm.db");
    settings.accounts = sandboxes.accounts()?;
    // The tour is about outcomes; the log of a service stays out of its way.
    "warn,vodrm::app::service=error".clone_into(&mut settings.log.level);
    telemetry::init(&settings.log)?;
    let mut signals = Signals::listen()?;
    let shutdown = Shutdown::new();
    let service = Service::start(&settings, Arc::clone(&clock), &shutdown).await?;
    let base = format!("http://{}", service.addr);
    let answer = delete_one_of_everything(&base).await?;
    print(&tour(&base, &answer, &sandboxes))?;
    if args.keep {
        print("Still serving; Ctrl-C ends it.\n")?;
        signals.next().await;
    } else {
        print(
            "This was a tour: everything ends now. `vodrm demo --keep` goes on serving for the lines above.\n",
        )?;
    }
    shutdown.asked.cancel();
    shutdown.closing.cancel();
    service.ended(&shutdown).await;
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Every kind on both vendors, and everything that can go differently.
fn targets() -> Value {
    let a = |kind: &str, more: Value| target(ALIBABA_ACCOUNT, kind, more);
    let t = |kind: &str, more: Value| target(TENCENT_ACCOUNT, kind, more);
    json!([
        a("media", json!({"id": alibaba::normal(2), "ref": "a video"})),
        a("media", json!({"reference_id": alibaba::reference(2), "ref": "by our own id"})),
        a("media", json!({"id": alibaba::MISSING, "ref": "not there"})),
        a("media", json!({"id": alibaba::TRANSCODING, "ref": "still transcoding"})),
        a("media", json!({"id": alibaba::OTHER_APPLICATION, "ref": "no permission"})),
        a("source", json!({"id": alibaba::normal(3), "ref": "only the source"})),
        a("source", json!({"id": alibaba::NO_TRANSCODE, "ref": "source needed to play"})),
        a("source", json!({"id": alibaba::NO_TRANSCODE, "force": true, "ref": "the same, forced"})),
        a("renditions", json!({"id": alibaba::normal(4), "definitions": ["HD"], "ref": "all HD renditions"})),
        a(
            "snapshots",
            json!({"id": alibaba::normal(5), "types": ["cover", "normal"], "ref": "covers, snapshots"})
        ),
        a("image", json!({"id": alibaba::image(1), "ref": "an image"})),
        a("attached_media", json!({"id": alibaba::attached(1), "ref": "a watermark"})),
        t("media", json!({"id": tencent::video(2), "ref": "a video"})),
        t("media", json!({"id": tencent::MISSING, "ref": "not there"})),
        t("source", json!({"id": tencent::video(3), "ref": "only the source"})),
        t("source", json!({"id": tencent::ORIGINAL_ONLY, "ref": "source needed to play"})),
        t("renditions", json!({"id": tencent::video(4), "definitions": [100_010], "ref": "one template"})),
        t("snapshots", json!({"id": tencent::video(5), "all": true, "ref": "not offered there"})),
        t("image", json!({"id": tencent::IMAGE, "ref": "an image"})),
        t("image", json!({"id": tencent::video(6), "ref": "a video, not an image"})),
        t("attached_media", json!({"id": tencent::video(7), "ref": "not offered there"})),
    ])
}

fn target(account: &str, kind: &str, mut more: Value) -> Value {
    if let Some(fields) = more.as_object_mut() {
        fields.insert("account".to_owned(), json!(account));
        fields.insert("kind".to_owned(), json!(kind));
    }
    more
}

async fn delete_one_of_everything(base: &str) -> anyhow::Result<Value> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let body = json!({"reason": "a tour of vodrm", "targets": targets()});
    let answer = client
        .post(format!("{base}/v1/deletions"))
        .header("prefer", "wait=60")
        .json(&body)
        .send()
        .await?
        .error_for_status()?
        .json::<Value>()
        .await?;
    anyhow::ensure!(answer["state"] == "finished", "the deletion did not end within a minute: {answer}");
    Ok(answer)
}

/// The table of outcomes, and the lines to do it by hand.
fn tour(base: &str, answer: &Value, sandboxes: &Sandboxes) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut rows =
        vec![["", "account", "kind", "what", "outcome", "why", "vendor's request id"].map(str::to_owned)];
    for item in answer["items"].as_array().into_iter().flatten() {
        let (error, sure) = (&item["error"], &item["confirmation"]);
        let why = [&error["code"], &error["vendor_code"], sure].map(text).join(" ").trim().to_owned();
        rows.push([
            item["index"].to_string(),
            text(&item["target"]["account"]),
            text(&item["target"]["kind"]),
            text(&item["ref"]),
            text(&item["outcome"]),
            why,
            item["vendor"]["request_id"].as_str().unwrap_or("– (nothing was sent)").to_owned(),
        ]);
    }
    let id = text(&answer["id"]);
    let mut out = format!("One deletion over two simulated video clouds, through {base}\n\n");
    out.push_str(&table(&rows));
    let lines = format!(
        "\ncounts: {}\n\nThe same by hand:\n\
         \n  # one asset, and wait for the outcome\n  curl -X DELETE {base}/v1/accounts/{ALIBABA_ACCOUNT}/media/{}\n\
         \n  # only the HD renditions of another\n  curl -X DELETE '{base}/v1/accounts/{ALIBABA_ACCOUNT}/media/{}/renditions?definition=HD'\n\
         \n  # what stands there now\n  curl {base}/v1/accounts/{TENCENT_ACCOUNT}/media/{}\n\
         \n  # many at once, over both vendors\n  curl {base}/v1/deletions -H 'Content-Type: application/json' -d '{{\"targets\": [\n    \
         {{\"account\": \"{ALIBABA_ACCOUNT}\", \"kind\": \"media\", \"id\": \"{}\"}},\n    \
         {{\"account\": \"{TENCENT_ACCOUNT}\", \"kind\": \"media\", \"id\": \"{}\"}}]}}'\n\
         \n  # the deletion above, and the receipt of one of its items\n  curl {base}/v1/deletions/{id}\n  curl {base}/v1/deletions/{id}/items/8\n\
         \n  # quotas and queues; what the simulated vendors really did\n  curl {base}/v1/accounts\n  curl {}/_sandbox/ledger\n  curl {}/_sandbox/ledger\n\n",
        answer["counts"],
        alibaba::normal(10),
        alibaba::normal(11),
        tencent::video(10),
        alibaba::normal(12),
        tencent::video(12),
        sandboxes.alibaba.base_url(),
        sandboxes.tencent.base_url(),
    );
    out.push_str(&lines);
    out
}

/// Rows with columns as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
