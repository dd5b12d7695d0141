//! A stream whose peer must go on reading.
//!
//! Who asks for a large answer and never reads it would hold a connection, and
//! what hyper has buffered for it, for ever. Its own file because it is only
//! about bytes: a write that has made no progress for too long is an error, and
//! whoever drives the connection ends it.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// The stream, and since when its peer takes nothing.
#[derive(Debug)]
pub(super) struct MustRead<S> {
    inner: S,
    longest: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> MustRead<S> {
    /// A stream whose writes may wait this long.
    pub(super) fn new(inner: S, longest: Duration) -> Self {
        Self { inner, longest, stalled: None }
    }

    /// Ends the wait with progress, or the stream without any.
    fn judge<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let longest = self.longest;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MustRead<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MustRead<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, parts);
        self.judge(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.inner).poll_flush(cx);
        self.judge(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.inner).poll_shutdown(cx);
        self.judge(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_peer_that_reads_gets_everything() {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let mut stream = MustRead::new(ours, Duration::from_mins(1));
        let write = async {
            stream.write_all(&[7; 10_000]).await.unwrap();
            drop(stream);
        };
        let mut all = Vec::new();
        let ((), read) = tokio::join!(write, theirs.read_to_end(&mut all));
        assert_eq!(read.unwrap(), 10_000);
    }

    #[tokio::test]
    async fn a_peer_that_stops_reading_is_an_error() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut stream = MustRead::new(ours, Duration::from_millis(20));
        let error = stream.write_all(&[7; 10_000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
