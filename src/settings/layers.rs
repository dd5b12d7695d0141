//! The layers, and how they become one tree.
//!
//! The `config` crate parses and merges. Its environment source lower-cases
//! every name, which would lose `limits.DeleteMedia` and an account named `Prod`;
//! so the environment is a source of our own that spells each part of a name as
//! the files below it and the providers' tables do. Its values keep the name of
//! their variable, as the files' values keep their path, for faults to say.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, File, FileFormat, FileSourceFile, Source, Value, ValueKind};

use super::{Fault, Faults};
use crate::providers::registry::Listed;

/// The documented file, which is also the built-in values.
pub(super) const BUILT_IN: &str = include_str!("../../config/default.toml");
/// Variables that set a setting begin so.
const PREFIX: &str = "VODRM__";
/// Parts a setting's name from the next.
const SEPARATOR: &str = "__";
/// Names the file beside `default.toml`.
const CHOICE: &str = "VODRM_ENV";

/// Where settings are read from.
#[derive(Clone)]
pub struct Sources {
    /// The working directory; an empty path is the process's own.
    pub directory: PathBuf,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The file after `--config`.
    pub file: Option<PathBuf>,
    /// The address after `--listen`, which wins over everything.
    pub listen: Option<SocketAddr>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        let Self { directory, environment, file, listen } = self;
        f.debug_struct("Sources")
            .field("directory", directory)
            .field("environment", &environment.len())
            .field("file", file)
            .field("listen", listen)
            .finish()
    }
}

impl Sources {
    /// Those of this process.
    #[must_use]
    pub fn of_process(file: Option<PathBuf>, listen: Option<SocketAddr>) -> Self {
        // Bytes that are no text become U+FFFD, which no check lets through.
        let text = |raw: std::ffi::OsString| raw.to_string_lossy().into_owned();
        let environment = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        Self { directory: PathBuf::new(), environment, file, listen }
    }

    /// A variable that has a value.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// Values that were collected before, so that the fault of each layer is known by itself.
#[derive(Debug, Clone)]
struct Collected(HashMap<String, Value>);

impl Source for Collected {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<HashMap<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// All layers as one tree, and their names.
pub(super) fn merge(
    sources: &Sources,
    providers: &[Listed],
) -> Result<(BTreeMap<String, Value>, Vec<String>), Faults> {
    let mut names = vec!["built-in values".to_owned()];
    let mut faults = Vec::new();
    let mut builder = Config::builder().add_source(File::from_str(BUILT_IN, FileFormat::Toml));
    for path in files(sources, &mut faults) {
        match collect(&path) {
            Ok(values) => {
                builder = builder.add_source(Collected(values));
                names.push(path.display().to_string());
            }
            Err(fault) => faults.push(fault),
        }
    }
    if !faults.is_empty() {
        return Err(Faults(faults));
    }
    let below = builder.build_cloned().map_err(unmerged)?.cache;
    let variables = from_environment(sources, &below, providers);
    if !variables.is_empty() {
        names.push(format!("{} variables {PREFIX}…", variables.len()));
    }
    for (path, value) in variables {
        builder = builder.add_source(Collected(nest(&path, value)));
    }
    if let Some(listen) = sources.listen {
        let value = Value::new(Some(&"--listen".to_owned()), listen.to_string());
        builder = builder.add_source(Collected(nest(&["server".into(), "listen".into()], value)));
        names.push("--listen".to_owned());
    }
    let tree = builder.build().map_err(unmerged)?.cache;
    let table = if let ValueKind::Table(table) = tree.kind { table } else { HashMap::new() };
    Ok((table.into_iter().collect(), names))
}

/// The files to read, in order.
fn files(sources: &Sources, faults: &mut Vec<Fault>) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let default = sources.directory.join("config/default.toml");
    if default.exists() {
        files.push(default);
    }
    if let Some(choice) = sources.variable(CHOICE) {
        let path = sources.directory.join(format!("config/{choice}.toml"));
        if !choice.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            faults.push(fault(CHOICE, "must be a plain name of A-Z a-z 0-9 _ -, such as production"));
        } else if path.is_file() {
            files.push(path);
        } else {
            faults.push(fault(CHOICE, format!("is set, but there is no file {}", path.display())));
        }
    }
    match &sources.file {
        Some(path) if path.is_file() => files.push(path.clone()),
        Some(path) => faults.push(fault("--config", format!("there is no file {}", path.display()))),
        None => {}
    }
    files
}

fn collect(path: &Path) -> Result<HashMap<String, Value>, Fault> {
    let file: File<FileSourceFile, FileFormat> = File::from(path).format(FileFormat::Toml);
    file.collect().map_err(|error| Fault { setting: path.display().to_string(), why: unread(path, &error) })
}

/// Why a file could not be read. The parser's own text quotes the offending line,
/// which may hold a secret, so only its place and message are taken.
fn unread(path: &Path, error: &ConfigError) -> String {
    let ConfigError::FileParse { cause, .. } = error else {
        return "cannot be read".to_owned();
    };
    let Some(bad) = cause.downcast_ref::<toml::de::Error>() else {
        return "is not TOML: a number is too large".to_owned();
    };
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let before = bad.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.bytes().filter(|b| *b == b'\n').count() + 1);
    line.map_or_else(
        || "is not TOML".to_owned(),
        |line| format!("line {line} is not TOML: {}", bad.message()),
    )
}

fn unmerged(error: ConfigError) -> Faults {
    // Every layer was collected before, so only a fault of the built-in file ends here.
    drop(error);
    Faults(vec![fault("configuration", "the layers do not fit together")])
}

fn fault(setting: &str, why: impl Into<String>) -> Fault {
    Fault { setting: setting.to_owned(), why: why.into() }
}

/// The variables that set something: the setting's name in parts, and the value.
fn from_environment(sources: &Sources, below: &Value, providers: &[Listed]) -> Vec<(Vec<String>, Value)> {
    let operations = providers.iter().flat_map(|one| one.operations).map(|one| one.name).collect::<Vec<_>>();
    sources
        .environment
        .iter()
        .filter_map(|(name, value)| {
            let rest = name.strip_prefix(PREFIX)?;
            let path = spell(rest, below, &operations);
            Some((path, Value::new(Some(name), value.as_str())))
        })
        .collect()
}

/// Spells each part as the tree below does, else as the contract does.
fn spell(rest: &str, below: &Value, operations: &[&'static str]) -> Vec<String> {
    let mut here = Some(below);
    let mut path: Vec<String> = Vec::new();
    for part in rest.split(SEPARATOR) {
        let table =
            here.and_then(|value| if let ValueKind::Table(table) = &value.kind { Some(table) } else { None });
        // Sorted, so that two names that differ in case alone give the same one each time.
        let mut names = table.map(|table| table.keys().collect::<Vec<_>>()).unwrap_or_default();
        names.sort();
        let folded = |name: &str| name.to_ascii_lowercase().replace('-', "_");
        let known = names
            .iter()
            .find(|name| name.eq_ignore_ascii_case(part))
            .or_else(|| names.iter().find(|name| folded(name) == folded(part)));
        let spelled = match known {
            Some(name) => (*name).clone(),
            None if path.len() == 3 && path.get(2).is_some_and(|name| name == "limits") => operations
                .iter()
                .find(|name| name.eq_ignore_ascii_case(part))
                .map_or_else(|| part.to_owned(), |name| (*name).to_owned()),
            None => part.to_ascii_lowercase(),
        };
        here = table.and_then(|table| table.get(&spelled));
        path.push(spelled);
    }
    path
}

/// A value under its name, table in table.
fn nest(path: &[String], value: Value) -> HashMap<String, Value> {
    let mut path = path.iter().rev();
    let mut map = HashMap::new();
    if let Some(last) = path.next() {
        map.insert(last.clone(), value);
    }
    for name in path {
        map = HashMap::from([(name.clone(), Value::new(None, map))]);
    }
    map
}
