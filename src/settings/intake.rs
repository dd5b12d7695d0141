//! `[intake]` and `[idempotency]`: what comes in, how much, and how often.
//!
//! Its own file for the limits of uploads, each of which has its reason in
//! `config/default.toml`. How lines are read is `api`'s business.

use std::time::Duration;

use super::section::Section;

/// Most items of one upload that can be set: their numbers must fit 32 bits with room to spare.
const MOST_ITEMS: u64 = 100_000_000;
/// Largest upload that can be set. It is never held as a whole.
const LARGEST_UPLOAD: u64 = 64 * 1024 * 1024 * 1024;
/// Longest line that can be set: one is held for each upload.
const LONGEST_LINE: u64 = 1024 * 1024;
/// Shortest: a target with a long URL must fit.
const SHORTEST_LINE: u64 = 4 * 1024;
/// Most uploads at once that can be set: each holds up to about 2 MiB.
const MOST_UPLOADS: u64 = 1_024;
/// Shortest time that a key is kept: a caller that repeats must find it.
const SHORTEST_KEEP: Duration = Duration::from_mins(1);

/// Uploads: NDJSON and plain lists.
#[derive(Debug, Clone)]
pub struct IntakeSettings {
    /// Items of one upload.
    pub max_items: u32,
    /// Bytes of one upload.
    pub max_bytes: u64,
    /// Bytes of one line.
    pub max_line_bytes: usize,
    /// Uploads at once.
    pub max_uploads: usize,
}

/// `Idempotency-Key`.
#[derive(Debug, Clone)]
pub struct IdempotencySettings {
    /// How long a key is kept.
    pub keep: Duration,
    /// Whether requests that delete must have one.
    pub required: bool,
}

pub(super) fn read(root: &mut Section<'_>) -> Option<IntakeSettings> {
    let mut section = root.table("intake")?;
    let max_items = section.need("max_items").whole(1..=MOST_ITEMS);
    let max_bytes = section.need("max_bytes").whole(SHORTEST_LINE..=LARGEST_UPLOAD);
    let max_line_bytes = section.need("max_line_bytes").whole(SHORTEST_LINE..=LONGEST_LINE);
    let max_uploads = section.need("max_uploads").whole(1..=MOST_UPLOADS);
    section.finish();
    Some(IntakeSettings {
        max_items: u32::try_from(max_items?).ok()?,
        max_bytes: max_bytes?,
        max_line_bytes: usize::try_from(max_line_bytes?).ok()?,
        max_uploads: usize::try_from(max_uploads?).ok()?,
    })
}

pub(super) fn read_idempotency(root: &mut Section<'_>) -> Option<IdempotencySettings> {
    let mut section = root.table("idempotency")?;
    let keep = section.need("keep").duration(SHORTEST_KEEP);
    let required = section.need("required").flag();
    section.finish();
    Some(IdempotencySettings { keep: keep?, required: required? })
}
