//! The real binary dies, drains and runs out of room, and must still tell the truth.
//!
//! The service runs as a process of its own, the vendors' simulators as another, so
//! that what was really deleted survives the service. Afterwards four accounts of
//! the same events are compared: what a client was told, what the journal's file
//! says, what the API shows, what the vendors' ledgers hold. Nothing here uses the
//! library: whoever checks shares no code with what is checked.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
#![expect(clippy::print_stdout, reason = "the figures of a run, and the seed that replays it, are said")]

mod checker;
mod client;
mod config;
mod evidence;
mod http;
mod journal;
mod load;
mod process;
mod report;
mod stage;

mod disk;
mod drains;
mod kills;
mod planted;
mod points;
