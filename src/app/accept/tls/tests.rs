//! TLS over real sockets, with certificates made on the spot.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::task::TaskTracker;

use super::*;
use crate::app::shutdown::Shutdown;
use crate::settings::testing::load;
use crate::types::clock::ManualClock;
use crate::types::metrics::Metrics;

/// Far beyond what any step here takes.
const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: h\r\n\r\n";

/// Somebody who vouches.
struct Authority {
    issuer: rcgen::Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, as PEM.
struct Identity {
    cert: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(params, key), pem }
    }

    fn vouch(&self) -> Identity {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap().pem();
        Identity { cert, key: key.serialize_pem() }
    }
}

struct Server {
    address: SocketAddr,
    settings: TlsSettings,
    clock: Arc<ManualClock>,
    shutdown: Shutdown,
    tls: Arc<Tls>,
    _folder: TempDir,
}

fn put(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}

fn files(identity: &Identity, clients: Option<&Authority>) -> (TempDir, TlsSettings) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    put(&path("cert"), &identity.cert);
    put(&path("key"), &identity.key);
    let client_ca = clients.map(|authority| {
        put(&path("clients"), &authority.pem);
        path("clients")
    });
    let settings = TlsSettings { cert: path("cert"), key: path("key"), client_ca };
    (folder, settings)
}

async fn start(identity: &Identity, clients: Option<&Authority>) -> Server {
    let (folder, tls_settings) = files(identity, clients);
    let tls = Arc::new(Tls::load(&tls_settings).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let clock = ManualClock::at(Timestamp::UNIX_EPOCH);
    let (shutdown, tasks) = (Shutdown::new(), TaskTracker::new());
    let app = Router::new().route("/", get(|| async { "hello" }));
    let mut settings = load("", &[]).unwrap().server;
    settings.header_timeout = Duration::from_secs(5);
    let (inner, door, ours) = (tasks.clone(), shutdown.clone(), Arc::clone(&tls));
    tasks.spawn(async move {
        crate::app::accept::serve(listener, app, &settings, Some(ours), Metrics::new(), &inner, &door).await;
    });
    tasks.spawn(Arc::clone(&tls).follow(Arc::clone(&clock) as Arc<dyn Clock>));
    Server { address, settings: tls_settings, clock, shutdown, tls, _folder: folder }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shutdown.at_once.cancel();
    }
}

async fn within<T>(step: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, step).await.expect("the step must not hang")
}

fn connector(trusted: &Authority, own: Option<&Identity>) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let cert = CertificateDer::from_pem_slice(own.cert.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    TlsConnector::from(Arc::new(config))
}

async fn connect(server: &Server, connector: &TlsConnector) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(server.address).await?;
    within(connector.connect(ServerName::try_from("localhost").unwrap(), stream)).await
}

/// Asks once on an open connection.
async fn ask(stream: &mut TlsStream<TcpStream>) -> std::io::Result<String> {
    stream.write_all(GET).await?;
    let mut text = String::new();
    let mut chunk = [0; 1024];
    while !text.ends_with("hello") {
        let n = within(stream.read(&mut chunk)).await?;
        if n == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        text.push_str(std::str::from_utf8(&chunk[..n]).unwrap());
    }
    Ok(text)
}

async fn ask_once(server: &Server, connector: &TlsConnector) -> std::io::Result<String> {
    ask(&mut connect(server, connector).await?).await
}

#[tokio::test]
async fn https_is_answered_and_plain_http_is_not_kept_waiting() {
    let authority = Authority::new();
    let server = start(&authority.vouch(), None).await;
    let mut stream = connect(&server, &connector(&authority, None)).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"http/1.1".as_slice()));
    for _ in 0..2 {
        assert!(ask(&mut stream).await.unwrap().starts_with("HTTP/1.1 200"));
    }
    assert!(ask_once(&server, &connector(&Authority::new(), None)).await.is_err(), "nobody vouches for it");
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    plain.write_all(GET).await.unwrap();
    let mut said = Vec::new();
    // A reset is an end as well.
    drop(within(plain.read_to_end(&mut said)).await);
    assert!(!said.starts_with(b"HTTP/1.1 2"), "{said:?}");
    // It has not been served, and others still are.
    assert!(ask(&mut stream).await.is_ok());
}

#[tokio::test]
async fn a_silent_peer_is_cut_and_holds_nobody_up() {
    let authority = Authority::new();
    let server = start(&authority.vouch(), None).await;
    let silent = futures_util::future::join_all((0..50).map(|_| TcpStream::connect(server.address))).await;
    assert!(ask_once(&server, &connector(&authority, None)).await.is_ok());
    // The end of the service does not wait for handshakes.
    server.shutdown.closing.cancel();
    for stream in silent {
        let mut rest = Vec::new();
        drop(within(stream.unwrap().read_to_end(&mut rest)).await);
        assert!(rest.is_empty());
    }
}

#[tokio::test]
async fn with_a_client_ca_a_client_needs_its_certificate() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let server = start(&authority.vouch(), Some(&clients)).await;
    let good = clients.vouch();
    assert!(ask_once(&server, &connector(&authority, Some(&good))).await.is_ok());
    // With TLS 1.3 the refusal comes after the client's own handshake is over.
    assert!(ask_once(&server, &connector(&authority, None)).await.is_err());
    let stranger = Authority::new().vouch();
    assert!(ask_once(&server, &connector(&authority, Some(&stranger))).await.is_err());
    // The server's own authority does not vouch for clients.
    assert!(ask_once(&server, &connector(&authority, Some(&authority.vouch()))).await.is_err());
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up_and_open_connections_stay() {
    let [old, new] = [Authority::new(), Authority::new()];
    let server = start(&old.vouch(), None).await;
    let (by_old, by_new) = (connector(&old, None), connector(&new, None));
    let mut kept = connect(&server, &by_old).await.unwrap();
    assert!(ask(&mut kept).await.is_ok());
    // Half of a renewal: the certificate is there, its key is not yet.
    let renewed = new.vouch();
    put(&server.settings.cert, &renewed.cert);
    server.tls.look_again();
    assert!(ask_once(&server, &by_old).await.is_ok(), "the old one is kept");
    put(&server.settings.key, &renewed.key);
    server.clock.advance(RECHECK);
    within(async { while ask_once(&server, &by_new).await.is_err() {} }).await;
    assert!(ask_once(&server, &by_old).await.is_err());
    assert!(ask(&mut kept).await.is_ok(), "what was open goes on");
    for rubbish in ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "canary"] {
        put(&server.settings.cert, rubbish);
        server.tls.look_again();
        assert!(ask_once(&server, &by_new).await.is_ok(), "{rubbish:?}");
    }
    std::fs::remove_file(&server.settings.key).unwrap();
    server.tls.look_again();
    assert!(ask_once(&server, &by_new).await.is_ok());
}

#[test]
fn files_that_cannot_be_used_stop_the_start_and_are_named() {
    let authority = Authority::new();
    let (one, other) = (authority.vouch(), authority.vouch());
    let said = |change: &dyn Fn(&TlsSettings)| {
        let (_folder, settings) = files(&one, Some(&authority));
        change(&settings);
        let error = Tls::load(&settings).unwrap_err().to_string();
        assert!(!error.contains("canary"), "{error}");
        error
    };
    let remove = |path: &Path| std::fs::remove_file(path).unwrap();
    for (error, wanted) in [
        (said(&|tls| remove(&tls.cert)), "server.tls.cert: "),
        (said(&|tls| remove(&tls.key)), "server.tls.key: "),
        (said(&|tls| remove(tls.client_ca.as_ref().unwrap())), "server.tls.client_ca: "),
        (said(&|tls| put(&tls.cert, "canary")), "server.tls.cert: "),
        (said(&|tls| put(&tls.key, &format!("canary{}", one.cert))), "server.tls.key: "),
        (said(&|tls| put(&tls.key, &other.key)), "server.tls.key: "),
        (said(&|tls| put(tls.client_ca.as_ref().unwrap(), "")), "server.tls.client_ca: "),
        (said(&|tls| put(&tls.cert, &"x".repeat(2 * 1024 * 1024))), "server.tls.cert: "),
    ] {
        assert!(error.starts_with(wanted), "{error} is not about {wanted}");
    }
}

#[tokio::test]
async fn a_pinned_client_takes_the_configured_certificate_and_no_other() {
    let authority = Authority::new();
    for clients in [None, Some(&authority)] {
        let server = start(&authority.vouch(), clients).await;
        let pinned = pinned::connector(&server.settings).unwrap();
        assert!(ask_once(&server, &pinned).await.is_ok());
        let (_folder, twin) = files(&authority.vouch(), clients);
        assert!(ask_once(&server, &pinned::connector(&twin).unwrap()).await.is_err());
    }
}
