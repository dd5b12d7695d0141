//! The switches every simulator has, and the overlay by which switches are changed.
//!
//! Its own file because vendors reuse `overlay` for their own switches. A change names only
//! the switches that change; a name nobody knows is an error, never silence.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// How calls per second are counted. The vendors' pages do not say, so both can be tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Count {
    /// By the second on the clock; a client can send twice the limit around its tick.
    #[default]
    Calendar,
    /// In the second before each call; the strictest reading.
    Sliding,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    pub enforce_qps: bool,
    pub count: Count,
    /// Calls per second by operation, instead of the published number.
    pub qps: BTreeMap<String, u32>,
    /// Added to the clock that was passed in, so that the vendor's time differs from the client's.
    pub clock_offset_ms: i64,
    /// No limits, no nonces, no signatures: for benchmarks of the client.
    pub fast: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enforce_qps: true,
            count: Count::Calendar,
            qps: BTreeMap::new(),
            clock_offset_ms: 0,
            fast: false,
        }
    }
}

/// `current` with the fields that `patch` names replaced. `T` should deny unknown fields.
pub fn overlay<T: Serialize + DeserializeOwned>(current: &T, patch: &Value) -> Result<T, String> {
    let Some(patch) = patch.as_object() else {
        return Err("options are a JSON object".to_owned());
    };
    let mut whole = serde_json::to_value(current).map_err(|error| error.to_string())?;
    if let Some(fields) = whole.as_object_mut() {
        for (name, value) in patch {
            fields.insert(name.clone(), value.clone());
        }
    }
    serde_path_to_error::deserialize(whole).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_changes_only_what_it_names() {
        let start = Options { fast: true, ..Options::default() };
        let after = overlay(&start, &serde_json::json!({"enforce_qps": false})).unwrap();
        assert!(after.fast && !after.enforce_qps);
    }

    #[test]
    fn an_unknown_option_is_named_in_the_error() {
        let error = overlay(&Options::default(), &serde_json::json!({"enforce": 1})).unwrap_err();
        assert!(error.contains("enforce"), "{error}");
    }
}
