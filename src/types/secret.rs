//! Secrets that cannot print.
//!
//! `Debug` and `Display` of a `Secret` show a placeholder, it does not
//! serialize, and its memory is wiped when it goes. The text comes out through
//! `Secret::expose` alone, so a search for that word finds every use.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

/// A key, token or password.
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself, for signing and comparing only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a vendor knows a caller by.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The key's id. Not a secret, but shown to nobody who need not see it.
    pub id: String,
    /// The key.
    pub secret: Secret,
    /// The session token of temporary credentials.
    pub token: Option<Secret>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        let credentials = Credentials { id: "id".into(), secret, token: Some("tok-1".into()) };
        let printed = format!("{credentials:?}");
        assert!(!printed.contains("hunter2") && !printed.contains("tok-1"), "{printed}");
    }
}
