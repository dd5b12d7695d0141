#![doc = include_str!("ARCHITECTURE.md")]

/// HTTP in.
pub mod api;

/// When work goes out.
pub mod dispatch;

/// Who may.
pub mod guard;

/// What was promised and what happened.
pub mod journal;

/// How one call to one vendor is made.
pub mod providers;

/// Kit for the vendors' simulators.
pub mod sandbox;

/// The words.
pub mod types;

/// The frame: process, commands, sockets.
pub mod app;

/// What can be configured.
pub mod settings;

/// The log.
pub mod telemetry;
