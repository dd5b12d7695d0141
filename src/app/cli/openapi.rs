//! `vodrm openapi`: the contract as YAML, to stdout.
//!
//! The same text that a running service gives at `/openapi.yaml`.

/// Prints the contract.
pub fn run() -> anyhow::Result<()> {
    anyhow::bail!("`vodrm openapi` is being built")
}
