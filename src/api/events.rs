//! A deletion as it happens: Server-Sent Events.
//!
//! Events are read from the journal by their place in the deletion's sequence of
//! outcomes, and that place is their id: who comes back with the last one it saw
//! goes on right after it, after a restart of the service too. `dispatch` only
//! wakes. Like any stream it holds a place and nothing else while nobody reads.

use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::answer::{LOOK_EVERY, is_over, summary, view, visible};
use super::auth::Who;
use super::docs::StreamProblems;
use super::problem::Problem;
use super::request::Query;
use super::response::deletion::{CountsBody, ForecastBody};
use super::response::{ItemBody, View};
use super::seats::Seat;
use super::stream::{Page, failed};
use super::{Api, accept};
use crate::dispatch::wake::Watch;
use crate::guard::caller::Scope;
use crate::journal::{DeletionRow, ItemRow};
use crate::types::deletion::{Counts, DeletionId, DeletionSeq};

/// The media type.
const EVENT_STREAM: &str = "text/event-stream";
/// What a client that comes back says.
const LAST_EVENT_ID: &str = "last-event-id";
/// Shortest time between two `progress` events.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Longest silence: proxies and clients take a longer one for a dead connection.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// When a client should come back after a break.
const COME_BACK: &str = "retry: 2000\n\n";

/// The data of `progress`: how far it is. Counters never fall, unless items are opened again.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Progress)]
pub struct ProgressBody {
    /// How many items stand where.
    pub counts: CountsBody,
    /// When it should end.
    pub forecast: ForecastBody,
}

/// A deletion as it happens, until it ends: Server-Sent Events.
///
/// `item` for every outcome, with the item as data; `progress` at most twice a second, with
/// `counts` and `forecast`; `done` at the end, with the deletion without its items, after which a
/// client should close and not come back. The id of an event is the place of the last outcome in
/// the deletion's own sequence: `Last-Event-ID` goes on right after it, without gap or repeat. An
/// item that is opened again gets a new place when it ends. A finished deletion replays its items
/// and ends. Comments keep a silent connection alive.
#[utoipa::path(
    get,
    path = "/v1/deletions/{deletion}/events",
    tag = "deletions",
    operation_id = "watchDeletion",
    extensions(("x-scope" = json!("read"))),
    params(
        ("deletion" = String, Path, description = "The deletion's name"),
        ("Last-Event-ID" = Option<u32>, Header, nullable = false, description = "Go on after this event")
    ),
    responses(
        (status = 200, description = "Events; the data of `progress` is a `Progress`, of `item` an `Item`, of `done` a `Deletion`",
            body = String, content_type = "text/event-stream"),
        StreamProblems
    )
)]
pub async fn watch(
    State(api): State<Api>,
    who: Who,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Query::parse(query.as_deref())?.end()?;
    accept::choose(&headers, &[EVENT_STREAM])?;
    let row = visible(&api, &who, &id, Scope::Read).await?;
    let after = last_event(&headers, &row)?;
    let seat = api.seats.take(&who.0.name)?;
    let feed = Feed::new(api, who, row, after, seat);
    let chunks = futures_util::stream::unfold(feed, |mut feed| async move {
        let chunk = feed.next().await.transpose()?;
        feed.is_ended |= chunk.is_err();
        Some((chunk, feed))
    });
    // The last of these asks nginx not to wait for more before it passes something on.
    let headers = [
        (CONTENT_TYPE, EVENT_STREAM),
        (CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// Where to go on. A place that was never given would skip what is still to come.
fn last_event(headers: &HeaderMap, row: &DeletionRow) -> Result<u32, Problem> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return if headers.contains_key(LAST_EVENT_ID) { Err(not_an_event()) } else { Ok(0) };
    };
    let place = value.to_str().ok().and_then(|text| text.parse().ok());
    place.filter(|place| *place <= row.last_outcome).ok_or_else(not_an_event)
}

fn not_an_event() -> Problem {
    Problem::malformed("Last-Event-ID must be the id of an event of this deletion")
}

/// One client's place in the events.
struct Feed {
    api: Api,
    who: Who,
    id: DeletionId,
    seq: DeletionSeq,
    /// The last place that was given out.
    after: u32,
    watch: Watch,
    page: Page,
    /// When the client may be told the counters again, and what it was told last.
    progress_due: Instant,
    told: Option<Counts>,
    is_begun: bool,
    is_ended: bool,
    _seat: Seat,
}

impl Feed {
    fn new(api: Api, who: Who, row: DeletionRow, after: u32, seat: Seat) -> Self {
        // Subscribed before the first look: an end between the two wakes us.
        let watch = api.dispatch.subscribe(&row.id);
        Self {
            api,
            who,
            id: row.id,
            seq: row.seq,
            after,
            watch,
            page: Page::default(),
            progress_due: Instant::now(),
            told: None,
            is_begun: false,
            is_ended: false,
            _seat: seat,
        }
    }

    /// The next events, once there are some.
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.is_ended {
            return Ok(None);
        }
        let mut events = Vec::new();
        if !std::mem::replace(&mut self.is_begun, true) {
            events.extend_from_slice(COME_BACK.as_bytes());
        }
        loop {
            let looked = Instant::now();
            let is_caught_up = !self.items(&mut events).await?;
            if is_caught_up || looked >= self.progress_due {
                self.standing(&mut events, is_caught_up).await?;
            }
            if !events.is_empty() || self.is_ended {
                return Ok((!events.is_empty()).then(|| events.into()));
            }
            let woken = async {
                self.watch.woken().await;
                tokio::time::sleep_until(looked + LOOK_EVERY).await;
            };
            tokio::select! {
                () = woken => {}
                // What was not told because it was too soon.
                () = tokio::time::sleep_until(self.progress_due), if self.progress_due > looked => {}
                () = tokio::time::sleep(HEARTBEAT) => return Ok(Some(Bytes::from_static(b": still here\n\n"))),
                () = self.api.dispatch.stopping() => {
                    self.is_ended = true;
                    return Ok(None);
                }
            }
        }
    }

    /// Outcomes after the last place; whether there were any.
    async fn items(&mut self, events: &mut Vec<u8>) -> io::Result<bool> {
        let asked = self.page.rows();
        let rows = self.api.dispatch.journal().outcomes(self.seq, self.after, asked).await;
        let rows = rows.map_err(|error| failed(&error))?;
        let written =
            self.page.write(&rows, events, |row, into| write_item(row, view(&self.api, &self.who), into));
        let last = rows.iter().take(written).next_back().and_then(|row| row.outcome_seq);
        self.after = last.unwrap_or(self.after);
        Ok(written > 0)
    }

    /// The counters, if they have changed and it is time; and the end, if this is it.
    async fn standing(&mut self, events: &mut Vec<u8>, is_caught_up: bool) -> io::Result<()> {
        let row = self.api.dispatch.journal().deletion(&self.id).await.map_err(|error| failed(&error))?;
        // One that is no longer kept has nothing more to tell.
        let Some(row) = row else {
            self.is_ended = true;
            return Ok(());
        };
        // What ended before the deletion did can be read now, if it could not be a moment ago.
        let is_done = is_caught_up && is_over(&row) && !self.items(events).await?;
        let is_news = self.told != Some(row.counts);
        if is_news && (is_done || Instant::now() >= self.progress_due) {
            let forecast = self.api.dispatch.forecast(&row).await.map_err(|error| failed(&error))?;
            let progress = ProgressBody {
                counts: CountsBody::new(&row.counts, row.state),
                forecast: (&forecast).into(),
            };
            write_event(events, "progress", self.after, &progress);
            self.told = Some(row.counts);
            self.progress_due = Instant::now() + PROGRESS_EVERY;
        }
        if is_done {
            let whole = summary(&self.api, &self.who, &row).await.map_err(|_| unreadable())?;
            write_event(events, "done", self.after, &whole);
            self.is_ended = true;
        }
        Ok(())
    }
}

fn unreadable() -> io::Error {
    io::Error::other("the journal could not be read")
}

fn write_item(row: &ItemRow, view: View<'_>, events: &mut Vec<u8>) {
    write_event(events, "item", row.outcome_seq.unwrap_or_default(), &ItemBody::new(row, view));
}

/// One event. JSON on one line has no line break, so that its data is one line too.
fn write_event(events: &mut Vec<u8>, name: &str, place: u32, data: &impl Serialize) {
    // Bodies are made of strings and numbers: they always serialize.
    let data = serde_json::to_string(data).unwrap_or_default();
    events.extend_from_slice(format!("event: {name}\nid: {place}\ndata: {data}\n\n").as_bytes());
}
