//! TLS at the door: certificates from files that may change under us.
//!
//! Its own file because it is about certificates and knows no HTTP. The files are
//! looked at every `RECHECK`; what cannot be used keeps what was there, so that a
//! half-written renewal breaks nothing. Connections keep what they began with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::settings::TlsSettings;
use crate::types::clock::Clock;

/// A client that knows this service alone.
pub mod pinned;

/// How often the files are looked at, like a file of credentials.
pub const RECHECK: Duration = Duration::from_secs(10);
/// Largest file; a chain of certificates has some 10 KiB.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// A file that cannot be used. Nothing of its content is in the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server.tls.{setting}: {} {why}", .path.display())]
pub struct BadTls {
    setting: &'static str,
    path: PathBuf,
    why: String,
}

/// The files as they were read.
struct Files {
    cert: Zeroizing<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    client_ca: Option<Zeroizing<Vec<u8>>>,
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, BadTls> {
        let client_ca = settings.client_ca.as_deref().map(|path| read("client_ca", path)).transpose()?;
        Ok(Self { cert: read("cert", &settings.cert)?, key: read("key", &settings.key)?, client_ca })
    }

    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for file in [Some(&self.cert), Some(&self.key), self.client_ca.as_ref()].into_iter().flatten() {
            // Each by its own digest, so that no boundary can move.
            hash.update(Sha256::digest(file));
        }
        hash.finalize().into()
    }
}

fn read(setting: &'static str, path: &Path) -> Result<Zeroizing<Vec<u8>>, BadTls> {
    let refuse = |why: String| BadTls { setting, path: path.to_owned(), why };
    let size = std::fs::metadata(path).map_err(|error| refuse(format!("cannot be read: {error}")))?.len();
    if size > MAX_FILE_BYTES {
        return Err(refuse(format!("is larger than {MAX_FILE_BYTES} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
    Ok(Zeroizing::new(bytes))
}

fn certificates(
    setting: &'static str,
    path: &Path,
    pem: &[u8],
) -> Result<Vec<CertificateDer<'static>>, BadTls> {
    let refuse = |why: &str| BadTls { setting, path: path.to_owned(), why: why.to_owned() };
    let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let read = read.map_err(|_| refuse("is no PEM"))?;
    if read.is_empty() { Err(refuse("holds no certificate")) } else { Ok(read) }
}

/// What handshakes are made with.
fn configure(settings: &TlsSettings, files: &Files) -> Result<ServerConfig, BadTls> {
    let refuse =
        |setting: &'static str, path: &Path, why: String| BadTls { setting, path: path.to_owned(), why };
    let chain = certificates("cert", &settings.cert, &files.cert)?;
    let key = PrivateKeyDer::from_pem_slice(&files.key)
        .map_err(|_| refuse("key", &settings.key, "holds no private key as PEM".to_owned()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| refuse("cert", &settings.cert, error.to_string()))?;
    let builder = match settings.client_ca.as_deref().zip(files.client_ca.as_ref()) {
        None => builder.with_no_client_auth(),
        Some((path, pem)) => {
            let mut roots = RootCertStore::empty();
            for root in certificates("client_ca", path, pem)? {
                roots.add(root).map_err(|error| refuse("client_ca", path, error.to_string()))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(
                verifier.map_err(|error| refuse("client_ca", path, error.to_string()))?,
            )
        }
    };
    let mut config = builder
        .with_single_cert(chain, key)
        .map_err(|error| refuse("key", &settings.key, format!("does not serve the certificate: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Makes handshakes with what the files held last.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    current: RwLock<Arc<ServerConfig>>,
    /// What was tried last, good or bad.
    tried: RwLock<Result<[u8; 32], BadTls>>,
}

impl Tls {
    /// Reads the files. Fails if they cannot be used.
    pub fn load(settings: &TlsSettings) -> Result<Self, BadTls> {
        let files = Files::read(settings)?;
        let config = configure(settings, &files)?;
        let tried = RwLock::new(Ok(files.digest()));
        Ok(Self { settings: settings.clone(), current: RwLock::new(Arc::new(config)), tried })
    }

    /// For one handshake.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }

    /// Looks at the files for as long as it is polled.
    pub async fn follow(self: Arc<Self>, clock: Arc<dyn Clock>) {
        let mut due = clock.uptime() + RECHECK;
        loop {
            clock.sleep_until(due).await;
            due = clock.uptime() + RECHECK;
            let this = Arc::clone(&self);
            // Files may sit on a mount that hangs, and a key takes time to check.
            if let Err(error) = tokio::task::spawn_blocking(move || this.look_again()).await {
                tracing::error!(%error, "the certificate could not be looked at");
            }
        }
    }

    /// Takes what the files hold now, if it is new and can be used.
    fn look_again(&self) {
        let files = Files::read(&self.settings);
        let found = files.as_ref().map(Files::digest).map_err(BadTls::clone);
        let mut tried = self.tried.write().unwrap_or_else(PoisonError::into_inner);
        // The same as at the last look, or missing as it was then: said once is enough.
        if *tried == found {
            return;
        }
        *tried = found;
        drop(tried);
        match files.and_then(|files| configure(&self.settings, &files)) {
            Ok(config) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!("the certificate was read again");
            }
            Err(error) => tracing::warn!(%error, "the certificate is kept as it was"),
        }
    }
}

#[cfg(test)]
mod tests;
