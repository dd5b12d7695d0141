//! The program: one command, one exit code.
//!
//! Everything is in the library, so that tests run it without a process. Here
//! are only what a process has one of: the TLS provider, the runtime, the way
//! errors are said, and the exit code.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use vodrm::app::cli::{self, Cli, ExitWith};

fn main() -> ExitCode {
    // First, since whatever makes a TLS client later takes the one that is there.
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    // It fails only if one is installed already, and nothing ran before this line.
    drop(provider.install_default());
    let cli = Cli::parse();
    match tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(cli::run(cli)))
    {
        Ok(()) => ExitCode::SUCCESS,
        // `vodrm check | head`: whoever read has seen enough.
        Err(error) if is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say(&error);
            error.downcast_ref::<ExitWith>().map_or(ExitCode::FAILURE, |with| ExitCode::from(with.code))
        }
    }
}

/// Whether the reader of our output went away.
fn is_unread(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

/// Each line of the error as one of its own: a configuration has several faults.
fn say(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    for line in format!("{error:#}").lines() {
        // With stderr gone there is nobody left to tell; the exit code still says it.
        if writeln!(out, "error: {line}").is_err() {
            return;
        }
    }
}
