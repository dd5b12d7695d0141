//! A relay in front of a vendor that closes the first connection it was given.
//!
//! For what no fault of the simulators can do: a kept connection that ends
//! between two requests, or just as the second one arrives. Passes bytes on and
//! knows of HTTP only where an answer ends. Everything after the first connection
//! is passed on for good.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// Room for one piece of a request or an answer; larger ones come in several.
const PIECE_BYTES: usize = 16 * 1024;

/// When the first connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// After the first answer, while nobody uses it.
    Idle,
    /// When the second request arrives, of which the vendor learns nothing.
    InUse,
}

/// A running relay; it ends when it is dropped.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    closed: watch::Receiver<bool>,
    _stop: DropGuard,
}

impl Relay {
    pub(crate) fn start(vendor: SocketAddr, closing: Closing) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (addr, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (tell, closed) = watch::channel(false);
        let (tasks, ended) = (TaskTracker::new(), stop.clone());
        tasks.clone().spawn(async move {
            let mut first = Some(closing);
            loop {
                let client = tokio::select! {
                    () = ended.cancelled() => return,
                    accepted = listener.accept() => accepted.unwrap().0,
                };
                let (closing, tell, ended) = (first.take(), tell.clone(), ended.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = ended.cancelled() => {}
                        // A side that went away ends the connection, as it would without a relay.
                        _ = pass(client, vendor, closing) => {}
                    }
                    if closing.is_some() {
                        tell.send_replace(true);
                    }
                });
            }
        });
        Self { addr, closed, _stop: stop.drop_guard() }
    }

    /// Returns once both sides have let go of the first connection.
    pub(crate) async fn closed(&self) {
        self.closed.clone().wait_for(|closed| *closed).await.unwrap();
    }
}

async fn pass(mut client: TcpStream, vendor: SocketAddr, closing: Option<Closing>) -> std::io::Result<()> {
    let mut vendor = TcpStream::connect(vendor).await?;
    let (mut asked, mut told) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    let mut answer: Vec<u8> = Vec::new();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let read = read?;
                if read == 0 || (is_whole(&answer) && closing == Some(Closing::InUse)) {
                    return Ok(());
                }
                answer.clear();
                vendor.write_all(&asked[..read]).await?;
            }
            read = vendor.read(&mut told) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                client.write_all(&told[..read]).await?;
                answer.extend_from_slice(&told[..read]);
                if is_whole(&answer) && closing == Some(Closing::Idle) {
                    client.shutdown().await?;
                    // The client closes its side as soon as it sees the end.
                    return client.read(&mut asked).await.map(drop);
                }
            }
        }
    }
}

/// Whether an answer has come to its end; the simulators always tell its length.
fn is_whole(answer: &[u8]) -> bool {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(body_from)) = head.parse(answer) else { return false };
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok());
    length.is_some_and(|length: usize| answer.len() >= body_from + length)
}
