//! `vodrm health`: ask a running service whether it is ready.
//!
//! For container health checks, where no curl is at hand. Speaks HTTP by hand: one
//! request, one status line. Over TLS it takes the configured certificate and no
//! other, so that it needs no roots, which an image may lack, and no name. Without a
//! URL it asks at the address that the configuration listens on.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Url;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::ConfigArg;
use crate::app::accept::tls::pinned;

/// Time for the whole exchange: shorter than the usual interval of health checks.
const TIMEOUT: Duration = Duration::from_secs(3);
/// As much of the answer as is read: the status line is all that is wanted.
const MAX_ANSWER_BYTES: u64 = 1024;

/// What `health` takes.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Where the service is; by default where the configuration listens
    #[arg(long, value_name = "URL")]
    pub url: Option<Url>,
    /// Where the settings are.
    #[command(flatten)]
    pub config: ConfigArg,
}

/// Succeeds if the service is ready.
pub async fn run(args: HealthArgs) -> anyhow::Result<()> {
    let is_http = args.url.as_ref().is_some_and(|url| url.scheme() == "http");
    let server = if is_http { None } else { Some(args.config.load(None)?.server) };
    let tls = server.as_ref().and_then(|server| server.tls.as_ref());
    let url = match (args.url, &server) {
        (None, Some(server)) => {
            let scheme = if tls.is_some() { "https" } else { "http" };
            Url::parse(&format!("{scheme}://{}", server.local_address()))?
        }
        (Some(url), _) => url,
        (None, None) => bail!("there is nobody to ask"),
    };
    if url.scheme() != "http" && (url.scheme() != "https" || tls.is_none()) {
        bail!("{url}: http:// is spoken here, and https:// where the configuration has [server.tls]");
    }
    let connector = tls.filter(|_| url.scheme() == "https").map(pinned::connector).transpose()?;
    let url = url.join("/readyz")?;
    let status = tokio::time::timeout(TIMEOUT, status_of(&url, connector))
        .await
        .with_context(|| format!("{url} did not answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("{url} cannot be asked"))?;
    if status != 200 {
        bail!("{url} answered {status}: not ready");
    }
    Ok(())
}

/// The status that a GET is answered with.
async fn status_of(url: &Url, connector: Option<TlsConnector>) -> anyhow::Result<u16> {
    let host = url.host_str().context("the URL has no host")?;
    let port = url.port_or_known_default().context("the URL has no port")?;
    // A URL's IPv6 host has brackets, which sockets do not take.
    let plain = host.trim_matches(['[', ']']).to_owned();
    let stream = TcpStream::connect((plain.as_str(), port)).await?;
    let head = format!("GET {} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n", url.path());
    match connector {
        None => exchange(stream, &head).await,
        Some(connector) => {
            let name = ServerName::try_from(plain).context("the URL's host is no name")?;
            exchange(connector.connect(name, stream).await?, &head).await
        }
    }
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, head: &str) -> anyhow::Result<u16> {
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER_BYTES).read_to_end(&mut answer).await?;
    let text = String::from_utf8_lossy(&answer);
    let mut words = text.split_ascii_whitespace();
    let version = words.next().unwrap_or_default();
    let status = words.next().and_then(|word| word.parse().ok());
    status.filter(|_| version.starts_with("HTTP/1.")).context("the answer is not HTTP")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_util::task::TaskTracker;

    use super::*;

    /// A peer that answers one connection so, and what it was asked.
    async fn ask(answer: &'static str) -> (anyhow::Result<()>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let peer = TaskTracker::new().spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 512];
            let n = stream.read(&mut asked).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(asked[..n].to_vec()).unwrap()
        });
        let result = run(HealthArgs { url: Some(url), config: ConfigArg::default() }).await;
        (result, peer.await.unwrap())
    }

    #[tokio::test]
    async fn only_a_200_is_ready() {
        let (ready, asked) = ask("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
        assert!(ready.is_ok(), "{ready:?}");
        assert!(asked.starts_with("GET /readyz HTTP/1.1\r\n"), "{asked}");
        let not_ready = ask("HTTP/1.1 503 Service Unavailable\r\n\r\n").await.0.unwrap_err();
        assert!(not_ready.to_string().ends_with("/readyz answered 503: not ready"), "{not_ready}");
        assert!(ask("SSH-2.0 200\r\n").await.0.is_err());
        assert!(ask("").await.0.is_err());
    }

    #[tokio::test]
    async fn nobody_there_is_not_ready() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).ok();
        drop(listener);
        let error = run(HealthArgs { url, config: ConfigArg::default() }).await.unwrap_err();
        assert!(format!("{error:#}").contains("cannot be asked: "), "{error:#}");
        let url = Url::parse("https://127.0.0.1:1").ok();
        let error = run(HealthArgs { url, config: ConfigArg::default() }).await.unwrap_err();
        assert!(format!("{error:#}").contains("where the configuration has [server.tls]"), "{error:#}");
    }
}
