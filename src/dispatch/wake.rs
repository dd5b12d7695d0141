//! Wakes those who wait for a deletion.
//!
//! A wake-up carries no outcome: who is woken reads the journal, so that work
//! done by another replica is seen the same way. Waiters subscribe before the
//! deletion can end, which is why they do so by its name, before it is journaled.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::types::deletion::DeletionId;

type Waiting = Mutex<HashMap<DeletionId, watch::Sender<u64>>>;

/// Who waits for what.
#[derive(Debug, Clone, Default)]
pub struct Wakes {
    waiting: Arc<Waiting>,
}

/// A place to wait for one deletion.
#[derive(Debug)]
pub struct Watch {
    id: DeletionId,
    seen: Option<watch::Receiver<u64>>,
    waiting: Arc<Waiting>,
}

impl Wakes {
    /// Subscribes to a deletion.
    #[must_use]
    pub fn subscribe(&self, id: &DeletionId) -> Watch {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = waiting.entry(id.clone()).or_insert_with(|| watch::Sender::new(0)).subscribe();
        Watch { id: id.clone(), seen: Some(seen), waiting: Arc::clone(&self.waiting) }
    }

    /// Wakes who waits for this deletion.
    pub fn wake(&self, id: &DeletionId) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = waiting.get(id) {
            sender.send_modify(|count| *count += 1);
        }
    }

    /// Wakes everybody: a lane was blocked, and waiting longer may be pointless.
    pub fn wake_all(&self) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.values().for_each(|sender| sender.send_modify(|count| *count += 1));
    }
}

impl Watch {
    /// Waits for the next wake-up since the last one that was seen.
    pub async fn woken(&mut self) {
        if let Some(seen) = &mut self.seen {
            // The sender stays in the map while a watch of its deletion lives.
            if seen.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        self.seen = None;
        if waiting.get(&self.id).is_some_and(|sender| sender.receiver_count() == 0) {
            waiting.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_between_subscribing_and_waiting_is_not_lost() {
        let (wakes, id) = (Wakes::default(), DeletionId::new());
        let mut watch = wakes.subscribe(&id);
        wakes.wake(&id);
        watch.woken().await;
        drop(watch);
        assert!(wakes.waiting.lock().unwrap().is_empty(), "nobody waits, nothing is kept");
    }
}
