//! Waiting for a deletion, and describing it.
//!
//! Its own file because every handler that touches a deletion answers in these
//! ways: who may see it, how long to wait for it, what to say beside the body.
//! Outcomes come from the journal; `dispatch` only wakes.

use std::time::Duration;

use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use super::Api;
use super::auth::Who;
use super::idempotency::REPLAYED;
use super::problem::Problem;
use super::request::Patience;
use super::response::{Around, DeletionBody, PlanBody, View};
use crate::dispatch::submit::Accepted;
use crate::dispatch::wake::Watch;
use crate::guard::caller::Scope;
use crate::journal::{ChoreWord, DeletionRow, ItemFilter, ItemRow};
use crate::types::deletion::{DeletionId, ItemState};
use crate::types::lifecycle::DeletionState;
use crate::types::target::{AccountId, Target};

/// Most items that stand inside a deletion.
pub(super) const MAX_INLINE_ITEMS: u64 = 1_000;
/// When to look again at work that goes on.
pub(super) const LOOK_AGAIN_S: u64 = 2;
/// A large deletion wakes its waiters with every call; they look at most this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Waiting items that are looked at to tell what holds a deletion up.
const WAITING_SAMPLE: usize = 100;

/// What stands beside the body of an answer about an accepted deletion.
#[derive(Debug)]
pub(super) struct Beside<'a> {
    /// Which deletion.
    pub(super) id: &'a DeletionId,
    /// What the caller preferred.
    pub(super) patience: Option<&'a Patience>,
    /// It was there already.
    pub(super) replayed: bool,
}

/// An answer about a deletion, with the headers that tell where and how it goes on.
pub(super) fn answer(status: StatusCode, beside: &Beside<'_>, body: impl IntoResponse) -> Response {
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, text: String| {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    };
    put(LOCATION, format!("/v1/deletions/{}", beside.id));
    if status == StatusCode::ACCEPTED {
        put(RETRY_AFTER, LOOK_AGAIN_S.to_string());
    }
    if let Some(applied) = beside.patience.and_then(Patience::applied) {
        put(HeaderName::from_static("preference-applied"), applied);
    }
    if beside.replayed {
        put(HeaderName::from_static(REPLAYED), "true".to_owned());
    }
    response
}

/// Whether every item has its outcome.
pub(super) fn is_over(row: &DeletionRow) -> bool {
    row.finished_at.is_some()
}

/// Whether to wait for it is pointless: the plan is made, or a person or its own time must come first.
fn is_at_rest(row: &DeletionRow) -> bool {
    match row.state {
        DeletionState::Planned => row.chore.is_none(),
        DeletionState::AwaitingApproval | DeletionState::Scheduled | DeletionState::Paused => true,
        DeletionState::Receiving
        | DeletionState::Running
        | DeletionState::Finished
        | DeletionState::Canceled
        | DeletionState::Rejected
        | DeletionState::Expired => false,
    }
}

/// Waits until a deletion has ended, the time is up, or waiting longer is pointless.
///
/// `is_new`: who has just asked for it need not wait behind a blocked lane, nor for a person.
pub(super) async fn wait(
    api: &Api,
    id: &DeletionId,
    watch: &mut Watch,
    time: Duration,
    is_new: bool,
) -> Result<DeletionRow, Problem> {
    let time_is_up = tokio::time::sleep(time);
    tokio::pin!(time_is_up);
    loop {
        // Subscribed before looking: an end between the two wakes us.
        let row = read(api, id).await?;
        let is_pointless = is_new && (is_at_rest(&row) || !blocked(api, &row).await?.is_empty());
        if is_over(&row) || time.is_zero() || is_pointless {
            return Ok(row);
        }
        let soonest =
            Instant::now() + if row.counts.total > MAX_INLINE_ITEMS { LOOK_EVERY } else { Duration::ZERO };
        let woken = async {
            watch.woken().await;
            tokio::time::sleep_until(soonest).await;
        };
        tokio::select! {
            () = woken => {}
            () = &mut time_is_up => return read(api, id).await,
            // The work goes on after the next start; the caller should not wait for that.
            () = api.dispatch.stopping() => return read(api, id).await,
        }
    }
}

/// Waits for the one item of a single-target DELETE.
pub(super) async fn wait_for_item(
    api: &Api,
    accepted: &mut Accepted,
    target: &Target,
    time: Duration,
) -> Result<ItemRow, Problem> {
    let time_is_up = tokio::time::sleep(time);
    tokio::pin!(time_is_up);
    let mut is_over = accepted.finished || time.is_zero();
    let mut look_now =
        is_over || accepted.replayed || accepted.is_ahead || api.dispatch.holds_up(target).is_some();
    loop {
        if !look_now {
            tokio::select! {
                () = accepted.watch.woken() => {}
                () = &mut time_is_up => is_over = true,
                () = api.dispatch.stopping() => is_over = true,
            }
        }
        look_now = false;
        let rows = api.dispatch.journal().items(accepted.seq, ItemFilter::default(), 1).await?;
        let Some(row) = rows.into_iter().next() else {
            return Err(Problem::new("internal", "the journal lost sight of an item it had accepted"));
        };
        let is_decided = match row.state {
            ItemState::Done => true,
            // Its call is under way and its outcome may still come, whatever closed the gate meanwhile.
            ItemState::Sending => false,
            ItemState::Pending => row.deletion_state.is_ahead() || api.dispatch.holds_up(target).is_some(),
        };
        if is_over || is_decided {
            return Ok(row);
        }
    }
}

/// What this caller sees.
pub(super) fn view<'a>(api: &'a Api, who: &'a Who) -> View<'a> {
    View { caller: &who.0, dispatch: &api.dispatch }
}

/// A deletion as it stands now.
pub(super) async fn read(api: &Api, id: &DeletionId) -> Result<DeletionRow, Problem> {
    let row = api.dispatch.journal().deletion(id).await?;
    row.ok_or_else(|| Problem::not_found("there is no such deletion"))
}

/// The deletion that a path names, if the caller may see it and do this with it.
pub(super) async fn visible(api: &Api, who: &Who, id: &str, scope: Scope) -> Result<DeletionRow, Problem> {
    who.has(scope)?;
    let missing = || Problem::not_found("there is no such deletion");
    let id = DeletionId::parse(id).ok_or_else(missing)?;
    let row = read(api, &id).await?;
    // One that touches an account the caller may not see looks like one that is not there.
    if row.accounts.iter().all(|account| who.0.sees(account)) { Ok(row) } else { Err(missing()) }
}

/// The accounts whose blocked lanes hold up items of this deletion, as far as its first waiting items tell.
async fn blocked(api: &Api, row: &DeletionRow) -> Result<Vec<(AccountId, &'static str)>, Problem> {
    let may_hold = |account: &AccountId| api.dispatch.blocked(account).is_some();
    if is_over(row) || row.state.is_ahead() || !row.accounts.iter().any(may_hold) {
        return Ok(Vec::new());
    }
    let waiting = ItemFilter { state: Some(ItemState::Pending), ..ItemFilter::default() };
    let waiting = api.dispatch.journal().items(row.seq, waiting, WAITING_SAMPLE).await?;
    let mut accounts: Vec<(AccountId, &'static str)> = Vec::new();
    for target in waiting.iter().filter_map(|item| Some(&item.wanted.as_ref()?.target)) {
        if let Some(reason) = api.dispatch.holds_up(target)
            && accounts.iter().all(|(known, _)| *known != target.account)
        {
            accounts.push((target.account.clone(), reason.as_str()));
        }
    }
    Ok(accounts)
}

/// A deletion with its items, if they are few.
pub(super) async fn describe(api: &Api, who: &Who, row: &DeletionRow) -> Result<DeletionBody, Problem> {
    let most = usize::try_from(MAX_INLINE_ITEMS).unwrap_or(usize::MAX);
    let items = if row.counts.total <= MAX_INLINE_ITEMS {
        Some(api.dispatch.journal().items(row.seq, ItemFilter::default(), most).await?)
    } else {
        None
    };
    shown(api, who, row, items.as_deref()).await
}

/// A deletion without its items.
pub(super) async fn summary(api: &Api, who: &Who, row: &DeletionRow) -> Result<DeletionBody, Problem> {
    shown(api, who, row, None).await
}

async fn shown(
    api: &Api,
    who: &Who,
    row: &DeletionRow,
    items: Option<&[ItemRow]>,
) -> Result<DeletionBody, Problem> {
    let plan = api.dispatch.outlay(row).await?.map(|outlay| PlanBody {
        calls: outlay.calls,
        seconds: outlay.time.map(|time| time.as_secs_f64()),
        checking: row.chore == Some(ChoreWord::Check),
    });
    let (blocked, forecast) = (blocked(api, row).await?, api.dispatch.forecast(row).await?);
    let around = Around { blocked: &blocked, forecast, plan };
    Ok(DeletionBody::new(row, items, &around, view(api, who)))
}
