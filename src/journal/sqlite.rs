//! SQLite (being built).
