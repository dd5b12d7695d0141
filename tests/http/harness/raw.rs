//! HTTP by hand, for what no client would send.

use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use super::{Answer, contract, soon};

/// A connection.
pub(crate) struct Raw {
    stream: TcpStream,
}

impl Raw {
    pub(crate) async fn open(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap() }
    }

    /// A connection that takes little at a time: its peer stalls as soon as it is not read.
    pub(crate) async fn narrow(addr: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4 * 1024).unwrap();
        Self { stream: socket.connect(addr).await.unwrap() }
    }

    /// Sends bytes as they are. A peer that has cut already is for `answer` to find.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        drop(self.stream.write_all(bytes.as_ref()).await);
    }

    /// Sends bytes and reads an answer meanwhile: who refuses what is large does not wait until all of
    /// it was sent. `None` if the connection was cut.
    pub(crate) async fn talk(&mut self, bytes: &[u8]) -> Option<Answer> {
        let (reader, mut writer) = self.stream.split();
        let send = async {
            drop(writer.write_all(bytes).await);
            std::future::pending::<()>().await;
        };
        let talk = async {
            tokio::select! {
                answer = read(reader) => answer,
                () = send => None,
            }
        };
        soon("an answer or a cut", talk).await
    }

    /// Sends this now and then, until an answer comes. `None` if the connection was cut.
    pub(crate) async fn trickle(&mut self, bytes: &[u8], every: Duration) -> Option<Answer> {
        let (reader, mut writer) = self.stream.split();
        let send = async {
            let mut beat = tokio::time::interval(every);
            while writer.write_all(bytes).await.is_ok() {
                beat.tick().await;
            }
            std::future::pending::<()>().await;
        };
        let trickle = async {
            tokio::select! {
                answer = read(reader) => answer,
                () = send => None,
            }
        };
        soon("an answer or a cut", trickle).await
    }

    /// One answer, read by its Content-Length, whatever becomes of the connection; `None` if it was cut.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        soon("an answer", read(&mut self.stream)).await
    }

    /// Waits for the first byte of an answer, and reads no other.
    pub(crate) async fn first_byte(&mut self) -> bool {
        let mut byte = [0];
        soon("the first byte", self.stream.read(&mut byte)).await.is_ok_and(|read| read == 1)
    }

    /// Waits until the peer closes; what came until then.
    pub(crate) async fn closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let closing = async { while self.stream.read_buf(&mut rest).await.is_ok_and(|n| n > 0) {} };
        soon("the end of a connection", closing).await;
        rest
    }
}

async fn read(mut stream: impl AsyncRead + Unpin) -> Option<Answer> {
    let mut bytes = Vec::new();
    loop {
        if let Some(answer) = parse(&bytes) {
            return Some(answer);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return parse(&bytes),
            Ok(_) => {}
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value.trim()).unwrap());
    }
    let length = headers.get("content-length").map_or(0, |v| v.to_str().unwrap().parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + length)?.to_vec();
    Some(Answer { status, headers, body })
}

/// One request with this target as it stands, held against the contract.
pub(crate) async fn ask(addr: SocketAddr, method: &str, target: &str) -> Answer {
    let mut raw = Raw::open(addr).await;
    raw.send(format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await;
    let answer = raw.answer().await.unwrap_or_else(|| panic!("{method} {target} was cut"));
    contract::check(&method.parse::<Method>().unwrap(), target, &answer);
    answer
}
