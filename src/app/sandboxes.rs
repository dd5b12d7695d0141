//! Both vendors' simulators, started together, and the accounts that reach them.
//!
//! Used by `serve --sandbox`, `sandbox`, `demo` and the tests, so that all of
//! them show the same keys and ids.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::providers::{alibaba, registry, tencent};
use crate::sandbox::{Now, Sandbox};
use crate::settings::{AccountSettings, CredentialSettings};
use crate::types::clock::Clock;
use crate::types::secret::Credentials;
use crate::types::target::AccountId;

/// The account of the simulated Alibaba Cloud VOD.
pub const ALIBABA_ACCOUNT: &str = "sandbox-alibaba";
/// The account of the simulated Tencent Cloud VOD.
pub const TENCENT_ACCOUNT: &str = "sandbox-tencent";

/// Both simulators.
#[derive(Debug)]
pub struct Sandboxes {
    /// Alibaba Cloud VOD.
    pub alibaba: Sandbox,
    /// Its library and switches.
    pub alibaba_vod: Arc<alibaba::sandbox::Alibaba>,
    /// Tencent Cloud VOD.
    pub tencent: Sandbox,
    /// Its library and switches.
    pub tencent_vod: Arc<tencent::sandbox::TencentVod>,
}

impl Sandboxes {
    /// Starts both; port 0 takes a free one.
    pub fn start(
        alibaba_addr: SocketAddr,
        tencent_addr: SocketAddr,
        clock: &Arc<dyn Clock>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let now = || -> Now {
            let clock = Arc::clone(clock);
            Arc::new(move || clock.now())
        };
        let alibaba_vod = Arc::new(alibaba::sandbox::Alibaba::new());
        let tencent_vod = Arc::new(tencent::sandbox::TencentVod::new());
        let alibaba = Sandbox::start(Arc::clone(&alibaba_vod) as _, alibaba_addr, now(), tasks, stop.clone())
            .with_context(|| format!("the Alibaba sandbox cannot listen on {alibaba_addr}"))?;
        let tencent = Sandbox::start(Arc::clone(&tencent_vod) as _, tencent_addr, now(), tasks, stop.clone())
            .with_context(|| format!("the Tencent sandbox cannot listen on {tencent_addr}"))?;
        Ok(Self { alibaba, alibaba_vod, tencent, tencent_vod })
    }

    /// The accounts that reach them.
    pub fn accounts(&self) -> anyhow::Result<Vec<AccountSettings>> {
        let alibaba_key =
            key(alibaba::sandbox::seed::ACCESS_KEY_ID, alibaba::sandbox::seed::ACCESS_KEY_SECRET);
        let tencent_key = key(tencent::sandbox::seed::SECRET_ID, tencent::sandbox::seed::SECRET_KEY);
        Ok(vec![
            account(ALIBABA_ACCOUNT, alibaba::NAME, &self.alibaba, alibaba_key)?,
            account(TENCENT_ACCOUNT, tencent::NAME, &self.tencent, tencent_key)?,
        ])
    }

    /// Keys and ids to try by hand.
    #[must_use]
    pub fn to_try(&self) -> String {
        use crate::providers::alibaba::sandbox::seed as a;
        use crate::providers::tencent::sandbox::seed as t;
        format!(
            "Alibaba Cloud VOD at {}\n  key        {} / {}\n  a video    {}\n  transcoding {}\n  no right   {}\n  \
             missing    {}\nTencent Cloud VOD at {}\n  key        {} / {}\n  a video    {}\n  an image   {}\n  missing    {}\n\
             Both answer GET /_sandbox/ledger, GET /_sandbox/assets, PUT /_sandbox/faults, POST /_sandbox/reset\n",
            self.alibaba.base_url(),
            a::ACCESS_KEY_ID,
            a::ACCESS_KEY_SECRET,
            a::NORMAL,
            a::TRANSCODING,
            a::OTHER_APPLICATION,
            a::MISSING,
            self.tencent.base_url(),
            t::SECRET_ID,
            t::SECRET_KEY,
            t::video(1),
            t::IMAGE,
            t::MISSING,
        )
    }
}

fn key(id: &str, secret: &str) -> Credentials {
    Credentials { id: id.to_owned(), secret: secret.into(), token: None }
}

fn account(
    name: &str,
    provider: &str,
    sandbox: &Sandbox,
    key: Credentials,
) -> anyhow::Result<AccountSettings> {
    let listed =
        registry::listed(provider).with_context(|| format!("{provider} is not a listed provider"))?;
    let mut account = AccountSettings::new(AccountId::parse(name)?, listed, CredentialSettings::Fixed(key));
    account.endpoint = Some(sandbox.base_url().parse()?);
    Ok(account)
}
