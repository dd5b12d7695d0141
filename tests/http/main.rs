//! HTTP as callers see it: statuses, problems, lists, keys, serving and the process.
//!
//! One binary, a file per subject, each test a claim. Services and vendors run in
//! the test's own process on free ports with a journal of their own; where the
//! process itself is the subject, the real binary runs. Every answer that passes
//! through the harness is held against `openapi.yaml`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

mod harness;

mod canary;
mod contract;
mod events;
mod guarded;
mod harm;
mod idempotency;
mod intake;
mod keys;
mod lists;
mod matrix;
mod pages;
mod prefer;
mod problems;
mod process;
mod safekeeping;
mod serving;
mod statuses;
mod streams;
mod tls;
mod verbs;
