//! `[server]`: where and how callers are answered.
//!
//! Its own file for its limits, each of which has its reason in
//! `config/default.toml`. Knows no route; what opens a connection is
//! `app/accept.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::section::Section;

/// Most connections: what one process may have open as files on usual machines.
const MOST_CONNECTIONS: u64 = 65_536;
/// Largest JSON body that can be allowed: it is held in memory as a whole.
const LARGEST_JSON: u64 = 64 * 1024 * 1024;
/// Smallest: one target must fit.
const SMALLEST_JSON: u64 = 4 * 1024;
/// Most bad credentials in a minute that can be allowed: beyond it, nothing is slowed down.
const MOST_BAD_KEYS: u64 = 1_000_000;
/// Shortest timeout. Anything shorter cuts every caller off.
const SHORTEST: Duration = Duration::from_millis(1);

/// TLS at the door: files in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// The certificate, with those that vouch for it behind it.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who vouches for clients; then each must have a certificate.
    pub client_ca: Option<PathBuf>,
}

/// HTTP in.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// TLS; without it, plain HTTP.
    pub tls: Option<TlsSettings>,
    /// Open connections; further ones wait in the backlog.
    pub max_connections: usize,
    /// Time for a request's headers, and of an idle connection.
    pub header_timeout: Duration,
    /// Longest silence within a body.
    pub body_timeout: Duration,
    /// Longest time for a whole body.
    pub request_body_deadline: Duration,
    /// Longest time in which a peer takes nothing of its answer.
    pub write_timeout: Duration,
    /// Largest JSON body.
    pub max_json_bytes: usize,
    /// Requests at work at once.
    pub max_requests_in_flight: usize,
    /// Answers that are streamed at once.
    pub max_streams: usize,
    /// The same, of one caller.
    pub max_streams_per_caller: usize,
    /// Time between "not ready" and the end of accepting.
    pub drain_delay: Duration,
    /// Time from the signal to the end of the process, `drain_delay` included.
    pub shutdown_timeout: Duration,
    /// Bad credentials that an address may send in a minute before it is slowed down.
    pub max_bad_keys: u32,
    /// Whether `/metrics`, `/openapi.yaml` and `/docs` need no key.
    pub public_docs: bool,
}

impl ServerSettings {
    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback()
    }

    /// The address under which this machine reaches it.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        let loopback: IpAddr = match self.listen {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        };
        let ip = if self.listen.ip().is_unspecified() { loopback } else { self.listen.ip() };
        SocketAddr::new(ip, self.listen.port())
    }
}

pub(super) fn read(root: &mut Section<'_>) -> Option<ServerSettings> {
    let mut section = root.table("server")?;
    let listen = section.need("listen").parsed(|text| {
        text.parse::<SocketAddr>()
            .map_err(|_| "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080")
    });
    let has_tls = section.has("tls");
    let tls = section.table("tls").and_then(read_tls);
    let max_connections = section.need("max_connections").whole(2..=MOST_CONNECTIONS);
    let header_timeout = section.need("header_timeout").duration(SHORTEST);
    let body_timeout = section.need("body_timeout").duration(SHORTEST);
    let request_body_deadline = section.need("request_body_deadline").duration(SHORTEST);
    let write_timeout = section.need("write_timeout").duration(SHORTEST);
    let max_json_bytes = section.need("max_json_bytes").whole(SMALLEST_JSON..=LARGEST_JSON);
    let max_requests_in_flight = section.need("max_requests_in_flight").whole(1..=MOST_CONNECTIONS);
    let max_streams = section.need("max_streams").whole(1..=MOST_CONNECTIONS);
    let max_streams_per_caller = section.need("max_streams_per_caller").whole(1..=MOST_CONNECTIONS);
    let drain_delay = section.need("drain_delay").duration(Duration::ZERO);
    let shutdown_timeout = section.need("shutdown_timeout").duration(SHORTEST);
    let max_bad_keys = section.need("max_bad_keys").whole(1..=MOST_BAD_KEYS);
    let loopback = listen.map(|listen| listen.ip().to_canonical().is_loopback());
    let public_docs = section.need("public_docs").flag_or_auto(loopback);
    if let (Some(connections), Some(requests)) = (max_connections, max_requests_in_flight)
        && requests >= connections
    {
        section.fault(
            "max_requests_in_flight",
            "must be below server.max_connections, or no connection is left to answer 503 on",
        );
    }
    if let (Some(silence), Some(whole)) = (body_timeout, request_body_deadline)
        && silence > whole
    {
        section.fault("body_timeout", "must not be above server.request_body_deadline");
    }
    if let (Some(drain), Some(whole)) = (drain_delay, shutdown_timeout)
        && drain >= whole
    {
        section.fault("drain_delay", "must be below server.shutdown_timeout, which includes it");
    }
    section.finish();
    // What was meant to be encrypted is never served in the clear.
    (tls.is_some() == has_tls).then_some(())?;
    Some(ServerSettings {
        listen: listen?,
        tls,
        max_connections: usize::try_from(max_connections?).ok()?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        request_body_deadline: request_body_deadline?,
        write_timeout: write_timeout?,
        max_json_bytes: usize::try_from(max_json_bytes?).ok()?,
        max_requests_in_flight: usize::try_from(max_requests_in_flight?).ok()?,
        max_streams: usize::try_from(max_streams?).ok()?,
        max_streams_per_caller: usize::try_from(max_streams_per_caller?).ok()?,
        drain_delay: drain_delay?,
        shutdown_timeout: shutdown_timeout?,
        max_bad_keys: u32::try_from(max_bad_keys?).ok()?,
        public_docs: public_docs?,
    })
}

fn read_tls(mut section: Section<'_>) -> Option<TlsSettings> {
    let path = |text: &str| if text.is_empty() { Err("must name a file") } else { Ok(PathBuf::from(text)) };
    let cert = section.need("cert").parsed(path);
    let key = section.need("key").parsed(path);
    let has_client_ca = section.has("client_ca");
    let client_ca = section.get("client_ca").parsed(path);
    section.finish();
    (client_ca.is_some() == has_client_ca).then_some(())?;
    Some(TlsSettings { cert: cert?, key: key?, client_ca })
}
