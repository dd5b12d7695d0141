//! What goes on, or ends, by its time: delays, plans, requests for approval.
//!
//! One loop that sleeps until the earliest deadline in the journal. The journal's
//! clock decides whether it is over, in the transaction, so that an approval and an
//! expiry cannot both win. Its own file because no caller asks for this.

use std::sync::Arc;
use std::time::Duration;

use super::record::JOURNAL_PAUSE_MOST;
use super::{Shared, verbs};
use crate::journal::audit::SERVICE;
use crate::journal::{self, Asked};
use crate::types::lifecycle::Verb;

/// Deadlines looked at in one go.
const AT_ONCE: usize = 100;
/// Longest sleep: the wall clock may be turned while it lasts.
const LONGEST_SLEEP: Duration = Duration::from_mins(1);

/// The loop. Ends when the service stops.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let sleep = match pass(&shared).await {
            Ok(sleep) => sleep,
            Err(error) => {
                shared.journal_failed(&error);
                JOURNAL_PAUSE_MOST
            }
        };
        tokio::select! {
            biased;
            () = shared.stop.cancelled() => return,
            () = shared.clock.sleep(sleep) => {}
            () = shared.deadline_set.notified() => {}
        }
    }
}

/// Lets everything lapse whose time is over; how long until the next.
async fn pass(shared: &Arc<Shared>) -> Result<Duration, journal::Error> {
    loop {
        let found = shared.journal.lapsed(AT_ONCE).await?;
        for id in &found.ids {
            if shared.stop.is_cancelled() {
                return Ok(LONGEST_SLEEP);
            }
            verbs::turn(shared, id, Asked::of(Verb::Lapse, SERVICE)).await?;
        }
        if found.ids.is_empty() {
            let until = |at| Duration::try_from(at - shared.clock.now()).unwrap_or_default();
            return Ok(found.next.map_or(LONGEST_SLEEP, until).min(LONGEST_SLEEP));
        }
    }
}
