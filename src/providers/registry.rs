//! The one list of providers.
//!
//! A provider that stands here can be named in an account's settings, is run by
//! the provider suite of the tests and appears in the documentation. Its own
//! file so that adding a vendor changes one line outside the vendor's folder.

use std::sync::Arc;

use super::setup::{AccountSetup, BadSetup};
use super::{Operation, Provider, alibaba, tencent};

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
