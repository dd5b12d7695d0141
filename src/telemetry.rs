//! The log: set up once, before anything is said.
//!
//! Lines for people on a terminal, JSON for machines elsewhere, always to
//! stderr, so that stdout belongs to what a command prints. Its own file because
//! it is the one piece of global state. What is worth saying is decided where it
//! happens; what is counted stands in `types/metrics.rs`.

use std::io::IsTerminal as _;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::settings::{LogFormat, LogSettings};

/// A log that cannot be set up; names the setting.
#[derive(Debug, thiserror::Error)]
pub enum BadLog {
    /// The level says nothing that the log could follow.
    #[error("log.level: {0}")]
    Level(#[from] BadLevel),
    /// Another log was set up before.
    #[error("log: cannot be set up: {0}")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// A text that is neither a level nor directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be off, error, warn, info, debug or trace, or directives such as info,vodrm::dispatch=debug")]
pub struct BadLevel;

/// Reads a level or directives.
pub fn parse_level(text: &str) -> Result<EnvFilter, BadLevel> {
    // The filter takes a bare `inof` for the name of a part and then shows nothing
    // else, so a bare word has to be a level.
    let bare = |part: &str| !part.contains(['=', '[']);
    let bad = |part: &str| part.is_empty() || (bare(part) && part.parse::<LevelFilter>().is_err());
    if text.split(',').any(bad) {
        return Err(BadLevel);
    }
    EnvFilter::try_new(text).map_err(|_| BadLevel)
}

/// Sets the log up for the whole process.
pub fn init(settings: &LogSettings) -> Result<(), BadLog> {
    let terminal = std::io::stderr().is_terminal();
    let json = match settings.format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let builder =
        tracing_subscriber::fmt().with_env_filter(parse_level(&settings.level)?).with_writer(std::io::stderr);
    if json {
        builder.json().flatten_event(true).with_span_list(false).finish().try_init()?;
    } else if terminal {
        // Colours, unless NO_COLOR asks for none.
        builder.finish().try_init()?;
    } else {
        builder.with_ansi(false).finish().try_init()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_directives() {
        for good in
            ["info", "WARN", "off", "info,vodrm::dispatch=debug", "warn,vodrm=trace", "[request]=info"]
        {
            assert!(parse_level(good).is_ok(), "{good}");
        }
        for bad in ["", "inof", "vodrm", "info,", "vodrm=loud", "info,,warn", "warn, vodrm=trace"] {
            assert!(parse_level(bad).is_err(), "{bad:?} was taken");
        }
        let settings = LogSettings { format: LogFormat::Json, level: "loud".into() };
        assert!(init(&settings).is_err_and(|bad| bad.to_string().starts_with("log.level: ")));
    }
}
