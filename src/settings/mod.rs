//! The settings: read in layers, checked as a whole, handed out by layer.
//!
//! `Settings::load` gives either settings that can work or every fault at
//! once, each under the name of its setting, so that a bad configuration is
//! mended in one go. The only place that reads the environment. The built-in
//! values are the documented `config/default.toml` itself, so the two cannot
//! differ. Texts of faults never hold a value that could be a secret.

use std::time::Duration;

use crate::guard::caller::Callers;
use crate::providers::registry::{Listed, PROVIDERS};

/// The layers, and how they become one tree.
mod layers;

/// One table of the tree, read name by name.
mod section;

/// `[server]`.
mod server;

/// `[intake]` and `[idempotency]`.
mod intake;

/// `[store]`.
mod store;

/// `[accounts.NAME]`.
mod accounts;

/// `[callers.NAME]`.
mod callers;

/// `[issuers.NAME]`.
mod issuers;

pub use accounts::{AccountSettings, CredentialSettings, LimitSettings, account_setup};
pub use callers::CallerSettings;
pub use intake::{IdempotencySettings, IntakeSettings};
pub use issuers::{IssuerSettings, KeysAt};
pub use layers::Sources;
pub use server::{ServerSettings, TlsSettings};
pub use store::StoreSettings;

use section::{Found, Section};

/// Most tries of one item that can be set: enough for any patience, and a typing
/// error cannot hammer a vendor.
const MOST_ATTEMPTS: u64 = 100;
/// Shortest time for which finished deletions are kept: who uploads and looks the next morning finds them.
const SHORTEST_RETENTION: Duration = Duration::from_hours(1);
/// Longest queue of a lane. A waiting item takes about 1 KiB, so this is 1 GiB.
const LONGEST_QUEUE: u64 = 1_000_000;

/// A setting that is unknown, missing or cannot work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting}: {why}")]
pub struct Fault {
    /// The full name, such as `accounts.media-cn.region`.
    pub setting: String,
    /// What is wrong, and the fix.
    pub why: String,
}

/// All faults of a configuration, one a line; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct Faults(pub Vec<Fault>);

/// When and how long to try again.
#[derive(Debug, Clone)]
pub struct RetrySettings {
    /// Tries of one item.
    pub max_attempts: u32,
    /// Time for all of them.
    pub max_age: Duration,
    /// Time before a delete of unknown effect is repeated.
    pub cool_down: Duration,
}

/// The lanes.
#[derive(Debug, Clone)]
pub struct LaneSettings {
    /// Items that may wait in memory for one lane.
    pub queue_depth: usize,
}

/// What is kept.
#[derive(Debug, Clone)]
pub struct RetentionSettings {
    /// How long a finished deletion is kept.
    pub finished: Duration,
}

/// How the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON elsewhere.
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// How it looks.
    pub format: LogFormat,
    /// What is said: a level, or directives by part.
    pub level: String,
}

/// Settings that can work.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The layers that were read, for people.
    pub read_from: Vec<String>,
    /// HTTP in.
    pub server: ServerSettings,
    /// Uploads.
    pub intake: IntakeSettings,
    /// Callers' keys.
    pub idempotency: IdempotencySettings,
    /// The journal.
    pub store: StoreSettings,
    /// Tries.
    pub retry: RetrySettings,
    /// Queues.
    pub lanes: LaneSettings,
    /// What is kept.
    pub retention: RetentionSettings,
    /// The log.
    pub log: LogSettings,
    /// Accounts, sorted by name.
    pub accounts: Vec<AccountSettings>,
    /// Issuers, sorted by name.
    pub issuers: Vec<IssuerSettings>,
    /// Callers, sorted by name.
    pub callers: Vec<CallerSettings>,
}

impl Settings {
    /// Reads and checks everything.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        Self::load_for(sources, PROVIDERS)
    }

    /// The same with another list of providers.
    pub fn load_for(sources: &Sources, providers: &'static [Listed]) -> Result<Self, Faults> {
        let (tree, read_from) = layers::merge(sources, providers)?;
        let found = Found::default();
        let mut root = Section::root(tree, &found);
        let server = server::read(&mut root);
        let intake = intake::read(&mut root);
        let idempotency = intake::read_idempotency(&mut root);
        let store = store::read(&mut root);
        let retry = read_retry(&mut root);
        let lanes = read_lanes(&mut root);
        let retention = read_retention(&mut root);
        let log = read_log(&mut root);
        let accounts = accounts::read(&mut root, sources, providers);
        let issuers = issuers::read(&mut root);
        let names = issuers.iter().map(|one| one.issuer.name.clone()).collect::<Vec<_>>();
        let callers = callers::read(&mut root, &names);
        root.finish();
        for name in names.iter().filter(|name| callers.iter().all(|one| one.issuer.as_ref() != Some(name))) {
            found.add(
                format!("issuers.{name}"),
                format!("admits nobody: let a caller say issuer = \"{name}\", or remove it"),
            );
        }
        if let Some(server) = &server
            && callers.is_empty()
            && !server.is_loopback()
        {
            found.add(
                "server.listen",
                "must be a loopback address (127.0.0.1 or ::1) while no callers are configured, or \
                 anybody could delete everything; `vodrm key new NAME` makes a caller",
            );
        }
        let faults = found.into_faults();
        let Some((intake, idempotency)) = intake.zip(idempotency) else { return Err(Faults(faults)) };
        match (server, store, retry, lanes, retention, log) {
            (Some(server), Some(store), Some(retry), Some(lanes), Some(retention), Some(log))
                if faults.is_empty() =>
            {
                Ok(Self {
                    read_from,
                    server,
                    intake,
                    idempotency,
                    store,
                    retry,
                    lanes,
                    retention,
                    log,
                    accounts,
                    issuers,
                    callers,
                })
            }
            _ => Err(Faults(faults)),
        }
    }

    /// Who may.
    #[must_use]
    pub fn callers(&self) -> Callers {
        if self.callers.is_empty() {
            return Callers::open();
        }
        let vouched =
            self.callers.iter().filter_map(|one| Some((one.caller.name.clone(), one.issuer.clone()?)));
        Callers::new(self.callers.iter().map(|one| (one.caller.clone(), one.keys.clone())))
            .vouched_by(vouched)
    }
}

fn read_retry(root: &mut Section<'_>) -> Option<RetrySettings> {
    let mut section = root.table("retry")?;
    let max_attempts = section.need("max_attempts").whole(1..=MOST_ATTEMPTS);
    let max_age = section.need("max_age").duration(Duration::from_secs(1));
    let cool_down = section.need("cool_down").duration(Duration::ZERO);
    if let (Some(max_age), Some(cool_down)) = (max_age, cool_down)
        && cool_down >= max_age
    {
        section.fault("cool_down", "must be below retry.max_age, or no delete could ever be repeated");
    }
    section.finish();
    let max_attempts = u32::try_from(max_attempts?).ok()?;
    Some(RetrySettings { max_attempts, max_age: max_age?, cool_down: cool_down? })
}

fn read_lanes(root: &mut Section<'_>) -> Option<LaneSettings> {
    let mut section = root.table("lanes")?;
    let queue_depth = section.need("queue_depth").whole(1..=LONGEST_QUEUE);
    section.finish();
    Some(LaneSettings { queue_depth: usize::try_from(queue_depth?).ok()? })
}

fn read_retention(root: &mut Section<'_>) -> Option<RetentionSettings> {
    let mut section = root.table("retention")?;
    let finished = section.need("finished").duration(SHORTEST_RETENTION);
    section.finish();
    Some(RetentionSettings { finished: finished? })
}

fn read_log(root: &mut Section<'_>) -> Option<LogSettings> {
    let mut section = root.table("log")?;
    let format = section.need("format").one_of(&[
        ("auto", LogFormat::Auto),
        ("human", LogFormat::Human),
        ("json", LogFormat::Json),
    ]);
    let level =
        section.need("level").parsed(|text| crate::telemetry::parse_level(text).map(|_| text.to_owned()));
    section.finish();
    Some(LogSettings { format: format?, level: level? })
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
