//! Audit records, as callers read them.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::words::ActionWord;
use crate::journal::audit::{Action, Record};

/// One thing that happened, linked to the one before it by its hash.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = AuditRecord)]
pub struct AuditRecordBody {
    /// Its place, from 1, without gaps.
    pub seq: i64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// The caller, or `vodrm`.
    pub actor: String,
    /// What happened.
    #[schema(value_type = ActionWord)]
    pub action: &'static str,
    /// The account, if it is about one.
    #[schema(required = true)]
    pub account: Option<String>,
    /// The deletion that it is about.
    #[schema(required = true)]
    pub deletion: Option<String>,
    /// The items that it is about.
    #[schema(required = true)]
    pub items: Option<SpanBody>,
    /// Why; with `answered` what the vendor said.
    #[schema(required = true)]
    pub reason: Option<String>,
    /// The vendor's request id.
    #[schema(required = true)]
    pub vendor_request_id: Option<String>,
    /// The hash of the record before it.
    #[schema(min_length = 64, max_length = 64)]
    pub previous_hash: String,
    /// SHA-256 over this record and the hash before it.
    #[schema(min_length = 64, max_length = 64)]
    pub hash: String,
}

/// Items of one deletion.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Span)]
pub struct SpanBody {
    /// Their positions, such as `0-19,25`.
    pub ranges: String,
    /// How many.
    pub count: u32,
    /// SHA-256 over what is said of each of them.
    #[schema(min_length = 64, max_length = 64)]
    pub digest: String,
}

impl AuditRecordBody {
    /// A record; why something is held is only for who may know of holds.
    #[must_use]
    pub fn new(record: &Record, sees_holds: bool) -> Self {
        let entry = &record.entry;
        let is_hold = matches!(entry.action, Action::Held | Action::Lifted);
        Self {
            seq: record.seq,
            at: record.at.to_string(),
            actor: entry.actor.clone(),
            action: entry.action.as_str(),
            account: entry.account.as_ref().map(ToString::to_string),
            deletion: entry.deletion.as_ref().map(ToString::to_string),
            items: entry.items.as_ref().map(|span| SpanBody {
                ranges: span.ranges.clone(),
                count: span.count,
                digest: span.digest.to_string(),
            }),
            reason: entry.reason.clone().filter(|_| !is_hold || sees_holds),
            vendor_request_id: entry.vendor_request_id.clone(),
            previous_hash: record.previous.to_string(),
            hash: record.hash.to_string(),
        }
    }
}

/// A page of audit records.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AuditPage {
    /// The records, newest first.
    pub items: Vec<AuditRecordBody>,
    /// Give it as `page_token` for the next page; null on the last.
    #[schema(required = true)]
    pub next_page_token: Option<String>,
}
