//! The bodies and the socket of a simulator's answers, good and bad.
//!
//! Its own file because a cut body and a reset connection need hyper's own traits: a cut body
//! must let its first bytes reach the wire before it fails, and a reset must close the socket
//! without the polite end of stream. Knows nothing of faults or vendors.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// How much of a made-up body is produced at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// The body stopped where it was told to.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut on purpose")]
pub(super) struct Cut;

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[derive(Debug)]
pub(super) enum Payload {
    /// The whole answer, once.
    Whole(Option<Bytes>),
    /// These first bytes, then (once they are flushed) the end of the connection.
    CutAfter { first: Option<Bytes>, paused: bool },
    /// This many spaces, made as they are sent.
    Padding { left: u64 },
}

impl Payload {
    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        Self::Whole(Some(body.into()))
    }

    pub(super) fn cut_after(first: Bytes) -> Self {
        Self::CutAfter { first: Some(first), paused: false }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match self.get_mut() {
            Self::Whole(body) => {
                Poll::Ready(body.take().filter(|body| !body.is_empty()).map(|body| Ok(Frame::data(body))))
            }
            Self::CutAfter { first, paused } => {
                if let Some(first) = first.take().filter(|first| !first.is_empty()) {
                    return Poll::Ready(Some(Ok(Frame::data(first))));
                }
                if *paused {
                    return Poll::Ready(Some(Err(Cut)));
                }
                // Pending once: hyper flushes before it asks again, and a failed body
                // would throw away what is still buffered.
                *paused = true;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Self::Padding { left: 0 } => Poll::Ready(None),
            Self::Padding { left } => {
                let size = (*left).min(CHUNK_BYTES);
                *left -= size;
                let size = usize::try_from(size).unwrap_or_default();
                Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![b' '; size])))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::CutAfter { .. } => SizeHint::default(),
            Self::Padding { left } => SizeHint::with_exact(*left),
        }
    }
}

/// A socket that can be told to end with a reset instead of an end of stream.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, reset: Arc<AtomicBool>) -> Self {
        Self { stream, reset }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // With no time to linger the kernel sends RST. If the option fails the client
            // sees an end of stream without an answer, which is as bad.
            drop(self.stream.set_zero_linger());
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
