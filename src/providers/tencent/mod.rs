//! The client of this vendor, and its simulator in `sandbox`.

pub mod sandbox;
