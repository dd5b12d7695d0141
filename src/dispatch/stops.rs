//! Stop switches: nothing more is sent, of one account or of all, until they are lifted.
//!
//! A switch closes a gate of each account that it is for. A call that has begun
//! ends; the next one looks at the gate after its last wait. The journal has the
//! switches, so that a restart does not lift them. Who may set one is decided above.

use std::sync::Arc;

use super::{Dispatch, Shared, locked};
use crate::journal;
use crate::types::hold::Stop;
use crate::types::outcome::LaneReason;
use crate::types::target::AccountId;

/// Reads what the journal has, and opens or closes every account by it.
pub(super) async fn load(shared: &Shared) -> Result<(), journal::Error> {
    let look = shared.look();
    let stops = shared.journal.stops().await?;
    let mut known = locked(&shared.stops);
    if known.0 > look {
        // Whoever looked later has acted on it.
        return Ok(());
    }
    for (id, account) in &shared.accounts {
        let on = stops.iter().find(|stop| stop.account.as_ref().is_none_or(|of| of == id));
        match on {
            Some(stop) if account.stop.close(LaneReason::Stopped, stop.at) => {
                tracing::warn!(account = %id, by = stop.by, "stopped: nothing is sent until the switch is lifted");
            }
            None if account.stop.open() => {
                tracing::info!(account = %id, "the stop switch is lifted");
                shared.lanes_of(account).for_each(|lane| lane.wake());
            }
            Some(_) | None => {}
        }
    }
    *known = (look, stops);
    Ok(())
}

impl Dispatch {
    /// Sets a switch; whether it was off. When this returns no call begins.
    pub async fn stop(&self, stop: Stop) -> Result<bool, journal::Error> {
        self.switch(move |shared| async move { shared.journal.stop(stop).await }).await
    }

    /// Lifts a switch; whether it was on. An account that another switch stops stays stopped.
    pub async fn restart(
        &self,
        account: Option<AccountId>,
        by: &str,
        reason: Option<String>,
    ) -> Result<bool, journal::Error> {
        let by = by.to_owned();
        self.switch(move |shared| async move {
            shared.journal.restart(account.as_ref(), &by, reason.as_deref()).await
        })
        .await
    }

    /// The switches that are on.
    #[must_use]
    pub fn stops(&self) -> Vec<Stop> {
        locked(&self.shared.stops).1.clone()
    }

    async fn switch<F>(
        &self,
        write: impl FnOnce(Arc<Shared>) -> F + Send + 'static,
    ) -> Result<bool, journal::Error>
    where
        F: Future<Output = Result<bool, journal::Error>> + Send,
    {
        let shared = Arc::clone(&self.shared);
        // A task of its own: what is in the journal must be in force, even if the caller hangs up.
        let switching = self.shared.tasks.spawn(async move {
            let changed = shared.heard(write(Arc::clone(&shared)).await);
            // Also after an error: it may be written all the same.
            shared.read_guards().await?;
            shared.wakes.wake_all();
            changed
        });
        let half_way = || journal::Error::Uncertain("a stop switch failed half-way".to_owned());
        switching.await.unwrap_or_else(|_| Err(half_way()))
    }
}
