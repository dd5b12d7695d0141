//! Client input becomes types: the only parsers of what callers send.
//!
//! Unknown fields and parameters are refused everywhere (a mistyped `dry_runn`
//! must never delete), and parts of the contract that are not served yet are
//! refused unless they stand at their default. What a provider can serve is not
//! known here. One file per form that input comes in.

/// Everything that is wrong with a body, at once.
pub mod faults;

/// One thing to delete.
pub mod target;

/// The JSON body of a request to delete many.
pub mod deletion;

/// Queries.
pub mod query;

/// The query of an upload.
pub mod upload;

/// Headers that say how to answer.
pub mod headers;

/// The bodies of verbs.
pub mod verb;

/// What is to happen before anything is sent.
mod wish;

pub use deletion::{DeletionRequest, deletion};
pub use headers::{Patience, prefer, refuse_body};
pub use query::Query;

use std::time::Duration;

/// Longest reason.
pub const MAX_REASON_LEN: usize = 1_000;
/// Longest wait that a caller may ask for.
pub const MAX_WAIT: Duration = Duration::from_mins(1);
