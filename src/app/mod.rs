//! The frame: what starts the process, takes connections, and ends it in order.
//!
//! May name every layer and is named by none. Decisions about deletions are
//! elsewhere; here are commands, sockets, signals and the making of clients.

/// From settings to the providers' clients.
pub mod accounts;

/// The keys of issuers.
pub mod issuers;

/// The accept loop.
pub mod accept;

/// The order in which the process ends.
pub mod shutdown;

/// Commands.
pub mod cli;

/// Both vendors' simulators.
pub mod sandboxes;

/// The whole service.
pub mod service;
