//! `vodrm openapi`: the contract as YAML, to stdout.
//!
//! Made from the handlers, so it cannot be behind them; the file at the project's
//! root is this output, and a test holds the two together.

use std::io::Write as _;

/// Prints the contract.
pub fn run() -> anyhow::Result<()> {
    let text = crate::api::docs::yaml().map_err(anyhow::Error::msg)?;
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}
