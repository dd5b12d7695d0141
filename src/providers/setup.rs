//! What a provider is made of for one account.
//!
//! Its own file so that the list of providers and the providers need not name
//! each other: both name this.

use std::sync::Arc;

use super::credentials::CredentialSource;
use super::transport::Transport;
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
