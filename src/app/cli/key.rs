//! `vodrm key new`: a caller's key and the settings that admit it.
//!
//! The key is shown once and kept nowhere; the configuration holds its digest.
//! Writes no file: where keys belong is for the operator to say.

use std::io::{self, Write};

use clap::{Args, Subcommand};

use crate::guard::caller::{ANONYMOUS, NewKey, caller_name};

/// What `key` takes.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeyCommand,
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a key and print it with the settings to paste
    New {
        /// The caller's name, as it will stand in deletions and logs
        #[arg(value_parser = parse_name)]
        name: String,
    },
}

fn parse_name(text: &str) -> Result<String, String> {
    if text == ANONYMOUS {
        return Err("is the name of whoever calls while no callers are configured".to_owned());
    }
    caller_name(text).map_err(|bad| bad.to_string())
}

/// Makes what was asked for and prints it.
pub fn run(args: KeyArgs) -> anyhow::Result<()> {
    let KeyCommand::New { name } = args.command;
    let made = NewKey::generate()?;
    write(&mut io::stdout().lock(), &name, &made)?;
    Ok(())
}

/// The key stands alone on the first line, and the rest is TOML that can be appended.
fn write(out: &mut impl Write, name: &str, made: &NewKey) -> io::Result<()> {
    writeln!(out, "{}", made.key.expose())?;
    writeln!(out)?;
    writeln!(out, "# The key above is for the caller (Authorization: Bearer …) and is shown only once.")?;
    writeln!(out, "# This is for the configuration; narrow accounts and may as far as you can:")?;
    writeln!(out, "[callers.{name}]")?;
    writeln!(out, "key_sha256 = \"{}\"", made.digest)?;
    writeln!(out, "accounts = [\"*\"]")?;
    writeln!(out, "may = [\"read\", \"delete\"]")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::testing::load;

    #[test]
    fn the_printed_settings_admit_the_printed_key() {
        let made = NewKey::generate().unwrap();
        let mut printed = Vec::new();
        write(&mut printed, "cms", &made).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        let (key, toml) = printed.split_once('\n').unwrap();
        let settings = load(toml, &[]).unwrap();
        assert_eq!(settings.callers().authenticate(key).unwrap().name, "cms");
        assert!(!toml.contains(key));
        assert!(parse_name("anonymous").is_err() && parse_name("a b").is_err());
    }
}
