//! What is counted (being built).
