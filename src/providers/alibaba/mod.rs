//! The client of this vendor (being built), and its simulator in `sandbox`.

use std::sync::Arc;

use super::registry::{AccountSetup, BadSetup};
use super::{Operation, Provider};

pub mod sandbox;

/// The word in settings and answers.
pub const NAME: &str = "alibaba";

/// Every vendor action that the client may call.
pub const OPERATIONS: &[Operation] = &[];

/// The host that serves an account.
pub fn endpoint(_setup: &AccountSetup) -> Result<reqwest::Url, BadSetup> {
    Err(BadSetup { field: "provider", why: "is being built".into() })
}

/// The client of one account.
pub fn build(_setup: AccountSetup) -> Result<Arc<dyn Provider>, BadSetup> {
    Err(BadSetup { field: "provider", why: "is being built".into() })
}
