//! The words of vodrm: what can be deleted, what was asked, what came of it.
//!
//! Every other folder speaks in these types. They are checked once, where raw
//! text enters (`api/request.rs`, a provider's `wire.rs`, the journal's rows),
//! and are plain values from there on. Nothing here does I/O or knows a vendor,
//! a status code or a table.

/// Names of accounts, assets and targets, with their checks.
pub mod target;

/// What a vendor says of an asset, in one vocabulary.
pub mod asset;

/// What goes with a target when it is deleted.
pub mod effects;

/// Outcomes, reasons and how an attempt ended.
pub mod outcome;

/// Deletions and items: the durable resources.
pub mod deletion;

/// Where a deletion stands.
pub mod lifecycle;

/// What must not be deleted, and when nothing may.
pub mod hold;

/// Secrets that cannot print.
pub mod secret;

/// Durations as people write them.
pub mod duration;

/// Time, passed in.
pub mod clock;

/// Chance, passed in.
pub mod chance;

/// What is counted.
pub mod metrics;

/// Where a test lets the process die.
pub mod crash;
