//! Headers that say how to answer, and bodies that should not be there.
//!
//! `Prefer` is ignored where it is not understood, as its RFC asks; everything
//! else that would change what is deleted is refused instead.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};

use super::MAX_WAIT;
use crate::api::problem::Problem;

/// How long an answer waits for the outcome if the caller does not say.
pub const DEFAULT_WAIT: Duration = Duration::from_secs(10);

/// How long the caller will wait for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the answer waits.
    pub wait: Duration,
    /// The caller is content with an answer before the outcome.
    pub is_async: bool,
    /// The wait in seconds, if one was asked for.
    pub asked: Option<u64>,
}

impl Patience {
    /// For lists too long to wait for: no wait unless one was asked for.
    #[must_use]
    pub fn of_upload(self) -> Self {
        let wait = self.asked.map_or(Duration::ZERO, Duration::from_secs);
        Self { wait, ..self }
    }

    /// What to answer as `Preference-Applied`.
    #[must_use]
    pub fn applied(&self) -> Option<String> {
        match (self.is_async, self.asked) {
            (true, Some(seconds)) => Some(format!("respond-async, wait={seconds}")),
            (true, None) => Some("respond-async".to_owned()),
            (false, Some(seconds)) => Some(format!("wait={seconds}")),
            (false, None) => None,
        }
    }
}

/// Reads `Prefer` (RFC 7240): `wait=N` and `respond-async`; what is not understood is ignored, as the RFC asks.
#[must_use]
pub fn prefer(headers: &HeaderMap) -> Patience {
    let mut patience = Patience { wait: DEFAULT_WAIT, is_async: false, asked: None };
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    for preference in values.flat_map(|value| value.split(',')) {
        let preference = preference.split(';').next().unwrap_or_default().trim();
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "respond-async" => patience.is_async = true,
            "wait" if patience.asked.is_none() => {
                if let Ok(seconds) = value.trim().trim_matches('"').parse::<u64>() {
                    patience.asked = Some(seconds.min(MAX_WAIT.as_secs()));
                }
            }
            _ => {}
        }
    }
    patience.wait = match (patience.asked, patience.is_async) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, true) => Duration::ZERO,
        (None, false) => DEFAULT_WAIT,
    };
    patience
}

/// A single-target DELETE says everything in its URL: what somebody put into a body (`dry_run`,
/// perhaps) would be overlooked, so it is refused.
pub fn refuse_body(headers: &HeaderMap) -> Result<(), Problem> {
    let is_empty = headers.get(CONTENT_LENGTH).is_none_or(|length| length == "0");
    if is_empty && !headers.contains_key(TRANSFER_ENCODING) {
        return Ok(());
    }
    Err(Problem::malformed("a DELETE takes no body here: say it in the query; nothing was accepted"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn preferences_follow_the_rfc() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("prefer", value.parse().unwrap());
            let patience = prefer(&headers);
            (patience.wait.as_secs(), patience.is_async)
        };
        assert_eq!(with("wait=3"), (3, false));
        assert_eq!(with("respond-async"), (0, true));
        assert_eq!(with("respond-async, wait=5"), (5, true));
        assert_eq!(with("wait=600"), (60, false));
        assert_eq!(with("wait=soon, foo=bar"), (10, false));
        assert_eq!(prefer(&HeaderMap::new()).wait, DEFAULT_WAIT);
    }
}
