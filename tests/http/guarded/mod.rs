//! Nobody deletes what they should not: plans, approvals, delays, holds, stop switches, caps, audit.

mod approvals;
mod audit;
mod caps;
mod checks;
mod delays;
mod holds;
mod plans;
mod quarantine;
mod stops;

use std::time::Duration;

use serde_json::Value;
use vodrm::guard::policy::Policy;
use vodrm::settings::AccountSettings;

use crate::harness::{ALI, Answer, House, TEN, new_key};

/// A house in which every right is another caller's.
pub(crate) struct Guarded {
    pub(crate) house: House,
    keys: Vec<(&'static str, String)>,
}

/// Who calls, and with which settings.
const CALLERS: [(&str, &str); 7] = [
    ("cms", "accounts = [\"*\"]\nmay = [\"read\", \"delete\"]"),
    ("second", "accounts = [\"*\"]\nmay = [\"read\", \"delete\", \"approve\"]"),
    ("lead", "accounts = [\"*\"]\nmay = [\"read\", \"approve\"]"),
    ("legal", "accounts = [\"*\"]\nmay = [\"read\", \"hold\"]"),
    ("root", "accounts = [\"*\"]\nmay = [\"read\", \"admin\", \"delete\"]"),
    ("capped", "accounts = [\"*\"]\nmay = [\"read\", \"delete\"]\nmax_items = 3\nmax_items_per_day = 5"),
    ("tidy", "accounts = [\"sandbox-ali*\"]\nmay = [\"read\", \"admin\", \"delete:source\"]"),
];

impl Guarded {
    /// With this policy on the simulated Alibaba.
    pub(crate) async fn with(policy: Policy) -> Self {
        Self::built("", &[ALI], policy).await
    }

    /// With this policy on both vendors, and calls that are repeated soon after a lost answer.
    pub(crate) async fn quick(policy: Policy) -> Self {
        Self::built("[retry]\ncool_down = \"10ms\"\n", &[ALI, TEN], policy).await
    }

    async fn built(settings: &str, accounts: &[&str], policy: Policy) -> Self {
        let made: Vec<_> = CALLERS.iter().map(|(name, settings)| (*name, *settings, new_key())).collect();
        let callers = made.iter().map(|(name, settings, (_, digest))| {
            format!("[callers.{name}]\nkey_sha256 = \"{digest}\"\n{settings}\n")
        });
        let toml = settings.to_owned() + &callers.collect::<String>();
        let house = House::built(&toml, |settings| {
            let named = |account: &&mut AccountSettings| accounts.contains(&account.name.as_str());
            settings.accounts.iter_mut().filter(named).for_each(|account| account.policy = policy.clone());
        })
        .await;
        Self { house, keys: made.into_iter().map(|(name, _, (key, _))| (name, key)).collect() }
    }

    pub(crate) async fn start() -> Self {
        Self::with(Policy::default()).await
    }

    fn key(&self, who: &str) -> &str {
        &self.keys.iter().find(|(name, _)| *name == who).unwrap().1
    }

    /// A request of this caller.
    pub(crate) async fn call(&self, who: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
        let request = self.house.call(method, path);
        let request = request.header("authorization", &format!("Bearer {}", self.key(who)));
        match body {
            Some(body) => request.json(body).send().await,
            None => request.send().await,
        }
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> Answer {
        self.call(who, "GET", path, None).await
    }

    /// A deletion, as the caller is told of it.
    pub(crate) async fn post(&self, who: &str, body: &Value) -> Answer {
        self.call(who, "POST", "/v1/deletions", Some(body)).await
    }

    /// The same, without waiting for anything.
    pub(crate) async fn post_async(&self, who: &str, body: &Value) -> Answer {
        let request = self.house.call("POST", "/v1/deletions").header("prefer", "respond-async");
        let request = request.header("authorization", &format!("Bearer {}", self.key(who)));
        request.json(body).send().await
    }

    pub(crate) async fn verb(&self, who: &str, id: &str, verb: &str, body: &Value) -> Answer {
        self.call(who, "POST", &format!("/v1/deletions/{id}/{verb}"), Some(body)).await
    }

    /// A deletion once this holds of it.
    pub(crate) async fn until(&self, id: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let looked = async {
            loop {
                let shown = self.get("cms", &format!("/v1/deletions/{id}")).await.json();
                if holds(&shown) {
                    return shown;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        crate::harness::soon(what, looked).await
    }

    pub(crate) async fn finished(&self, id: &str) -> Value {
        self.until(id, "the end", |shown| shown["finished_at"].is_string()).await
    }

    /// Calls of this action that either vendor was sent.
    pub(crate) fn calls(&self, action: &str) -> usize {
        let rows = self.house.alibaba().ledger().into_iter().chain(self.house.tencent().ledger());
        rows.filter(|row| row.action == action).count()
    }

    /// Deletes that either vendor was sent.
    pub(crate) fn deletes(&self) -> usize {
        let rows = self.house.alibaba().ledger().into_iter().chain(self.house.tencent().ledger());
        rows.filter(|row| row.action.starts_with("Delete")).count()
    }
}

/// The name of a deletion.
pub(crate) fn id_of(answer: &Answer) -> String {
    let body = answer.json();
    body["id"].as_str().unwrap_or_else(|| panic!("no deletion: {answer:?}")).to_owned()
}
