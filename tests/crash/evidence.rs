//! Four accounts of the same run, put side by side.
//!
//! What the client was told, what the API shows, what the journal's file holds and
//! what the vendors did. Only collected here; `checker` compares. The service is
//! ended in order before its journal is read, so that nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::client::{Asked, Client, Counted, Shown};
use super::config::{ALIBABA, Limit, TENCENT};
use super::journal::{self, Journal};
use super::stage::{LedgerRow, Service, Stage, Vendor};

/// What a vendor can testify to.
#[derive(Debug, Clone)]
pub(crate) struct Witness {
    pub(crate) account: &'static str,
    pub(crate) ledger: Vec<LedgerRow>,
    /// Assets that stood before the run.
    pub(crate) before: BTreeSet<String>,
    /// Assets that stand now.
    pub(crate) after: BTreeSet<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    pub(crate) asked: Vec<Asked>,
    pub(crate) shown: BTreeMap<String, (Counted, Vec<Shown>)>,
    pub(crate) sights: Vec<(String, u32, Shown)>,
    pub(crate) counted: Vec<Counted>,
    pub(crate) journal: Journal,
    pub(crate) witnesses: Vec<Witness>,
    pub(crate) limits: Vec<Limit>,
    /// How often a process died.
    pub(crate) deaths: u64,
}

/// What stood before a run.
pub(crate) struct Before {
    alibaba: BTreeSet<String>,
    tencent: BTreeSet<String>,
}

impl Before {
    pub(crate) fn look(stage: &Stage) -> Self {
        Self { alibaba: stage.vendors.alibaba.standing(), tencent: stage.vendors.tencent.standing() }
    }

    /// Asks everybody, ending the service in between.
    pub(crate) fn collect(self, stage: &Stage, client: &Client, service: Service, deaths: u64) -> Evidence {
        self.collect_after(stage, client, service, deaths, || {})
    }

    /// The same, with something to do between the service's end and the look into its journal.
    pub(crate) fn collect_after(
        self,
        stage: &Stage,
        client: &Client,
        service: Service,
        deaths: u64,
        bring: impl FnOnce(),
    ) -> Evidence {
        let shown = client.show_all();
        service.process.signal("-TERM");
        let (status, said, _) = service.process.end(Duration::from_secs(25));
        assert_eq!(status.code(), Some(0), "{said}");
        bring();
        let witness = |account, vendor: &Vendor, before| Witness {
            account,
            ledger: vendor.ledger(),
            before,
            after: vendor.standing(),
        };
        Evidence {
            asked: client.asked(),
            shown,
            sights: client.sights.lock().unwrap().clone(),
            counted: client.counted.lock().unwrap().clone(),
            journal: journal::read(&stage.journal_path()),
            witnesses: vec![
                witness(ALIBABA, &stage.vendors.alibaba, self.alibaba),
                witness(TENCENT, &stage.vendors.tencent, self.tencent),
            ],
            limits: stage.pace.limits().to_vec(),
            deaths,
        }
    }
}
