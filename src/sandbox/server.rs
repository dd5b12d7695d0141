//! The accept loop of a simulator, and how one call is acted out with or without a fault.
//!
//! Its own file because it is the only place where the kit does I/O. The order for a call is
//! fixed: read it whole, pick a fault, let the vendor work (or not), write the one ledger row,
//! and only then answer, so that a client that has an answer always finds the row.
//! Knows faults by what they do to a connection; vendors only through their trait.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{
    Answer, Desk, Fault, Inner, LedgerRow, Peek, Received, Reply, control,
    ledger::Ticket,
    payload::{Payload, Socket},
};

/// Connections served at once; more wait in the kernel's queue.
const MAX_CONNECTIONS: usize = 4_096;

/// The largest request read: both vendors' gateways refuse far smaller ones.
const MAX_REQUEST_BYTES: usize = 16 << 20;

/// How long a connection may take to finish its last answer after the stop.
const DRAIN: Duration = Duration::from_secs(1);

/// A client that sends half a head is dropped after this.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after a failed accept: it means that file handles ran out, and a loop would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// The connection ends here instead of an answer.
#[derive(Debug, thiserror::Error)]
#[error("the simulator dropped the connection on purpose")]
struct Dropped;

pub(super) async fn accept(listener: TcpListener, inner: Arc<Inner>) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = inner.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // Answers are one small write each; waiting to fill a segment would only slow tests.
        drop(stream.set_nodelay(true));
        let connection = inner.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let shared = Arc::clone(&inner);
        inner.tasks.spawn(async move {
            serve(stream, connection, shared).await;
            drop(permit);
        });
    }
}

async fn serve(stream: tokio::net::TcpStream, connection: u64, inner: Arc<Inner>) {
    let reset = Arc::new(AtomicBool::new(false));
    let socket = TokioIo::new(Socket::new(stream, Arc::clone(&reset)));
    let shared = Arc::clone(&inner);
    let service = hyper::service::service_fn(move |request| {
        route(request, connection, Arc::clone(&shared), Arc::clone(&reset))
    });
    let serving = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(socket, service);
    let mut serving = std::pin::pin!(serving);
    // How a connection ends is the client's business or the script's; nothing to report.
    tokio::select! {
        ended = serving.as_mut() => drop(ended),
        () = inner.stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            drop(tokio::time::timeout(DRAIN, serving).await);
        }
    }
}

async fn route(
    request: Request<Incoming>,
    connection: u64,
    inner: Arc<Inner>,
    reset: Arc<AtomicBool>,
) -> Result<Response<Payload>, Dropped> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_REQUEST_BYTES).collect().await else {
        return Err(Dropped);
    };
    let received = Received {
        method: head.method,
        target: head.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers: head.headers,
        body: body.to_bytes(),
    };
    if received.path().starts_with("/_sandbox/") {
        let reply = control::answer(&inner, &received);
        return Ok(respond(&inner, reply));
    }
    call(inner, received, connection, &reset).await
}

async fn call(
    inner: Arc<Inner>,
    received: Received,
    connection: u64,
    reset: &AtomicBool,
) -> Result<Response<Payload>, Dropped> {
    let peek = inner.vendor.peek(&received);
    let Some(fault) = inner.faults.take(&peek) else {
        let answer = work(&inner, &received, connection);
        let ticket = note(&inner, peek, connection, Did::answered(&answer), None);
        return Ok(deliver(&inner, ticket, answer.reply));
    };
    if let Fault::Delay { ms, late_effect } = fault {
        let delay = Duration::from_millis(ms);
        return delayed(inner, received, peek, connection, delay, late_effect).await;
    }

    let answer = fault.takes_effect().then(|| work(&inner, &received, connection));
    let mut did = answer.as_ref().map_or_else(
        || Did { verdict: fault.kind().to_owned(), effects: Vec::new(), status: None },
        Did::answered,
    );
    let outcome = act(&inner, &fault, &received, answer);
    did.status = match &outcome {
        Acted::Reply(reply) | Acted::Cut(reply, _) => Some(reply.status),
        Acted::Padding(_) => Some(200),
        Acted::Drop | Acted::Hang => None,
    };
    let ticket = note(&inner, peek, connection, did, Some(&fault));
    match outcome {
        Acted::Reply(reply) => Ok(deliver(&inner, ticket, reply)),
        Acted::Padding(bytes) => {
            inner.ledger.delivered(ticket);
            let mut response = respond(&inner, Reply::new(200, "application/json", ""));
            response.headers_mut().remove(header::CONTENT_LENGTH);
            *response.body_mut() = Payload::Padding { left: bytes };
            Ok(response)
        }
        Acted::Cut(reply, first) => {
            let mut response = respond(&inner, reply);
            *response.body_mut() = Payload::cut_after(first);
            Ok(response)
        }
        Acted::Drop => {
            reset.store(true, Ordering::Relaxed);
            Err(Dropped)
        }
        Acted::Hang => {
            // hyper drops this future when the client leaves.
            inner.stop.cancelled().await;
            Err(Dropped)
        }
    }
}

/// What a fault does to the connection.
enum Acted {
    Reply(Reply),
    Padding(u64),
    Cut(Reply, Bytes),
    Drop,
    Hang,
}

fn act(inner: &Inner, fault: &Fault, received: &Received, answer: Option<Answer>) -> Acted {
    if let Some(refusal) = fault.refusal() {
        return Acted::Reply(inner.vendor.refuse(&refusal, received));
    }
    // A cut before the effect still needs some answer to cut.
    let reply = answer.map_or_else(
        || Reply::json(200, &serde_json::json!({"RequestId": "CUT-BEFORE-ANY-EFFECT-0000000000000000"})),
        |answer| answer.reply,
    );
    let page = |status: u16| {
        let text = format!(
            "<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>gateway</body></html>"
        );
        Acted::Reply(Reply::new(status, "text/html", text))
    };
    match fault {
        Fault::HttpError { status, .. } => page(*status),
        Fault::Html { .. } => page(200),
        Fault::Reset { .. } => Acted::Drop,
        Fault::Hang { .. } => Acted::Hang,
        Fault::Cut { at_byte, .. } => {
            let whole = Bytes::from(reply.body.clone());
            let end = usize::try_from(*at_byte).map_or(whole.len(), |at| at.min(whole.len()));
            Acted::Cut(reply, whole.slice(..end))
        }
        Fault::Garbage { .. } => {
            Acted::Reply(Reply::new(200, "application/json", b"\x00\xff{]not an envelope".to_vec()))
        }
        Fault::Empty { .. } => Acted::Reply(Reply::new(200, "application/json", "")),
        Fault::Huge { bytes, .. } => Acted::Padding(*bytes),
        Fault::Redirect { location, .. } => {
            Acted::Reply(Reply::new(302, "text/html", "").with_header("location", location.clone()))
        }
        Fault::WrongContentType {} => {
            let mut reply = reply;
            reply.headers.retain(|(name, _)| name != "content-type");
            Acted::Reply(reply.with_header("content-type", "text/plain"))
        }
        Fault::Says { status, body, .. } => {
            Acted::Reply(Reply::new(*status, "application/json", body.clone()))
        }
        // The first five speak in the vendor's envelope; a delay is acted out by `delayed`.
        Fault::Throttle { .. }
        | Fault::Error { .. }
        | Fault::ErrorAfter { .. }
        | Fault::XmlError { .. }
        | Fault::LegacyError { .. }
        | Fault::Delay { .. } => Acted::Reply(reply),
    }
}

async fn delayed(
    inner: Arc<Inner>,
    received: Received,
    peek: Peek,
    connection: u64,
    delay: Duration,
    late_effect: bool,
) -> Result<Response<Payload>, Dropped> {
    let fault = Fault::Delay { ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), late_effect };
    let wait = {
        let stop = inner.stop.clone();
        async move {
            tokio::select! {
                () = stop.cancelled() => Err(Dropped),
                () = tokio::time::sleep(delay) => Ok(()),
            }
        }
    };
    let (ticket, reply) = if late_effect {
        // On a task of its own: the vendor goes on working when the client has left.
        let shared = Arc::clone(&inner);
        let late = inner.tasks.spawn(async move {
            wait.await?;
            let answer = work(&shared, &received, connection);
            let did = Did::answered(&answer);
            let ticket = note(&shared, peek, connection, did, Some(&fault));
            Ok((ticket, answer.reply))
        });
        late.await.map_err(|_| Dropped)??
    } else {
        let answer = work(&inner, &received, connection);
        let did = Did::answered(&answer);
        let ticket = note(&inner, peek, connection, did, Some(&fault));
        wait.await?;
        (ticket, answer.reply)
    };
    Ok(deliver(&inner, ticket, reply))
}

fn work(inner: &Inner, received: &Received, connection: u64) -> Answer {
    let options = inner.options();
    let desk = Desk {
        now: inner.now(&options),
        options: &options,
        windows: &inner.windows,
        nonces: &inner.nonces,
        connection,
    };
    inner.vendor.answer(received, &desk)
}

/// The half of a row that depends on what was done.
struct Did {
    verdict: String,
    effects: Vec<super::Effect>,
    status: Option<u16>,
}

impl Did {
    fn answered(answer: &Answer) -> Self {
        Self {
            verdict: answer.verdict.clone(),
            effects: answer.effects.clone(),
            status: Some(answer.reply.status),
        }
    }
}

fn note(inner: &Inner, peek: Peek, connection: u64, did: Did, fault: Option<&Fault>) -> Ticket {
    inner.ledger.append(LedgerRow {
        seq: 0,
        time: inner.now(&inner.options()),
        connection,
        account: peek.key_id,
        action: peek.operation,
        ids: peek.ids,
        effects: did.effects,
        verdict: did.verdict,
        nonce: peek.nonce,
        status: did.status,
        fault: fault.map(|fault| fault.kind().to_owned()),
        delivered: false,
        scheme: peek.scheme,
    })
}

fn deliver(inner: &Inner, ticket: Ticket, reply: Reply) -> Response<Payload> {
    inner.ledger.delivered(ticket);
    respond(inner, reply)
}

/// A response with the simulator's own date and the length of the whole body.
fn respond(inner: &Inner, reply: Reply) -> Response<Payload> {
    let length = reply.body.len();
    let mut response = Response::new(Payload::whole(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in reply.headers {
        // A simulator that makes an unsendable header is found by its own tests.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    let now = inner.now(&inner.options());
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        headers.insert(header::DATE, date);
    }
    response
}
