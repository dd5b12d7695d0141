//! Requests that were refused, for the audit.
//!
//! Who sends bad keys decides how many there are, so they must cost little: they
//! are gathered in bounded memory and written once a second, and what is more than
//! that is told as a number. Its own file because nothing else is recorded late.

use std::sync::Arc;
use std::time::Duration;

use super::{Dispatch, Shared, locked};
use crate::journal::audit::{Action, Entry, SERVICE};
use crate::types::target::AccountId;

/// How often they are written.
const EVERY: Duration = Duration::from_secs(1);
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
}

impl Dispatch {
    /// Notes that a request was refused: whose, and why. Nothing secret may stand in `why`.
    pub fn refused(&self, actor: Option<&str>, account: Option<AccountId>, why: String) {
        refused(&self.shared, actor, account, why);
    }
}

pub(super) fn refused(shared: &Arc<Shared>, actor: Option<&str>, account: Option<AccountId>, why: String) {
    let entry = entry(actor.unwrap_or(NOBODY), account, why);
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

async fn write(shared: &Arc<Shared>) {
    tokio::select! {
        biased;
        // At the end there is no second to wait.
        () = shared.stop.cancelled() => {}
        () = shared.clock.sleep(EVERY) => {}
    }
    let Refusals { mut gathered, more, .. } = std::mem::take(&mut *locked(&shared.refusals));
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
