//! From settings to the providers' clients.
//!
//! Used by `serve`, which keeps the clients, and by `check`, which only wants to
//! know whether they can be made, so the two cannot disagree. Here accounts meet
//! each other: those that the vendor counts together must agree on their limits,
//! since they share one bucket. Makes no call.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;
use sha2::{Digest as _, Sha256};

use crate::guard::policy::Policy;
use crate::providers::Provider;
use crate::providers::setup::BadSetup;
use crate::settings::{AccountSettings, Fault, Faults, LimitSettings, account_setup};
use crate::types::clock::Clock;
use crate::types::target::AccountId;

/// Bytes of the digest that a default quota group is named by: no two of a
/// thousand accounts meet by chance.
const GROUP_BYTES: usize = 8;

/// An account that can be served.
#[derive(Debug)]
pub struct Account {
    /// What callers name it by.
    pub name: AccountId,
    /// Its client.
    pub provider: Arc<dyn Provider>,
    /// The host that serves it.
    pub endpoint: Url,
    /// Accounts with equal groups share their buckets. Opaque: it holds no key id.
    pub quota_group: String,
    /// The limits of every operation.
    pub limits: Vec<LimitSettings>,
    /// What must happen before anything is sent.
    pub policy: Policy,
}

/// Makes the client of every account, or says everything that is in the way.
pub async fn set_up(accounts: &[AccountSettings], clock: &Arc<dyn Clock>) -> Result<Vec<Account>, Faults> {
    let (mut ready, mut faults) = (Vec::new(), Vec::new());
    for settings in accounts {
        match set_up_one(settings, clock).await {
            Ok(account) => ready.push(account),
            Err(fault) => faults.push(fault),
        }
    }
    faults.extend(disagreements(&ready));
    if faults.is_empty() { Ok(ready) } else { Err(Faults(faults)) }
}

async fn set_up_one(settings: &AccountSettings, clock: &Arc<dyn Clock>) -> Result<Account, Fault> {
    let name = &settings.name;
    let fault = |bad: BadSetup| Fault { setting: format!("accounts.{name}.{}", bad.field), why: bad.why };
    let setup = account_setup(settings, clock)?;
    let endpoint = (settings.provider.endpoint)(&setup).map_err(fault)?;
    let key_id = setup.credentials.current().await.id.clone();
    let quota_group = match &settings.quota_group {
        Some(group) => format!("{}/{group}", settings.provider.name),
        None => default_group(settings.provider.name, &key_id, &endpoint),
    };
    let provider = (settings.provider.build)(setup).map_err(fault)?;
    let (limits, policy) = (settings.limits.clone(), settings.policy.clone());
    Ok(Account { name: name.clone(), provider, endpoint, quota_group, limits, policy })
}

/// Same provider, key id and endpoint; as a digest, since it is shown in places
/// where a key id has no business.
fn default_group(provider: &str, key_id: &str, endpoint: &Url) -> String {
    let mut hash = Sha256::new();
    // No part can hold the separator, so no two triples give the same text.
    for part in [provider, key_id, endpoint.as_str()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let digest = hash.finalize();
    format!("{provider}/~{}", hex::encode(digest.get(..GROUP_BYTES).unwrap_or(&digest)))
}

/// Limits that differ within one quota group: they would fight over one bucket.
fn disagreements(accounts: &[Account]) -> Vec<Fault> {
    let mut first: BTreeMap<(&str, &str), (&AccountId, &LimitSettings)> = BTreeMap::new();
    let mut faults = Vec::new();
    for account in accounts {
        for limit in &account.limits {
            let bucket = (account.quota_group.as_str(), limit.operation.name);
            let (other, agreed) = *first.entry(bucket).or_insert((&account.name, limit));
            if agreed != limit {
                let operation = limit.operation.name;
                faults.push(Fault {
                    setting: format!("accounts.{}.limits.{operation}", account.name),
                    why: format!(
                        "must be the same as in accounts.{other}: the vendor counts the two together \
                         (same quota group), so they share one bucket"
                    ),
                });
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::testing::load;
    use crate::types::clock::SystemClock;

    async fn set_up_text(toml: &str) -> Result<Vec<Account>, String> {
        let keys = [("ID_1", "canary-1"), ("ID_2", "canary-2"), ("SECRET", "canary-3")];
        let settings = load(toml, &keys).map_err(|faults| faults.to_string())?;
        set_up(&settings.accounts, &SystemClock::start()).await.map_err(|faults| faults.to_string())
    }

    fn account(name: &str, id: &str, more: &str) -> String {
        format!(
            "[accounts.{name}]\nprovider = \"alibaba\"\n\
             credentials = {{ env = {{ id = \"{id}\", secret = \"SECRET\" }} }}\n{more}\n"
        )
    }

    #[tokio::test]
    async fn accounts_with_one_key_and_host_are_counted_together() {
        let toml = account("a", "ID_1", "region = \"x\"")
            + &account("b", "ID_1", "region = \"x\"")
            + &account("c", "ID_2", "region = \"x\"")
            + &account("d", "ID_1", "region = \"y\"")
            + &account("e", "ID_2", "region = \"z\"\nquota_group = \"main\"");
        let groups =
            set_up_text(&toml).await.unwrap().into_iter().map(|one| one.quota_group).collect::<Vec<_>>();
        let [first, twin, key, host, named] = groups.as_slice() else { panic!("five accounts") };
        assert_eq!(first, twin);
        assert!(first != key && first != host && key != host);
        assert_eq!(named, "alibaba/main");
        assert!(!groups.concat().contains("canary"));
    }

    #[tokio::test]
    async fn a_shared_bucket_has_one_limit() {
        let limit = "region = \"x\"\nlimits.DeleteMedia.qps = 50";
        let faults = set_up_text(&(account("a", "ID_1", limit) + &account("b", "ID_1", "region = \"x\"")))
            .await
            .unwrap_err();
        assert!(
            faults.starts_with("accounts.b.limits.DeleteMedia: must be the same as in accounts.a"),
            "{faults}"
        );
        assert!(set_up_text(&(account("a", "ID_1", limit) + &account("b", "ID_1", limit))).await.is_ok());
    }

    #[tokio::test]
    async fn what_a_provider_refuses_is_named_for_every_account() {
        let toml = account("a", "ID_1", "") + &account("b", "ID_1", "region = \"refused\"");
        let faults = set_up_text(&toml).await.unwrap_err();
        assert_eq!(faults, "accounts.a.region: is missing\naccounts.b.region: is none of the vendor's");
    }

    #[tokio::test]
    async fn a_key_file_that_cannot_be_used_is_named() {
        let toml =
            "[accounts.a]\nprovider = \"tencent\"\nregion = \"x\"\ncredentials = { file = \"/none/key\" }";
        let faults = set_up_text(toml).await.unwrap_err();
        assert!(faults.starts_with("accounts.a.credentials.file: credentials file /none/key: "), "{faults}");
    }
}
