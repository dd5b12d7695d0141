//! What is sent, and when.
//!
//! A client of a few lines: it writes a prepared request, reads one answer and
//! checks that the video was deleted. A real client library would cost this
//! machine as much as the service does.

use std::io::{Error, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::roles::{VIDEOS, Vendor};

/// The chance of the open loop's gaps: the same in every run.
const SEED: u64 = 0x0070_6f64;
/// How long a client waits for an answer before it gives the run up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Room for an answer.
const ANSWER_BYTES: usize = 16 * 1024;

/// Hands out each video once.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    vendor: Vendor,
    address: Arc<str>,
    next: Arc<AtomicU32>,
}

impl Ids {
    pub(crate) fn new(vendor: Vendor, address: &str) -> Self {
        Self { vendor, address: address.into(), next: Arc::default() }
    }

    /// How many were handed out.
    pub(crate) fn used(&self) -> u32 {
        self.next.load(Ordering::Relaxed)
    }

    /// A request that deletes the next video.
    fn request(&self) -> anyhow::Result<String> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        anyhow::ensure!(n < VIDEOS, "all {VIDEOS} videos are deleted: fewer or shorter runs, please");
        let (id, host) = (self.vendor.video(n), &self.address);
        Ok(format!("DELETE /v1/accounts/bench/media/{id} HTTP/1.1\r\nhost: {host}\r\n\r\n"))
    }
}

/// Microseconds from when each request was to be sent until its answer was read.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) micros: Vec<u32>,
    /// The same until it was sent: how long it waited for a connection, or for this process.
    pub(crate) late: Vec<u32>,
}

impl Latencies {
    fn count(&mut self, wanted: Instant, sent: Instant) {
        let micros = |time: Duration| u32::try_from(time.as_micros()).unwrap_or(u32::MAX);
        self.micros.push(micros(wanted.elapsed()));
        self.late.push(micros(sent.saturating_duration_since(wanted)));
    }

    fn and(mut self, other: Self) -> Self {
        self.micros.extend(other.micros);
        self.late.extend(other.late);
        self
    }
}

/// One connection, kept alive.
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; ANSWER_BYTES] })
    }

    /// The status and the body of the answer.
    async fn exchange(&mut self, request: &str) -> Result<(u16, &[u8]), Error> {
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            if filled == self.buffer.len() {
                self.buffer.resize(filled * 2, 0);
            }
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            match self.stream.read(room).await? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => filled += read,
            }
            let mut headers = [httparse::EMPTY_HEADER; 32];
            let mut answer = httparse::Response::new(&mut headers);
            let so_far = self.buffer.get(..filled).unwrap_or_default();
            let Ok(httparse::Status::Complete(head)) = answer.parse(so_far) else { continue };
            let status = answer.code.unwrap_or_default();
            let length = answer.headers.iter().find(|h| h.name.eq_ignore_ascii_case("content-length"));
            let length = length.and_then(|h| std::str::from_utf8(h.value).ok()?.parse::<usize>().ok());
            let length = length.ok_or(ErrorKind::InvalidData)?;
            if filled >= head + length {
                return Ok((status, self.buffer.get(head..head + length).unwrap_or_default()));
            }
        }
    }

    async fn delete(&mut self, ids: &Ids) -> anyhow::Result<()> {
        let request = ids.request()?;
        let exchanged = tokio::time::timeout(PATIENCE, self.exchange(&request)).await;
        let (status, body) = exchanged.context("no answer in time")??;
        let body = String::from_utf8_lossy(body);
        anyhow::ensure!(
            status == 200 && body.contains(r#""outcome":"deleted""#),
            "{request} was answered {status}: {body}"
        );
        Ok(())
    }
}

/// Every connection asks again as soon as it is answered.
pub(crate) async fn closed(ids: &Ids, connections: usize, length: Duration) -> anyhow::Result<Latencies> {
    let mut clients = JoinSet::new();
    let end = Instant::now() + length;
    for _ in 0..connections {
        let ids = ids.clone();
        clients.spawn(async move {
            let mut connection = Connection::open(&ids.address).await?;
            let mut latencies = Latencies::default();
            while Instant::now() < end {
                let began = Instant::now();
                connection.delete(&ids).await?;
                latencies.count(began, began);
            }
            anyhow::Ok(latencies)
        });
    }
    all(clients).await
}

/// Requests come by chance, `rate` a second on average, whether or not the last one was answered.
pub(crate) async fn open(
    ids: &Ids,
    connections: usize,
    rate: f64,
    length: Duration,
) -> anyhow::Result<Latencies> {
    let (arrivals, waiting) = mpsc::unbounded_channel();
    let waiting = Arc::new(Mutex::new(waiting));
    let mut clients = JoinSet::new();
    for _ in 0..connections {
        let (ids, waiting) = (ids.clone(), Arc::clone(&waiting));
        let mut connection = Connection::open(&ids.address).await?;
        clients.spawn(async move {
            let mut latencies = Latencies::default();
            loop {
                let arrival: Option<Instant> = waiting.lock().await.recv().await;
                let Some(wanted) = arrival else { return anyhow::Ok(latencies) };
                let sent = Instant::now();
                connection.delete(&ids).await?;
                latencies.count(wanted, sent);
            }
        });
    }
    // A thread of its own: tokio's timers are a millisecond coarse.
    let pacer = std::thread::spawn(move || {
        let mut chance = StdRng::seed_from_u64(SEED);
        let began = Instant::now();
        let mut at = Duration::ZERO;
        while at < length {
            at += Duration::from_secs_f64(-(1.0 - chance.random::<f64>()).ln() / rate);
            std::thread::sleep(at.saturating_sub(began.elapsed()));
            if arrivals.send(began + at).is_err() {
                return;
            }
        }
    });
    let latencies = all(clients).await;
    // It has ended: it was the last to hold the channel that the clients wait on.
    drop(pacer.join());
    latencies
}

async fn all(mut clients: JoinSet<anyhow::Result<Latencies>>) -> anyhow::Result<Latencies> {
    let mut whole = Latencies::default();
    while let Some(one) = clients.join_next().await {
        whole = whole.and(one??);
    }
    Ok(whole)
}

/// What the service itself has counted so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counters {
    pub(crate) calls: f64,
    pub(crate) commits: f64,
    pub(crate) commit_seconds: f64,
    pub(crate) writes: f64,
}

/// Reads `/metrics`.
pub(crate) async fn counters(address: &str) -> anyhow::Result<Counters> {
    let mut connection = Connection::open(address).await?;
    let request = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n");
    let (status, body) = connection.exchange(&request).await?;
    let text = String::from_utf8_lossy(body).into_owned();
    anyhow::ensure!(status == 200, "/metrics answered {status}: {text}");
    let sum = |name: &str| -> f64 {
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let value = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<f64>().ok());
        text.lines().filter(of_name).filter_map(value).sum()
    };
    Ok(Counters {
        calls: sum("vodrm_vendor_calls_total"),
        commits: sum("vodrm_journal_commit_seconds_count"),
        commit_seconds: sum("vodrm_journal_commit_seconds_sum"),
        writes: sum("vodrm_journal_commit_writes_sum"),
    })
}
