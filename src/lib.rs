//! vodrm: one normalized delete API over video clouds.

pub mod journal;
pub mod providers;
pub mod sandbox;
pub mod types;
