//! Accounts and their lanes: quota, queue, and why one is blocked.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::words::{KindWord, LaneReasonWord, LaneStateWord};
use crate::dispatch::{AccountView, LaneView};
use crate::types::target::Kind;

/// The queue of one account and operation.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Lane)]
pub struct LaneBody {
    /// The vendor action.
    pub operation: &'static str,
    /// Whether it sends.
    pub state: LaneStateWord,
    /// Why not.
    #[schema(value_type = Option<LaneReasonWord>, required = true)]
    pub reason: Option<&'static str>,
    /// The vendor's limit, in calls a second.
    pub qps: f64,
    /// Our part of it.
    pub share: f64,
    /// Calls a second that are granted now.
    pub rate_now: f64,
    /// Calls that could go at once.
    pub tokens: f64,
    /// Items that wait.
    pub queue_depth: u64,
    /// Answers that throttled, since the start; accounts of one quota group share it.
    pub throttled_total: u64,
}

impl From<&LaneView> for LaneBody {
    fn from(lane: &LaneView) -> Self {
        Self {
            operation: lane.operation,
            state: lane.blocked.into(),
            reason: lane.blocked.map(crate::types::outcome::LaneReason::as_str),
            qps: lane.bucket.full.qps,
            share: lane.bucket.full.share,
            rate_now: lane.bucket.rate_now,
            tokens: lane.bucket.tokens,
            queue_depth: lane.queue_depth,
            throttled_total: lane.bucket.throttled_total,
        }
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Account)]
pub struct AccountBody {
    /// Its name.
    pub name: String,
    /// Its provider.
    pub provider: &'static str,
    /// Its region, where one is configured.
    #[schema(required = true)]
    pub region: Option<String>,
    /// The kinds that its provider can serve.
    #[schema(value_type = Vec<KindWord>)]
    pub kinds: &'static [Kind],
    /// `blocked` if any of its lanes is, `stopped` while a stop switch is on.
    pub state: LaneStateWord,
    /// Why.
    #[schema(value_type = Option<LaneReasonWord>, required = true)]
    pub reason: Option<&'static str>,
    /// Its lanes.
    pub lanes: Vec<LaneBody>,
}

impl From<&AccountView> for AccountBody {
    fn from(account: &AccountView) -> Self {
        Self {
            name: account.id.to_string(),
            provider: account.provider,
            region: account.region.clone(),
            kinds: account.kinds,
            state: account.blocked.into(),
            reason: account.blocked.map(crate::types::outcome::LaneReason::as_str),
            lanes: account.lanes.iter().map(LaneBody::from).collect(),
        }
    }
}

/// The accounts that the caller may see.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AccountPage {
    /// The accounts, by name.
    pub items: Vec<AccountBody>,
    /// Always null: they fit on one page.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
}
