//! Holds and stop switches, for those who may know of them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::types::hold::{Hold, Stop};

/// A hold: what it covers is not deleted, whoever asks.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Hold)]
pub struct HoldBody {
    /// The account.
    pub account: String,
    /// An id, or a pattern over ids.
    pub id: String,
    /// The vendor's id, if `id` is the caller's own id of an asset and the vendor told which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub asset: Option<String>,
    /// Why.
    pub reason: String,
    /// The caller who put it.
    pub held_by: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub held_at: String,
}

impl From<&Hold> for HoldBody {
    fn from(hold: &Hold) -> Self {
        Self {
            account: hold.account.to_string(),
            id: hold.id.to_string(),
            asset: hold.asset.as_ref().map(ToString::to_string),
            reason: hold.reason.clone(),
            held_by: hold.held_by.clone(),
            held_at: hold.held_at.to_string(),
        }
    }
}

/// Holds of an account, by id.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct HoldPage {
    /// The holds.
    pub items: Vec<HoldBody>,
    /// Give it as `page_token` for the next page; null on the last.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
}

/// A stop switch that is on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Stop)]
pub struct StopBody {
    /// The account; null stops all.
    #[schema(required = true)]
    pub account: Option<String>,
    /// Why.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// The caller who set it.
    pub by: String,
    /// Since when.
    #[schema(format = DateTime)]
    pub at: String,
}

impl From<&Stop> for StopBody {
    fn from(stop: &Stop) -> Self {
        Self {
            account: stop.account.as_ref().map(ToString::to_string),
            reason: stop.reason.clone(),
            by: stop.by.clone(),
            at: stop.at.to_string(),
        }
    }
}

/// The stop switches that are on.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Stops)]
pub struct StopsBody {
    /// Each of them.
    pub stops: Vec<StopBody>,
}
