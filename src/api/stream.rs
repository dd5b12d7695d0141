//! Items as a stream: NDJSON and CSV, chunk by chunk.
//!
//! A chunk is made when the connection asks for one: rows are read, written out
//! and let go, so that a reader who takes its time holds a chunk and a place to
//! go on from, and no transaction, lock or page. Who stops reading altogether is
//! cut by the frame.

use std::io;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use super::Api;
use super::answer::view;
use super::auth::Who;
use super::response::{ItemBody, View};
use super::seats::Seat;
use super::words::OutcomeWord;
use crate::journal::{self, DeletionRow, ItemFilter, ItemRow};
use crate::types::deletion::DeletionSeq;

/// Bytes of a chunk, but for the row that fills it. With what the connection buffers (32 KiB) a
/// reader that stalls holds less than 64 KiB (FAULTS.md, 22).
const CHUNK_BYTES: usize = 16 * 1024;
/// Most rows that are read for one chunk.
const MOST_ROWS: usize = 500;
/// Rows that are read for the first one.
const FIRST_ROWS: usize = 50;
/// The columns of the contract.
const CSV_HEAD: &str =
    "index,account,kind,id,ref,outcome,ok,error_code,vendor_code,vendor_request_id,attempts,finished_at\r\n";

/// What a stream of items looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A JSON object a line.
    Ndjson,
    /// RFC 4180.
    Csv,
}

impl Shape {
    /// Its media type.
    pub(super) fn kind(self) -> &'static str {
        match self {
            Shape::Ndjson => "application/x-ndjson",
            Shape::Csv => "text/csv",
        }
    }

    /// The shape of a media type, if it is one of these.
    pub(super) fn of(kind: &str) -> Option<Self> {
        [Self::Ndjson, Self::Csv].into_iter().find(|shape| shape.kind() == kind)
    }

    fn content_type(self) -> &'static str {
        match self {
            Shape::Ndjson => "application/x-ndjson",
            Shape::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Shape::Ndjson => "ndjson",
            Shape::Csv => "csv",
        }
    }

    fn write(self, row: &ItemRow, view: View<'_>, into: &mut Vec<u8>) {
        let item = ItemBody::new(row, view);
        match self {
            Shape::Ndjson => write_json(&item, into),
            Shape::Csv => write_csv(&item, into),
        }
    }
}

/// All items of a deletion that a filter lets through.
pub(super) fn items(
    api: &Api,
    who: Who,
    row: &DeletionRow,
    filter: ItemFilter,
    shape: Shape,
    seat: Seat,
) -> Response {
    let rows = Rows {
        api: api.clone(),
        who,
        deletion: row.seq,
        filter,
        shape,
        page: Page::default(),
        is_begun: false,
        is_over: false,
        _seat: seat,
    };
    let chunks = futures_util::stream::unfold(rows, |mut rows| async move {
        let chunk = rows.next().await.transpose()?;
        rows.is_over |= chunk.is_err();
        Some((chunk, rows))
    });
    let file = format!("attachment; filename=\"{}.{}\"", row.id, shape.name());
    let headers = [(CONTENT_TYPE, shape.content_type().to_owned()), (CONTENT_DISPOSITION, file)];
    (headers, Body::from_stream(chunks)).into_response()
}

/// A place in the items of a deletion.
struct Rows {
    api: Api,
    who: Who,
    deletion: DeletionSeq,
    filter: ItemFilter,
    shape: Shape,
    page: Page,
    is_begun: bool,
    is_over: bool,
    _seat: Seat,
}

impl Rows {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_over {
            return Ok(None);
        }
        if self.api.dispatch.is_stopping() {
            return Err(io::Error::other("the service is stopping"));
        }
        let asked = self.page.rows();
        let rows = self.api.dispatch.journal().items(self.deletion, self.filter.clone(), asked).await;
        let rows = rows.map_err(|error| failed(&error))?;
        let mut chunk = Vec::with_capacity(CHUNK_BYTES * 2);
        if !std::mem::replace(&mut self.is_begun, true) && self.shape == Shape::Csv {
            chunk.extend_from_slice(CSV_HEAD.as_bytes());
        }
        let view = view(&self.api, &self.who);
        let written = self.page.write(&rows, &mut chunk, |row, into| self.shape.write(row, view, into));
        self.is_over = written == rows.len() && rows.len() < asked;
        if let Some(last) = rows.iter().take(written).next_back() {
            self.filter.from = last.key.index + 1;
        }
        Ok((!chunk.is_empty()).then(|| chunk.into()))
    }
}

/// How many rows fill a chunk, as far as the last one tells.
#[derive(Debug)]
pub(super) struct Page {
    filled_by: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self { filled_by: FIRST_ROWS }
    }
}

impl Page {
    /// How many to read next.
    pub(super) fn rows(&self) -> usize {
        self.filled_by
    }

    /// Writes rows until the chunk is full; how many were.
    pub(super) fn write(
        &mut self,
        rows: &[ItemRow],
        chunk: &mut Vec<u8>,
        write: impl Fn(&ItemRow, &mut Vec<u8>),
    ) -> usize {
        let mut written = 0;
        for row in rows {
            write(row, chunk);
            written += 1;
            if chunk.len() >= CHUNK_BYTES {
                break;
            }
        }
        let is_full = chunk.len() >= CHUNK_BYTES;
        // Rows that are read and not written are read again, so fewer are better than more.
        let next = if is_full { written } else { self.filled_by * 2 };
        self.filled_by = next.clamp(1, MOST_ROWS);
        written
    }
}

/// What a reader learns is that the stream did not end in order; the log has more.
pub(super) fn failed(error: &journal::Error) -> io::Error {
    tracing::error!(%error, "a stream ended early at the journal");
    io::Error::other("the journal could not be read")
}

fn write_json(item: &ItemBody, into: &mut Vec<u8>) {
    let before = into.len();
    // Bodies are made of strings and numbers and a vector takes all: this cannot fail.
    if serde_json::to_writer(&mut *into, item).is_err() {
        into.truncate(before);
    }
    into.push(b'\n');
}

fn write_csv(item: &ItemBody, into: &mut Vec<u8>) {
    let target = item.target.as_ref();
    let name = target.and_then(|t| [&t.id, &t.reference_id, &t.url].into_iter().find_map(Option::as_deref));
    let error = item.error.as_ref();
    let outcome = item.outcome.map(OutcomeWord::as_str);
    let vendor = item.vendor.as_ref().and_then(|vendor| vendor.request_id.as_deref());
    let (index, attempts) = (item.index.to_string(), item.attempts.to_string());
    let fields = [
        Cell::Ours(Some(&index)),
        Cell::Ours(target.map(|target| target.account.as_str())),
        Cell::Ours(target.map(|target| target.kind)),
        Cell::Ours(name),
        Cell::Theirs(item.label.as_deref()),
        Cell::Ours(outcome),
        Cell::Ours(item.ok.map(|ok| if ok { "true" } else { "false" })),
        Cell::Ours(error.map(|error| error.code.as_str())),
        Cell::Theirs(error.and_then(|error| error.vendor_code.as_deref())),
        Cell::Theirs(vendor),
        Cell::Ours(Some(&attempts)),
        Cell::Ours(item.finished_at.as_deref()),
    ];
    for (n, field) in fields.iter().enumerate() {
        if n > 0 {
            into.push(b',');
        }
        field.write(into);
    }
    into.extend_from_slice(b"\r\n");
}

/// One value of a row.
#[derive(Debug, Clone, Copy)]
enum Cell<'a> {
    /// Of an alphabet in which no formula can be written.
    Ours(Option<&'a str>),
    /// Free text: a spreadsheet must not run it.
    Theirs(Option<&'a str>),
}

impl Cell<'_> {
    fn write(self, into: &mut Vec<u8>) {
        let (text, is_free) = match self {
            Cell::Ours(text) => (text.unwrap_or_default(), false),
            Cell::Theirs(text) => (text.unwrap_or_default(), true),
        };
        // OWASP, CSV injection: what begins so is a formula to spreadsheets.
        let is_formula = is_free && text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
        let is_quoted = text.contains([',', '"', '\r', '\n']);
        if is_quoted {
            into.push(b'"');
        }
        if is_formula {
            into.push(b'\'');
        }
        for byte in text.bytes() {
            if byte == b'"' {
                into.push(b'"');
            }
            into.push(byte);
        }
        if is_quoted {
            into.push(b'"');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_and_never_a_formula() {
        let cell = |cell: Cell<'_>| {
            let mut written = Vec::new();
            cell.write(&mut written);
            String::from_utf8(written).unwrap()
        };
        for (text, written) in [
            ("row-17", "row-17"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,A2)", "\"'@SUM(A1,A2)\""),
            ("-1", "'-1"),
            ("+1", "'+1"),
            ("a=1", "a=1"),
        ] {
            assert_eq!(cell(Cell::Theirs(Some(text))), written, "{text}");
        }
        assert_eq!(cell(Cell::Ours(Some("-an_id"))), "-an_id");
        assert_eq!(cell(Cell::Theirs(None)), "");
    }
}
