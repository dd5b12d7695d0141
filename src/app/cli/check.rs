//! `vodrm check`: whether a configuration would start, and what it would serve.
//!
//! Goes exactly as far as `serve` without opening a port or a journal and
//! without a call to a vendor, so a check in a pipeline proves what it can
//! there. Prints no secret and no key id.

use std::io::{self, Write};
use std::sync::Arc;

use clap::Args;

use super::ConfigArg;
use crate::app::accept::tls::Tls;
use crate::app::accounts::{Account, set_up};
use crate::guard::caller::Caps;
use crate::settings::{AccountSettings, CredentialSettings, KeysAt, LimitSettings, LogFormat, Settings};
use crate::types::clock::{Clock, SystemClock};
use crate::types::duration::show;

/// What `check` takes.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// Checks, and prints what would be served.
pub async fn run(args: CheckArgs) -> anyhow::Result<()> {
    let settings = args.config.load(None)?;
    let clock = SystemClock::start();
    summary(&mut io::stdout().lock(), &settings, &clock).await
}

/// Makes the clients and writes what there is.
async fn summary(out: &mut impl Write, settings: &Settings, clock: &Arc<dyn Clock>) -> anyhow::Result<()> {
    let accounts = set_up(&settings.accounts, clock).await?;
    settings.server.tls.as_ref().map(Tls::load).transpose()?;
    write_service(out, settings)?;
    for (configured, account) in settings.accounts.iter().zip(&accounts) {
        write_account(out, configured, account, &accounts)?;
    }
    write_issuers(out, settings)?;
    write_callers(out, settings)?;
    out.flush()?;
    Ok(())
}

fn write_service(out: &mut impl Write, settings: &Settings) -> io::Result<()> {
    let server = &settings.server;
    let reach = if server.is_loopback() { "this machine only" } else { "reachable by others" };
    let docs = if server.public_docs { "open without a key" } else { "need a key with read" };
    let format = match settings.log.format {
        LogFormat::Auto => "human on a terminal, else json",
        LogFormat::Human => "human",
        LogFormat::Json => "json",
    };
    let retry = &settings.retry;
    writeln!(out, "settings     {}", settings.read_from.join(", "))?;
    writeln!(out, "listen       {} ({reach})", server.listen)?;
    if let Some(tls) = &server.tls {
        let clients = if tls.client_ca.is_some() { "; clients need a certificate" } else { "" };
        writeln!(out, "tls          {}{clients}", tls.cert.display())?;
    }
    writeln!(
        out,
        "limits       {} connections, {} requests at once, JSON up to {} bytes",
        server.max_connections, server.max_requests_in_flight, server.max_json_bytes
    )?;
    writeln!(out, "documents    /metrics, /openapi.yaml and /docs {docs}")?;
    writeln!(out, "store        SQLite, {}", settings.store.path.display())?;
    writeln!(out, "retry        {} tries within {}", retry.max_attempts, show(retry.max_age))?;
    writeln!(out, "log          {format}; {}", settings.log.level)?;
    let sandbox = if settings.accounts.is_empty() {
        "off; no accounts are configured, so `vodrm serve --sandbox` can be used"
    } else {
        "off; --sandbox is refused beside the accounts below"
    };
    writeln!(out, "sandbox      {sandbox}")
}

fn write_account(
    out: &mut impl Write,
    configured: &AccountSettings,
    account: &Account,
    all: &[Account],
) -> io::Result<()> {
    let host = account.endpoint.host_str().unwrap_or_default();
    let port = account.endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
    let with = all
        .iter()
        .filter(|other| other.quota_group == account.quota_group && other.name != account.name)
        .map(|other| other.name.as_str())
        .collect::<Vec<_>>();
    let shared = if with.is_empty() { String::new() } else { format!(" (with {})", with.join(", ")) };
    let key = match &configured.credentials {
        CredentialSettings::Fixed(_) => "from the environment".to_owned(),
        CredentialSettings::File(path) => format!("in {}", path.display()),
    };
    writeln!(out, "\naccount {}", account.name)?;
    writeln!(out, "  provider     {}", configured.provider.name)?;
    writeln!(out, "  endpoint     {}://{host}{port}", account.endpoint.scheme())?;
    if let Some(id) = configured.sub_app_id {
        writeln!(out, "  sub-app      {id}")?;
    }
    writeln!(out, "  signature    {}", configured.signature.as_deref().unwrap_or("the provider's default"))?;
    writeln!(out, "  key          {key}")?;
    writeln!(out, "  quota group  {}{shared}", account.quota_group)?;
    for limit in &account.limits {
        let LimitSettings { operation, qps, share } = limit;
        let (rate, burst) = (limit.rate().per_second(), limit.rate().burst());
        writeln!(
            out,
            "  {:<24} {qps} a second × {share} → rate {}, burst {}",
            operation.name,
            rounded(rate),
            rounded(burst)
        )?;
    }
    Ok(())
}

fn write_issuers(out: &mut impl Write, settings: &Settings) -> io::Result<()> {
    for one in &settings.issuers {
        let issuer = &one.issuer;
        writeln!(out, "\nissuer {}", issuer.name)?;
        writeln!(out, "  tokens       of {} for {}", issuer.issuer, issuer.audience)?;
        match &one.keys {
            KeysAt::Url(url) => writeln!(out, "  keys         {url}, not asked now")?,
            KeysAt::File(path) => writeln!(out, "  keys         {}", path.display())?,
        }
        writeln!(out, "  caller       named by {}", issuer.caller_claim)?;
    }
    Ok(())
}

fn write_callers(out: &mut impl Write, settings: &Settings) -> io::Result<()> {
    writeln!(out, "\ncallers")?;
    if settings.callers.is_empty() {
        return writeln!(out, "  none: whoever reaches the address may do everything");
    }
    for one in &settings.callers {
        let caller = &one.caller;
        let globs = caller.accounts.iter().map(ToString::to_string).collect::<Vec<_>>();
        let nowhere = !settings.accounts.iter().any(|account| caller.sees(&account.name));
        let note = if nowhere { " (matches no configured account)" } else { "" };
        let keys = match (one.keys.len(), &one.issuer) {
            (0, Some(issuer)) => format!("tokens of {issuer}"),
            (1, None) => "1 key".to_owned(),
            (many, None) => format!("{many} keys"),
            (some, Some(issuer)) => format!("{some} keys and tokens of {issuer}"),
        };
        writeln!(
            out,
            "  {:<12} may {} on {}{note}; {keys}{}",
            caller.name,
            caller.rights.words().join(" and "),
            globs.join(", "),
            caps(caller.caps)
        )?;
    }
    Ok(())
}

/// What bounds a caller, in words.
fn caps(caps: Caps) -> String {
    let one = caps.max_items.map(|most| format!("; {most} items in one deletion"));
    let day = caps.max_items_per_day.map(|most| format!("; {most} items a day"));
    one.into_iter().chain(day).collect()
}

/// Two digits are enough for people: 90, 0.9, 4.55.
fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::caller::KeyDigest;
    use crate::settings::testing::load;

    async fn summary_of(toml: &str) -> anyhow::Result<String> {
        let settings = load(toml, &[("ID", "canary-id"), ("SECRET", "canary-secret")])?;
        let mut out = Vec::new();
        summary(&mut out, &settings, &SystemClock::start()).await?;
        Ok(String::from_utf8(out)?)
    }

    #[tokio::test]
    async fn the_summary_says_what_would_be_served_and_no_secret() {
        let digest = KeyDigest::of("canary-key");
        let said = summary_of(&format!(
            r#"
            [accounts.media-cn]
            provider = "alibaba"
            region = "cn-shanghai"
            signature = "v1"
            credentials = {{ env = {{ id = "ID", secret = "SECRET" }} }}
            limits.DeleteMedia = {{ qps = 50, share = 0.8 }}
            [accounts.twin]
            provider = "alibaba"
            region = "cn-shanghai"
            credentials = {{ env = {{ id = "ID", secret = "SECRET" }} }}
            limits.DeleteMedia = {{ qps = 50, share = 0.8 }}
            [callers.cms]
            key_sha256 = "{digest}"
            accounts = ["media-*"]
            may = ["read", "delete"]
            max_items = 50
            max_items_per_day = 1000
            [callers.lost]
            key_sha256 = "{}"
            accounts = ["other"]
            may = ["read", "approve", "delete:source"]
            "#,
            KeyDigest::of("another")
        ))
        .await
        .unwrap();
        for line in [
            "listen       127.0.0.1:8080 (this machine only)",
            "store        SQLite, data/vodrm.db",
            "retry        8 tries within 24h",
            "account media-cn",
            "  endpoint     https://vod.cn-shanghai.example.com",
            "  signature    v1",
            "  key          from the environment",
            "  DeleteMedia              50 a second × 0.8 → rate 40, burst 10",
            "  DescribeMedia            10 a second × 0.9 → rate 9, burst 1",
            "  cms          may read and delete on media-*; 1 key; 50 items in one deletion; 1000 items a day",
            "  lost         may read and delete:source and approve on other (matches no configured account); 1 key",
        ] {
            assert!(said.lines().any(|one| one == line), "{line:?} is not in\n{said}");
        }
        assert!(said.contains(" (with twin)\n"), "{said}");
        assert!(!said.contains("canary") && !said.contains(&digest.to_string()), "{said}");
    }

    #[tokio::test]
    async fn nothing_configured_is_a_sandbox_to_be() {
        let said = summary_of("").await.unwrap();
        assert!(said.contains("`vodrm serve --sandbox` can be used"), "{said}");
        assert!(said.contains("none: whoever reaches the address may do everything"), "{said}");
    }

    #[tokio::test]
    async fn what_cannot_be_served_is_an_error() {
        let toml = "[accounts.a]\nprovider = \"tencent\"\nregion = \"refused\"\n\
                    credentials = { env = { id = \"ID\", secret = \"SECRET\" } }";
        assert_eq!(
            summary_of(toml).await.unwrap_err().to_string(),
            "accounts.a.region: is none of the vendor's"
        );
    }
}
