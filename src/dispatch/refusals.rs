//! Requests that were refused, for the audit.
//!
//! Who sends bad keys decides how many there are, so they must cost little. Those of
//! named callers are gathered in bounded memory and written once a second, and what
//! is more than that is told as a number; those of nobody become one record a minute
//! for each reason. Its own file because nothing else is recorded late.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Dispatch, Shared, locked};
use crate::journal::audit::{Action, Entry, SERVICE};
use crate::types::target::AccountId;

/// How often those of named callers are written.
const EVERY: Duration = Duration::from_secs(1);
/// How often those of nobody are.
const NOBODYS_EVERY: Duration = Duration::from_mins(1);
/// Reasons of nobody's refusals that are told apart in this time.
const MOST_REASONS: usize = 16;
/// Refusals that are told one by one, in this time.
const MOST: usize = 20;
/// Who asks without credentials.
pub const NOBODY: &str = "nobody";

/// Refusals that are not written yet.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    gathered: Vec<Entry>,
    more: u64,
    is_waiting: bool,
    /// Those of nobody by their reason: how many, and one of them in full.
    nobodys: BTreeMap<String, (u64, String)>,
    nobodys_wait: bool,
}

impl Dispatch {
    /// Notes that a request was refused: whose, and why. Nothing secret may stand in `why`.
    pub fn refused(&self, actor: Option<&str>, account: Option<AccountId>, why: String) {
        refused(&self.shared, actor, account, why);
    }
}

pub(super) fn refused(shared: &Arc<Shared>, actor: Option<&str>, account: Option<AccountId>, why: String) {
    let Some(actor) = actor else { return of_nobody(shared, why) };
    let entry = entry(actor, account, why);
    let mut refusals = locked(&shared.refusals);
    if refusals.gathered.len() < MOST {
        refusals.gathered.push(entry);
    } else {
        refusals.more = refusals.more.saturating_add(1);
    }
    if std::mem::replace(&mut refusals.is_waiting, true) {
        return;
    }
    drop(refusals);
    let shared = Arc::clone(shared);
    shared.tasks.clone().spawn(async move { write(&shared).await });
}

fn of_nobody(shared: &Arc<Shared>, why: String) {
    let reason = why.split(':').next().unwrap_or_default().to_owned();
    let mut refusals = locked(&shared.refusals);
    if refusals.nobodys.contains_key(&reason) || refusals.nobodys.len() < MOST_REASONS {
        refusals.nobodys.entry(reason).or_insert_with(|| (0, why)).0 += 1;
    }
    if std::mem::replace(&mut refusals.nobodys_wait, true) {
        return;
    }
    drop(refusals);
    let shared = Arc::clone(shared);
    shared.tasks.clone().spawn(async move { write_nobodys(&shared).await });
}

async fn write_nobodys(shared: &Arc<Shared>) {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => {}
        () = shared.clock.sleep(NOBODYS_EVERY) => {}
    }
    let all = {
        let mut refusals = locked(&shared.refusals);
        refusals.nobodys_wait = false;
        std::mem::take(&mut refusals.nobodys)
    };
    let told = |(many, first): (u64, String)| {
        let why = if many > 1 { format!("{first}, and {} more within a minute", many - 1) } else { first };
        entry(NOBODY, None, why)
    };
    if let Err(error) = shared.journal.audit(all.into_values().map(told).collect()).await {
        shared.journal_failed(&error);
    }
}

async fn write(shared: &Arc<Shared>) {
    tokio::select! {
        biased;
        // At the end there is no second to wait.
        () = shared.stop.cancelled() => {}
        () = shared.clock.sleep(EVERY) => {}
    }
    let (mut gathered, more) = {
        let mut refusals = locked(&shared.refusals);
        refusals.is_waiting = false;
        (std::mem::take(&mut refusals.gathered), std::mem::take(&mut refusals.more))
    };
    if more > 0 {
        gathered.push(entry(SERVICE, None, format!("{more} more requests were refused within a second")));
    }
    if let Err(error) = shared.journal.audit(gathered).await {
        // Nothing was done for whoever was refused; the log has each of them.
        shared.journal_failed(&error);
    }
}

fn entry(actor: &str, account: Option<AccountId>, why: String) -> Entry {
    Entry {
        actor: actor.to_owned(),
        action: Action::Refused,
        account,
        deletion: None,
        items: None,
        reason: Some(why),
        vendor_request_id: None,
    }
}
