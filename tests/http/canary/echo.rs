//! A vendor that answers with all it was told: headers, signature and body.
//!
//! It is what a proxy's error page or a debugging gateway does, and the only place
//! where a signature can be learned, to be searched for elsewhere.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::beside;

/// The vendor.
pub(super) struct Echo {
    pub(super) addr: SocketAddr,
    heard: Arc<Mutex<String>>,
}

impl Echo {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (addr, heard) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(String::new())));
        let all = Arc::clone(&heard);
        beside(async move {
            while let Ok((stream, _)) = listener.accept().await {
                beside(answer(stream, Arc::clone(&all)));
            }
        });
        Self { addr, heard }
    }

    /// Every signature that was sent here, and what else proves a key.
    pub(super) fn signatures(&self) -> Vec<String> {
        let heard = self.heard.lock().unwrap().clone();
        let ends = ['&', ',', '\r', '\n', ' ', '"'];
        let signatures = heard.split("Signature=").skip(1).filter_map(|rest| rest.split(ends).next());
        let decoded =
            signatures.map(|text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap());
        let mut found: Vec<String> = decoded.map(std::borrow::Cow::into_owned).collect();
        found.sort();
        found.dedup();
        found
    }
}

async fn answer(mut stream: TcpStream, heard: Arc<Mutex<String>>) {
    let mut request = Vec::new();
    while !is_whole(&request) {
        if !stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    heard.lock().unwrap().push_str(&text);
    let page = format!("<html><body>Proxy error. You sent:<pre>{text}</pre></body></html>");
    let answer = format!(
        "HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\nx-echo: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.lines().find(|line| line.to_lowercase().starts_with("authorization")).unwrap_or("none").trim(),
        page.len()
    );
    drop(stream.write_all((answer + &page).as_bytes()).await);
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
