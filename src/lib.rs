//! vodrm: one normalized delete API over video clouds.

pub mod api;
pub mod app;
pub mod dispatch;
pub mod guard;
pub mod journal;
pub mod providers;
pub mod sandbox;
pub mod settings;
pub mod telemetry;
pub mod types;
