//! Who may, and what must not: decisions, named by `api` and `dispatch`.
//!
//! Plain values and pure functions. Where callers are configured is the frame's
//! business, and so is fetching an issuer's keys; how a request carries a key is `api`'s.

/// Callers, their keys and their rights.
pub mod caller;

/// Scopes, kinds and caps.
pub mod rights;

/// Tokens of issuers.
pub mod jwt;

/// Bad credentials by address.
pub mod bad_keys;

/// Patterns over names.
pub mod glob;

/// What must not be deleted.
pub mod holds;

/// What an account asks before anything is sent.
pub mod policy;
