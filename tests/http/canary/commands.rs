//! What commands say: their help, and why a configuration cannot work.
//!
//! Secrets stand where people put them by mistake: in a URL, in the place of a
//! variable's name or a key's digest, in a file that does not parse.

use std::collections::BTreeMap;

use serde_json::json;

use super::report;
use super::search::{Place, Secret, leaks};
use crate::harness::process::run;

/// The one secret of every case; with what needs to be escaped.
const CANARY: &str = "Canary+Secret/17-misplaced";
/// The same where only a word can stand.
const WORD: &str = "CANARY_SECRET_17_MISPLACED";

/// Files to write, variables to set and further arguments: a configuration that cannot work.
struct Bad {
    name: &'static str,
    toml: String,
    file: String,
    environment: Vec<(&'static str, String)>,
}

fn bad(name: &'static str, toml: impl Into<String>) -> Bad {
    Bad { name, toml: toml.into(), file: String::new(), environment: Vec::new() }
}

fn with_file(name: &'static str, file: impl Into<String>) -> Bad {
    let account = "[accounts.a]\nprovider = \"tencent\"\nregion = \"ap-guangzhou\"\ncredentials = { file = \"key.toml\" }\n";
    Bad { file: file.into(), ..bad(name, account) }
}

fn by_variable(name: &'static str, variable: &'static str, value: impl Into<String>) -> Bad {
    Bad { environment: vec![(variable, value.into())], ..bad(name, "") }
}

fn account(rest: &str) -> String {
    format!("[accounts.a]\nprovider = \"alibaba\"\nregion = \"cn-shanghai\"\n{rest}\n")
}

fn caller(rest: &str) -> String {
    format!("[callers.a]\naccounts = [\"*\"]\nmay = [\"read\"]\n{rest}\n")
}

fn cases() -> Vec<Bad> {
    let key = format!("vodrm_{}", "Canary17".repeat(6));
    vec![
        bad("a database", format!("[store]\nurl = \"postgres://vodrm:{CANARY}@db/vodrm\"")),
        bad("another database", format!("[store]\nurl = \"mysql://vodrm:{CANARY}@db/vodrm\"")),
        bad("a file with a query", format!("[store]\nurl = \"sqlite://a.db?key={CANARY}\"")),
        by_variable("a database", "VODRM__STORE__URL", format!("postgresql://u:{CANARY}@h/d")),
        by_variable("no URL", "VODRM__STORE__URL", CANARY),
        bad(
            "a secret in the file",
            account(&format!("credentials = {{ id = \"x\", secret = \"{CANARY}\" }}")),
        ),
        bad("a secret as a text", account(&format!("credentials = \"{CANARY}\""))),
        bad("a secret beside", account(&format!("secret = \"{CANARY}\""))),
        bad(
            "a secret for a name",
            account(&format!("credentials = {{ env = {{ id = \"{CANARY}\", secret = \"{CANARY}\" }} }}")),
        ),
        bad("a list of secrets", account(&format!("credentials = [\"{CANARY}\"]"))),
        bad("a host with a password", account(&format!("endpoint = \"https://u:{CANARY}@host\""))),
        bad("a host with a query", account(&format!("endpoint = \"https://host/?key={CANARY}\""))),
        bad("a secret for a region", account(&format!("region = \"{CANARY}\""))),
        bad("a secret for a provider", format!("[accounts.a]\nprovider = \"{CANARY}\"")),
        bad("a secret for a scheme", account(&format!("signature = \"{CANARY}\""))),
        bad("a secret for a group", account(&format!("quota_group = \"{CANARY}\""))),
        bad("a secret for a number", account(&format!("sub_app_id = \"{CANARY}\""))),
        bad("a key for its digest", caller(&format!("key_sha256 = \"{key}\""))),
        bad("a secret for a digest", caller(&format!("key_sha256 = \"{CANARY}\""))),
        bad("a list of keys", caller(&format!("key_sha256 = [\"{key}\", \"{CANARY}\"]"))),
        bad("a key that is no digest", caller(&format!("key = \"{CANARY}\""))),
        bad(
            "a secret for a right",
            format!(
                "[callers.a]\naccounts = [\"*\"]\nmay = [\"{CANARY}\"]\nkey_sha256 = \"{}\"",
                "0".repeat(64)
            ),
        ),
        bad("a secret for an issuer", caller(&format!("issuer = \"{CANARY}\""))),
        bad("keys at a host with a password", issuer(&format!("https://u:{CANARY}@host/jwks.json"))),
        bad("keys at no host", issuer(&format!("ftp://{CANARY}"))),
        bad("a line that does not end", format!("[store]\nurl = \"postgres://vodrm:{CANARY}@db/vodrm\n")),
        bad("a value without quotes", format!("[accounts.a]\nsecret = {CANARY}\n")),
        bad("a key twice", format!("[accounts.a]\nsecret = \"{CANARY}\"\nsecret = \"{CANARY}\"\n")),
        bad("no TOML", format!("{CANARY}\n")),
        bad("a secret for a level", format!("[log]\nlevel = \"{CANARY}\"")),
        bad("a secret for a duration", format!("[retry]\nmax_age = \"{CANARY}\"")),
        bad("a secret for an address", format!("[server]\nlisten = \"{CANARY}\"")),
        by_variable("a secret for an address", "VODRM__SERVER__LISTEN", CANARY),
        by_variable("a secret for a variable", "VODRM__ACCOUNTS__A__SECRET", CANARY),
        by_variable("a secret for a digest", "VODRM__CALLERS__A__KEY_SHA256", CANARY),
        by_variable("a secret for an environment", "VODRM_ENV", CANARY),
        by_variable("a secret in another variable", "VODRM__STORE__PASSWORD", CANARY),
        with_file("a key file without quotes", format!("id = x\nsecret = {CANARY}\n")),
        with_file("a key file that does not end", format!("id = \"x\"\nsecret = \"{CANARY}\n")),
        with_file(
            "a key file with another field",
            format!("id = \"x\"\nsecret = \"{CANARY}\"\npassword = \"{CANARY}\"\n"),
        ),
        with_file("a key file with a list", format!("id = \"x\"\nsecret = [\"{CANARY}\"]\n")),
        with_file("a key file in JSON", format!("{{\"id\": \"x\", \"secret\": \"{CANARY}\"}}")),
        with_file("a key file of one line", format!("{CANARY}\n")),
        with_file("a key file without an id", format!("secret = \"{CANARY}\"\n")),
    ]
}

fn issuer(jwks: &str) -> String {
    format!(
        "[issuers.a]\nissuer = \"https://id.example\"\naudience = \"vodrm\"\njwks = \"{jwks}\"\nalgorithms = [\"ES256\"]\n\
         [callers.a]\nissuer = \"a\"\naccounts = [\"*\"]\nmay = [\"read\"]\n"
    )
}

#[test]
fn no_command_says_what_a_configuration_hides() {
    let secrets = [
        Secret::new("a misplaced secret", CANARY),
        Secret::new("a misplaced word", WORD),
        Secret::new("a misplaced key", &"Canary17".repeat(6)),
    ];
    let mut places = Vec::new();
    let mut started = Vec::new();
    for (n, case) in cases().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("vodrm.toml"), &case.toml).unwrap();
        std::fs::write(folder.path().join("key.toml"), &case.file).unwrap();
        let mut environment: BTreeMap<&str, String> = case.environment.into_iter().collect();
        environment.insert("RUST_BACKTRACE", "full".to_owned());
        environment.entry("VODRM__LOG__LEVEL").or_insert_with(|| "trace".to_owned());
        if case.name.contains("level") {
            environment.remove("VODRM__LOG__LEVEL");
        }
        // The others read the configuration as these two do.
        let commands = ["serve", "check", "backup", "fsck", "audit"];
        for command in commands.into_iter().take(if n % 5 == 0 { 5 } else { 2 }) {
            let mut args = vec![command];
            match command {
                "backup" => args.extend(["--to", "copy.db"]),
                "audit" => args.push("verify"),
                _ => {}
            }
            args.extend(["--config", "vodrm.toml"]);
            let (code, said) = run(folder.path(), &args, &environment);
            assert!(!said.is_empty(), "{command}: {}", case.name);
            if code == 0 {
                started.push(format!("{command}: {}", case.name));
            }
            places.push(Place::new(format!("{command}: {}", case.name), said));
        }
    }
    assert!(started.is_empty(), "these work: {started:#?}");
    let found = leaks(&secrets, &places);
    assert!(found.is_empty(), "{found:#?}");
    report("configurations", json!({"cases": cases().len(), "outputs": places.len(), "leaks": found.len()}));
}

#[test]
fn no_help_says_what_the_environment_holds() {
    let folder = tempfile::tempdir().unwrap();
    let environment: BTreeMap<&str, String> = [
        ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", CANARY),
        ("VODRM__STORE__URL", &format!("postgres://u:{CANARY}@h/d")),
        ("VODRM__CALLERS__A__KEY_SHA256", WORD),
        ("RUST_LOG", "trace"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into();
    let commands =
        ["serve", "sandbox", "demo", "check", "openapi", "health", "key", "fsck", "backup", "audit"];
    let mut lines: Vec<Vec<&str>> = vec![vec![], vec!["--help"], vec!["-h"], vec!["--version"], vec!["help"]];
    for command in commands {
        lines.extend([
            vec![command, "--help"],
            vec![command, "-h"],
            vec!["help", command],
            vec![command, "--none"],
        ]);
    }
    lines.extend([
        vec!["key", "new", "--help"],
        vec!["audit", "verify", "--help"],
        vec!["openapi"],
        vec!["serve"],
        vec!["check"],
        vec!["health", "--url", "http://127.0.0.1:1"],
        vec!["serve", "--sandbox"],
        vec!["demo", "--none"],
    ]);
    let places: Vec<Place> = lines
        .iter()
        .map(|args| Place::new(args.join(" "), run(folder.path(), args, &environment).1))
        .collect();
    let secrets = [Secret::new("a secret", CANARY), Secret::new("a word", WORD)];
    let found = leaks(&secrets, &places);
    assert!(found.is_empty(), "{found:#?}");
    report("help", json!({"commands": places.len(), "leaks": found.len()}));
}
