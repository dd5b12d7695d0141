//! The contract, on the model.
//!
//! What the model alone promises is nothing; that it agrees with a store is
//! tested in `contract/twins.rs`.

use std::sync::Arc;

use async_trait::async_trait;

use super::MemoryJournal;
use crate::journal::Journal;
use crate::journal::contract::{self, Bench, Store};
use crate::types::clock::Clock;
use crate::types::metrics::Metrics;

contract::contract_tests!(memory_bench);

/// Keeps the one journal, so that it can be opened again.
#[derive(Default)]
struct Kept(std::sync::OnceLock<Arc<MemoryJournal>>);

#[async_trait]
impl Store for Kept {
    async fn open(&self, clock: Arc<dyn Clock>, _: Metrics) -> Arc<dyn Journal> {
        let journal = Arc::clone(self.0.get_or_init(|| Arc::new(MemoryJournal::new(clock))));
        journal.reopen();
        journal
    }
}

async fn memory_bench() -> Bench {
    Bench::on(Box::new(Kept::default())).await
}
