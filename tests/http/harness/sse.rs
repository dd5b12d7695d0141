//! Server-Sent Events, as the standard says they are read.
//!
//! Its own file because it is the client's half of a protocol; it knows nothing
//! of the service but that `retry`, `event`, `id` and `data` are all it sends.

use bytes::BytesMut;
use serde_json::Value;

use super::{House, soon};

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) data: Value,
}

/// A stream of events that is being read.
pub(crate) struct Events {
    response: reqwest::Response,
    read: BytesMut,
}

impl Events {
    /// Watches a deletion, after an event if one is named.
    pub(crate) async fn of(house: &House, deletion: &str, after: Option<u32>) -> Self {
        let mut request = house.client.get(house.url(&format!("/v1/deletions/{deletion}/events")));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, read: BytesMut::new() }
    }

    /// The next event; `None` once the stream has ended in order.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            while let Some(end) = self.read.windows(2).position(|two| two == b"\n\n") {
                let block = self.read.split_to(end + 2);
                if let Some(event) = parse(std::str::from_utf8(&block).unwrap()) {
                    return Some(event);
                }
            }
            let chunk = soon("an event or the end", self.response.chunk()).await.unwrap();
            self.read.extend_from_slice(&chunk?);
        }
    }

    /// Every event to the end.
    pub(crate) async fn all(mut self) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }
}

/// One block; `None` for comments and settings.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let (name, id, data) = (field("event")?, field("id")?, field("data")?);
    let data = serde_json::from_str(data).unwrap();
    Some(Event { name: name.to_owned(), id: id.parse().unwrap(), data })
}
