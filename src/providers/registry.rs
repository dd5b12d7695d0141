//! The one list of providers.
//!
//! A provider that stands here can be named in an account's settings, is run by
//! the provider suite of the tests and appears in the documentation. Its own
//! file so that adding a vendor changes one line outside the vendor's folder.

use std::sync::Arc;

use super::credentials::CredentialSource;
use super::transport::Transport;
use super::{Operation, Provider, alibaba, tencent};
use crate::types::clock::Clock;

/// What a provider needs to serve one account. Fields that a vendor does not know must be `None`.
#[derive(Debug)]
pub struct AccountSetup {
    /// The vendor's region.
    pub region: Option<String>,
    /// Scheme, host and port; `None` for the vendor's own host.
    pub endpoint: Option<reqwest::Url>,
    /// The sub-application.
    pub sub_app_id: Option<u64>,
    /// The signature version: `v3` (the default) or `v1`.
    pub signature: Option<String>,
    /// The key.
    pub credentials: CredentialSource,
    /// The client.
    pub transport: Transport,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// A field of an account's settings that cannot work, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct BadSetup {
    /// The field below the account.
    pub field: &'static str,
    /// What is wrong, and the fix.
    pub why: String,
}

/// A vendor that accounts can name.
#[derive(Debug)]
pub struct Listed {
    /// The word in settings and answers.
    pub name: &'static str,
    /// Every vendor action it may call.
    pub operations: &'static [Operation],
    /// The host that serves an account, for the start-up message and the quota group.
    pub endpoint: fn(&AccountSetup) -> Result<reqwest::Url, BadSetup>,
    /// Makes the client of one account.
    pub build: fn(AccountSetup) -> Result<Arc<dyn Provider>, BadSetup>,
}

/// All providers.
pub const PROVIDERS: &[Listed] = &[
    Listed {
        name: alibaba::NAME,
        operations: alibaba::OPERATIONS,
        endpoint: alibaba::endpoint,
        build: alibaba::build,
    },
    Listed {
        name: tencent::NAME,
        operations: tencent::OPERATIONS,
        endpoint: tencent::endpoint,
        build: tencent::build,
    },
];

/// The provider of this name.
#[must_use]
pub fn listed(name: &str) -> Option<&'static Listed> {
    PROVIDERS.iter().find(|provider| provider.name == name)
}
