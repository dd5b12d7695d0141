//! Where a call's key comes from, and when it is read again.
//!
//! A key is fixed at start (from the environment) or lives in a file that the
//! platform may rotate under us. A file is looked at again when its last look is
//! older than `RECHECK`, and at once when the vendor has refused the key, so a
//! rotation is picked up without a restart. Knows nothing of vendors; reading
//! the environment is `settings.rs`' business.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::Mutex;

use crate::types::clock::Clock;
use crate::types::secret::{Credentials, Secret};

/// How old a file's content may be before it is looked at again.
pub const RECHECK: Duration = Duration::from_secs(10);
/// How long a look may take: a hung mount must not hold up calls under their lease.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
/// Largest credentials file; three short strings.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[error("credentials file {path}: {why}")]
pub struct NoCredentials {
    path: String,
    why: String,
}

/// The file's content: `id`, `secret` and optionally `token`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    id: String,
    secret: Secret,
    token: Option<Secret>,
}

#[derive(Debug)]
struct Held {
    key: Arc<Credentials>,
    looked_at: Duration,
    /// The last look did not come back: many calls may be refused at once, and each would wait for it.
    hung: bool,
}

/// The key of one account.
#[derive(Debug)]
pub struct CredentialSource {
    file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
    held: Mutex<Held>,
}

impl CredentialSource {
    /// A key that never changes.
    #[must_use]
    pub fn fixed(key: Credentials, clock: Arc<dyn Clock>) -> Self {
        let held = Held { key: Arc::new(key), looked_at: clock.uptime(), hung: false };
        Self { file: None, clock, held: Mutex::new(held) }
    }

    /// A key in a file. Fails if the file cannot be read now.
    pub fn file(path: PathBuf, clock: Arc<dyn Clock>) -> Result<Self, NoCredentials> {
        let key = Arc::new(read(&path)?);
        let held = Held { key, looked_at: clock.uptime(), hung: false };
        Ok(Self { file: Some(path), clock, held: Mutex::new(held) })
    }

    /// The key to sign with now. An unreadable file keeps the key that was held.
    pub async fn current(&self) -> Arc<Credentials> {
        let mut held = self.held.lock().await;
        if self.clock.uptime().saturating_sub(held.looked_at) >= RECHECK {
            self.look_again(&mut held).await;
        }
        Arc::clone(&held.key)
    }

    /// Called when the vendor refused `used`: whether there is another key now.
    pub async fn renew(&self, used: &Credentials) -> bool {
        let mut held = self.held.lock().await;
        let age = self.clock.uptime().saturating_sub(held.looked_at);
        if same(&held.key, used) && (!held.hung || age >= RECHECK) {
            self.look_again(&mut held).await;
        }
        !same(&held.key, used)
    }

    async fn look_again(&self, held: &mut Held) {
        held.looked_at = self.clock.uptime();
        let Some(path) = self.file.clone() else {
            return;
        };
        // Off the async threads: secrets often sit on a network mount.
        let look = tokio::task::spawn_blocking(move || read(&path));
        let looked = tokio::time::timeout(LOOK_PATIENCE, look).await;
        held.hung = looked.is_err();
        match looked {
            Ok(Ok(Ok(key))) => held.key = Arc::new(key),
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the key is kept as it was"),
            Ok(Err(error)) => tracing::error!(%error, "the credentials file could not be looked at"),
            Err(_) => tracing::warn!("the credentials file does not answer; the key is kept as it was"),
        }
    }
}

fn same(a: &Credentials, b: &Credentials) -> bool {
    let token = |key: &Credentials| key.token.as_ref().map(|token| token.expose().to_owned());
    a.id == b.id && a.secret.expose() == b.secret.expose() && token(a) == token(b)
}

fn read(path: &std::path::Path) -> Result<Credentials, NoCredentials> {
    let refuse = |why: String| NoCredentials { path: path.display().to_string(), why };
    let size = std::fs::metadata(path).map_err(|error| refuse(error.to_string()))?.len();
    if size > MAX_FILE_BYTES {
        return Err(refuse(format!("larger than {MAX_FILE_BYTES} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    // The parser's own message quotes the offending line, which may be the secret.
    let file: CredentialsFile = toml::from_str(&text)
        .map_err(|_| refuse("is not TOML with the keys id, secret and optionally token".into()))?;
    if file.id.trim() != file.id || file.id.is_empty() || file.secret.is_empty() {
        return Err(refuse("id and secret must not be empty or have white space around them".into()));
    }
    Ok(Credentials { id: file.id, secret: file.secret, token: file.token.filter(|token| !token.is_empty()) })
}
