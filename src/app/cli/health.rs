//! `vodrm health`: ask a running service whether it is ready.
//!
//! For container health checks, where no curl is at hand. Speaks plain HTTP by
//! hand: one request, one status line, and no TLS roots that an image may lack.
//! Without a URL it asks at the address that the configuration listens on.

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::ConfigArg;

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
    let url = match args.url {
        Some(url) => url,
        None => Url::parse(&format!("http://{}", args.config.load(None)?.server.local_address()))?,
    };
    let url = url.join("/readyz")?;
    let status = tokio::time::timeout(TIMEOUT, status_of(&url))
        .await
        .with_context(|| format!("{url} did not answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("{url} cannot be asked"))?;
    if status != 200 {
        bail!("{url} answered {status}: not ready");
    }
    Ok(())
}

/// The status that a GET is answered with.
async fn status_of(url: &Url) -> anyhow::Result<u16> {
    if url.scheme() != "http" {
        bail!("only http:// is spoken here");
    }
    let host = url.host_str().context("the URL has no host")?;
    let port = url.port_or_known_default().context("the URL has no port")?;
    // A URL's IPv6 host has brackets, which sockets do not take.
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    let head = format!("GET {} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n", url.path());
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
        assert!(format!("{error:#}").contains("only http://"), "{error:#}");
    }
}
