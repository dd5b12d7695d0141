//! One HTTP exchange, from the request line to the last byte.
//!
//! A client of a few lines that never repeats a request by itself: whether an
//! answer came, and came whole, is the very thing that is tested. A connection for
//! each exchange, so that the end of the answer is the end of the stream.

use std::io::{Error, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than any answer of the service may take.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_HEADERS: usize = 64;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        let shown = || String::from_utf8_lossy(&self.body).into_owned();
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", shown()))
    }
}

/// Any error means that no whole answer came; what became of the request is not known then.
pub(crate) fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Result<Answer, Error> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut request = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    for (name, value) in headers {
        request.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        request += "content-type: application/json\r\n";
    }
    request.extend(["content-length: ", &body.len().to_string(), "\r\n\r\n"]);
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    stream.write_all(&bytes)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    read(&answer).ok_or_else(|| Error::new(ErrorKind::UnexpectedEof, "no whole answer"))
}

/// The answer, if all of it is there.
fn read(bytes: &[u8]) -> Option<Answer> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = head.parse(bytes).ok()? else { return None };
    let body = bytes.get(end..)?.to_vec();
    let length = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"))?;
    let length: usize = std::str::from_utf8(length.value).ok()?.parse().ok()?;
    (body.len() == length).then_some(Answer { status: head.code?, body })
}

#[test]
fn an_answer_that_was_cut_is_none() {
    let whole = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
    let answer = read(whole).unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (202, b"{}".as_slice()));
    for length in 0..whole.len() {
        assert!(read(&whole[..length]).is_none(), "{length} bytes were enough");
    }
}
