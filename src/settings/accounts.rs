//! `[accounts.NAME]`: where assets stand, and with which key and limits.
//!
//! What every vendor needs is checked here; what only one vendor knows (which
//! regions exist, who has sub-applications) is its own to refuse when its client
//! is built. Keys named by variables are read here, those in files when the
//! account is set up. Its own file because an account is most of a configuration.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use super::section::{Field, Section};
use super::{Fault, Sources};
use crate::dispatch::bucket::{DEFAULT_QPS, DEFAULT_SHARE, Rate};
use crate::guard::policy::{MOST_DELAY, Policy};
use crate::providers::Operation;
use crate::providers::credentials::CredentialSource;
use crate::providers::registry::Listed;
use crate::providers::setup::AccountSetup;
use crate::providers::transport::Transport;
use crate::types::clock::Clock;
use crate::types::secret::{Credentials, Secret};
use crate::types::target::{AccountId, Kind};

/// Highest limit that can be set. No vendor grants more; a typing error ends here.
const HIGHEST_QPS: f64 = 100_000.0;
/// Largest sub-application id: what every format carries.
const LARGEST_ID: u64 = i64::MAX.unsigned_abs();
/// Longest name of a quota group or region.
const LONGEST_WORD: usize = 64;
/// How long a plan or a request for approval can be valid.
const VALIDITY: RangeInclusive<Duration> = Duration::from_mins(1)..=MOST_DELAY;

/// One account.
#[derive(Debug, Clone)]
pub struct AccountSettings {
    /// What callers name it by.
    pub name: AccountId,
    /// Its vendor.
    pub provider: &'static Listed,
    /// The vendor's region.
    pub region: Option<String>,
    /// Instead of the region's own host.
    pub endpoint: Option<Url>,
    /// `v3` or `v1`.
    pub signature: Option<String>,
    /// The configured quota group; `None` for the default.
    pub quota_group: Option<String>,
    /// The sub-application.
    pub sub_app_id: Option<u64>,
    /// Where the key comes from.
    pub credentials: CredentialSettings,
    /// The limits of every operation of the provider, configured or default.
    pub limits: Vec<LimitSettings>,
    /// What must happen before anything is sent.
    pub policy: Policy,
}

/// Where an account's key comes from.
#[derive(Clone)]
pub enum CredentialSettings {
    /// Read from the environment at start.
    Fixed(Credentials),
    /// In a file that may change.
    File(PathBuf),
}

impl fmt::Debug for CredentialSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The id is no secret, but nobody who reads a log needs it.
        match self {
            CredentialSettings::Fixed(_) => f.write_str("Fixed"),
            CredentialSettings::File(path) => write!(f, "File({})", path.display()),
        }
    }
}

/// What one operation of an account may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitSettings {
    /// The vendor action.
    pub operation: &'static Operation,
    /// The vendor's limit, in calls a second.
    pub qps: f64,
    /// The part of it that vodrm takes.
    pub share: f64,
}

impl LimitSettings {
    /// The limit where none is configured.
    #[must_use]
    pub fn default_of(operation: &'static Operation) -> Self {
        let qps = operation.published_qps.map_or(DEFAULT_QPS, f64::from);
        Self { operation, qps, share: DEFAULT_SHARE }
    }

    /// What the bucket is made of.
    #[must_use]
    pub fn rate(&self) -> Rate {
        Rate { qps: self.qps, share: self.share }
    }
}

impl AccountSettings {
    /// An account with nothing but a key; everything else at its default.
    #[must_use]
    pub fn new(name: AccountId, provider: &'static Listed, credentials: CredentialSettings) -> Self {
        Self {
            name,
            provider,
            region: None,
            endpoint: None,
            signature: None,
            quota_group: None,
            sub_app_id: None,
            credentials,
            limits: provider.operations.iter().map(LimitSettings::default_of).collect(),
            policy: Policy::default(),
        }
    }
}

/// What the provider needs to make the account's client. A key in a file is read now.
pub fn account_setup(account: &AccountSettings, clock: &Arc<dyn Clock>) -> Result<AccountSetup, Fault> {
    let fault =
        |field: &str, why: String| Fault { setting: format!("accounts.{}.{field}", account.name), why };
    let credentials = match &account.credentials {
        CredentialSettings::Fixed(key) => CredentialSource::fixed(key.clone(), Arc::clone(clock)),
        CredentialSettings::File(path) => CredentialSource::file(path.clone(), Arc::clone(clock))
            .map_err(|error| fault("credentials.file", error.to_string()))?,
    };
    let transport = Transport::new().map_err(|error| {
        fault("endpoint", format!("cannot be called, the HTTP client does not start: {error}"))
    })?;
    Ok(AccountSetup {
        region: account.region.clone(),
        endpoint: account.endpoint.clone(),
        sub_app_id: account.sub_app_id,
        signature: account.signature.clone(),
        credentials,
        transport,
        clock: Arc::clone(clock),
    })
}

pub(super) fn read(
    root: &mut Section<'_>,
    sources: &Sources,
    providers: &'static [Listed],
) -> Vec<AccountSettings> {
    root.tables("accounts")
        .into_iter()
        .filter_map(|(name, section)| read_account(&name, section, sources, providers))
        .collect()
}

fn read_account(
    name: &str,
    mut section: Section<'_>,
    sources: &Sources,
    providers: &'static [Listed],
) -> Option<AccountSettings> {
    let id = section.named(AccountId::parse(name));
    let listed = providers.iter().map(|one| (one.name, one)).collect::<Vec<_>>();
    let provider = section.need("provider").one_of(&listed);
    let region = section.get("region").parsed(word);
    let allow_http = section.get("allow_http").flag().unwrap_or(false);
    let endpoint = section.get("endpoint").parsed(|text| endpoint_url(text, allow_http));
    let signature = section.get("signature").one_of(&[("v3", "v3".to_owned()), ("v1", "v1".to_owned())]);
    let quota_group = section.get("quota_group").parsed(word);
    let sub_app_id = section.get("sub_app_id").whole(1..=LARGEST_ID);
    let credentials = read_credentials(&mut section, sources);
    let limits = read_limits(&mut section, provider);
    let policy = section.table("policy").map(read_policy).unwrap_or_default();
    section.not_served("purge_endpoint");
    section.finish();
    Some(AccountSettings {
        name: id?,
        provider: provider?,
        region,
        endpoint,
        signature,
        quota_group,
        sub_app_id,
        credentials: credentials?,
        limits,
        policy,
    })
}

/// What stands in `[accounts.NAME.policy]`; the rest at its default.
fn read_policy(mut section: Section<'_>) -> Policy {
    let built_in = Policy::default();
    let approve_kinds = section.get("approve_kinds").list().unwrap_or_default();
    let known = |word: &String| {
        let kind = Kind::parse(word);
        if kind.is_none() {
            let words = Kind::ALL.map(Kind::as_str).join(", ");
            section.fault("approve_kinds", format!("must be a list of kinds: {words}"));
        }
        kind
    };
    let approve_kinds = approve_kinds.iter().filter_map(known).collect();
    let policy = Policy {
        approve_above: section.get("approve_above").whole(0..=u64::from(u32::MAX)),
        approve_kinds,
        grace: section.get("grace").duration_within(Duration::ZERO..=MOST_DELAY).unwrap_or(built_in.grace),
        require_reason: section.get("require_reason").flag().unwrap_or(built_in.require_reason),
        plan_valid_for: section
            .get("plan_valid_for")
            .duration_within(VALIDITY)
            .unwrap_or(built_in.plan_valid_for),
        approval_valid_for: section
            .get("approval_valid_for")
            .duration_within(VALIDITY)
            .unwrap_or(built_in.approval_valid_for),
    };
    section.finish();
    policy
}

/// A region or a group: it may become part of a host's name or a log line.
fn word(text: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_WORD).contains(&text.len());
    if fits && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        Ok(text.to_owned())
    } else {
        Err(format!("must be 1 to {LONGEST_WORD} of A-Z a-z 0-9 _ -"))
    }
}

fn endpoint_url(text: &str, allow_http: bool) -> Result<Url, &'static str> {
    const FORM: &str = "must be a URL of scheme, host and optionally port, such as https://vod.example.com";
    let url = Url::parse(text).map_err(|_| FORM)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user name or password; keys stand in credentials");
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(FORM);
    }
    let host = url.host_str().ok_or(FORM)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(host) || allow_http => Ok(url),
        "http" => Err("http leaves this machine unencrypted; use https, or set allow_http = true"),
        _ => Err(FORM),
    }
}

/// Whether a URL's host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|ip| ip.to_canonical().is_loopback())
}

fn read_credentials(account: &mut Section<'_>, sources: &Sources) -> Option<CredentialSettings> {
    const FORMS: &str = "must have exactly one of env = { id = …, secret = … } and file = …";
    if !account.has("credentials") {
        account.fault("credentials", format!("is missing: {FORMS}"));
    }
    let mut section = account.table("credentials")?;
    if section.has("env") == section.has("file") {
        account.fault("credentials", FORMS);
    }
    let file = section
        .get("file")
        .parsed(|text| if text.is_empty() { Err("must name a file") } else { Ok(PathBuf::from(text)) });
    let key = section.table("env").and_then(|mut env| {
        let id = env.need("id").variable(sources);
        let secret = env.need("secret").variable(sources).map(Secret::from);
        let named = env.has("token");
        let token = env.get("token").variable(sources).map(Secret::from);
        env.finish();
        // A token that was named and is not there would give a key that cannot sign.
        (token.is_some() == named).then_some(())?;
        Some(Credentials { id: id?, secret: secret?, token })
    });
    section.finish();
    match (key, file) {
        (Some(key), None) => Some(CredentialSettings::Fixed(key)),
        (None, Some(file)) => Some(CredentialSettings::File(file)),
        _ => None,
    }
}

impl Field<'_> {
    /// The value of the variable that this setting names.
    fn variable(self, sources: &Sources) -> Option<String> {
        self.parsed(|name| {
            // A key pasted here by mistake must not come back in the message.
            let plain = name.len() <= LONGEST_WORD * 2
                && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
            if !plain {
                return Err("must name an environment variable of A-Z 0-9 _, not hold its value".to_owned());
            }
            let value =
                sources.variable(name).ok_or_else(|| format!("the variable {name} is not set or empty"))?;
            if value.bytes().all(|b| b.is_ascii_graphic()) {
                Ok(value.to_owned())
            } else {
                Err(format!("the variable {name} holds white space or characters that no key has"))
            }
        })
    }
}

fn read_limits(account: &mut Section<'_>, provider: Option<&'static Listed>) -> Vec<LimitSettings> {
    let configured = account.tables("limits");
    // Without a provider that is named already there are no operations to check against.
    let Some(provider) = provider else {
        return Vec::new();
    };
    let mut limits = provider.operations.iter().map(LimitSettings::default_of).collect::<Vec<_>>();
    for (name, mut section) in configured {
        let Some(limit) = limits.iter_mut().find(|limit| limit.operation.name == name) else {
            let known = provider.operations.iter().map(|one| one.name).collect::<Vec<_>>().join(", ");
            section.refuse(format!("is no operation of {}; it has {known}", provider.name));
            continue;
        };
        let qps = section
            .get("qps")
            .number("a number of calls a second from 1 to 100000", |n| (1.0..=HIGHEST_QPS).contains(&n));
        let share = section.get("share").number("a number above 0 and at most 1", |n| n > 0.0 && n <= 1.0);
        limit.qps = qps.unwrap_or(limit.qps);
        limit.share = share.unwrap_or(limit.share);
        section.finish();
    }
    limits
}
