//! The accept loop.
//!
//! `axum::serve` sets no timer, so a client that sends its headers a byte at a
//! time would hold a connection for ever, and it takes connections without
//! limit. This loop cuts slow headers and peers that do not read, stops accepting
//! at the cap so that further callers wait in the machine's backlog, and ends every
//! connection in order. Knows no route and no body: their limits are layers of the
//! router.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

/// A peer that must go on reading.
mod stall;

/// TLS.
pub mod tls;

use stall::MustRead;
use tls::Tls;

use super::shutdown::Shutdown;
use crate::settings::ServerSettings;
use crate::types::metrics::Metrics;

/// Largest request head; hyper answers 431 beyond it. The largest part that we
/// ask for, an image's URL in a query, has 2 KiB.
const MAX_HEAD_BYTES: usize = 32 * 1024;
/// What the system keeps of an answer that its peer has not taken (FAULTS.md, 22). Left to itself it
/// keeps 4 MiB of each, and the streams that nobody reads would be made in vain up to there.
const SEND_BUFFER_BYTES: u32 = 64 * 1024;
/// Connections that wait to be taken.
const BACKLOG: u32 = 1024;
/// First wait after an error that will not pass by itself, such as no free file.
const FIRST_BACKOFF: Duration = Duration::from_millis(10);
/// Longest wait: connections that end in the meantime free what was missing.
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// The socket that callers come to.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A port that closed connections still name can be taken again.
    socket.set_reuseaddr(true)?;
    // Connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Takes connections until `shutdown.closing`, then waits until the open ones
/// have finished their requests or `shutdown.at_once` cuts them.
///
/// Every request carries its peer as [`ConnectInfo<SocketAddr>`].
pub async fn serve(
    listener: TcpListener,
    app: Router,
    settings: &ServerSettings,
    tls: Option<Arc<Tls>>,
    metrics: Metrics,
    tasks: &TaskTracker,
    shutdown: &Shutdown,
) {
    let mut door =
        Door { listener, places: Arc::new(Semaphore::new(settings.max_connections)), times_full: 0 };
    let graceful = GracefulShutdown::new();
    let (header_timeout, write_timeout) = (settings.header_timeout, settings.write_timeout);
    loop {
        let (stream, peer, place) = tokio::select! {
            // Closing wins over a connection that came at the same moment.
            biased;
            () = shutdown.closing.cancelled() => break,
            taken = door.next() => taken,
        };
        let connection = Connection {
            app: app.clone(),
            peer,
            header_timeout,
            write_timeout,
            watcher: graceful.watcher(),
            acceptor: tls.as_deref().map(Tls::acceptor),
            closing: shutdown.closing.clone(),
        };
        let at_once = shutdown.at_once.clone();
        let open = Open::count(metrics.clone(), place);
        tasks.spawn(async move {
            tokio::select! {
                () = connection.run(stream) => {}
                () = at_once.cancelled() => {}
            }
            drop(open);
        });
    }
    // The port is refused from here on, which tells balancers more than a timeout would.
    drop(door);
    graceful.shutdown().await;
}

/// The listening socket and the places behind it.
struct Door {
    listener: TcpListener,
    places: Arc<Semaphore>,
    times_full: u64,
}

impl Door {
    /// The next connection, once there is a place for it.
    async fn next(&mut self) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        let place = self.place().await;
        let mut backoff = FIRST_BACKOFF;
        loop {
            match self.listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                // The peer was gone before we took it: nothing is wrong here.
                Err(error) if is_of_peer(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "no connection can be taken, trying again");
                    tokio::time::sleep(backoff).await;
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
    }

    async fn place(&mut self) -> OwnedSemaphorePermit {
        if self.places.available_permits() == 0 {
            self.times_full += 1;
            // At the cap every end of a connection comes by here: say it ever more rarely.
            if self.times_full.is_power_of_two() {
                tracing::warn!(
                    times_full = self.times_full,
                    "server.max_connections are open, further ones wait in the backlog"
                );
            }
        }
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(place) => place,
            // The semaphore lives in self and nobody closes it.
            Err(_closed) => std::future::pending().await,
        }
    }
}

fn is_of_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    [ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted].contains(&error.kind())
}

/// One place that is taken, counted for as long as it is.
struct Open {
    metrics: Metrics,
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn count(metrics: Metrics, place: OwnedSemaphorePermit) -> Self {
        metrics.connections.inc();
        Self { metrics, _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.metrics.connections.dec();
    }
}

/// What one connection needs.
struct Connection {
    app: Router,
    peer: SocketAddr,
    header_timeout: Duration,
    write_timeout: Duration,
    watcher: Watcher,
    acceptor: Option<TlsAcceptor>,
    closing: CancellationToken,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Answers are written whole; waiting for more to send would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, peer = %self.peer, "TCP_NODELAY");
        }
        let stream = MustRead::new(stream, self.write_timeout);
        match self.acceptor.clone() {
            None => self.serve(stream).await,
            Some(acceptor) => {
                if let Some(stream) = self.shake_hands(acceptor, stream).await {
                    self.serve(stream).await;
                }
            }
        }
    }

    /// TLS, in the time that headers have. It runs in the connection's own task, so that a slow
    /// peer holds its place and nobody else; places bound how many do.
    async fn shake_hands(
        &self,
        acceptor: TlsAcceptor,
        stream: MustRead<TcpStream>,
    ) -> Option<TlsStream<MustRead<TcpStream>>> {
        let peer = self.peer;
        tokio::select! {
            // Nothing was asked yet, so nobody is owed an answer.
            () = self.closing.cancelled() => None,
            shaken = tokio::time::timeout(self.header_timeout, acceptor.accept(stream)) => match shaken {
                Ok(Ok(stream)) => Some(stream),
                Ok(Err(error)) => {
                    tracing::debug!(%error, %peer, "no TLS came about");
                    None
                }
                Err(_) => {
                    tracing::debug!(%peer, "the TLS handshake took too long");
                    None
                }
            },
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Self { app, peer, header_timeout, watcher, .. } = self;
        let service = service_fn(move |request| answer(app.clone(), peer, request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_timeout)
            .keep_alive(true)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service);
        // A cut header, a hang-up, a malformed request: the peer's business, and many.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, %peer, "connection ended early");
        }
    }
}

async fn answer(
    app: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    request.extensions_mut().insert(ConnectInfo(peer));
    app.oneshot(request).await
}

#[cfg(test)]
mod tests;
