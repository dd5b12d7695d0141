//! Reads that no item asked for: the probe of a blocked account, and a caller's own look.
//!
//! Both go through the lanes' buckets like any call, and neither touches the
//! journal. Its own file because nothing here is about a deletion.

use std::time::Duration;

use tower::ServiceExt;

use super::accounts::Account;
use super::{Dispatch, Shared, call};
use crate::providers::Verdict;
use crate::types::asset::{Facts, Standing};
use crate::types::outcome::{ItemError, LaneReason};
use crate::types::target::{AccountId, MediaId};

/// How long a caller's own read waits for permits and the vendor.
const READ_PATIENCE: Duration = Duration::from_secs(10);

/// Why a caller's own read gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no such account.
    #[error("there is no such account")]
    UnknownAccount,
    /// The account is blocked.
    #[error("the account is blocked: {}", .0.as_str())]
    Blocked(LaneReason),
    /// No permit or no answer came in time, or the vendor throttled.
    #[error("the vendor could not be asked in time")]
    TooLate,
    /// The vendor does not let this account read it.
    #[error("the vendor refused: {0:?}")]
    Refused(ItemError),
    /// The vendor failed.
    #[error("the vendor failed{}", .0.as_ref().map(|code| format!(" with {code}")).unwrap_or_default())]
    Failed(Option<String>),
}

impl Dispatch {
    /// What stands at the vendor under this id; `None` if nothing does.
    pub async fn look(&self, account: &AccountId, id: &MediaId) -> Result<Option<Facts>, ReadError> {
        let account = self.shared.accounts.get(account).ok_or(ReadError::UnknownAccount)?;
        let reads = self.shared.portrait(account, id);
        tokio::select! {
            facts = reads => facts,
            () = self.shared.clock.sleep(READ_PATIENCE) => Err(ReadError::TooLate),
        }
    }
}

impl Shared {
    /// One harmless read; if it goes through, everything of the account is open again.
    pub(super) async fn probe(&self, account: &Account) {
        if account.stop.blocked().is_some() {
            return;
        }
        let call = account.provider.probe();
        let Some(lane) = self.lane(&account.id, call.operation.name) else { return };
        let probe = async {
            let mut client = lane.client();
            let Ok(_) = client.ready().await;
            client.depart().await;
            if account.stop.blocked().is_some() {
                return None;
            }
            Some(call::exchange(self, lane, &mut client, call, 1).await.0)
        };
        let report = tokio::select! {
            biased;
            report = probe => report,
            () = self.clock.sleep(READ_PATIENCE) => None,
        };
        let Some(report) = report else { return };
        let works = !report.verdicts.is_empty()
            && report.verdicts.iter().all(|v| matches!(v, Verdict::Facts(_) | Verdict::Absent));
        tracing::info!(account = %account.id, works, vendor.code = report.code, "probed a blocked account");
        if works {
            account.gate.open();
            for lane in self.lanes_of(account) {
                lane.gate.open();
                lane.wake();
            }
        }
    }

    async fn portrait(&self, account: &Account, id: &MediaId) -> Result<Option<Facts>, ReadError> {
        let mut facts = Facts::only(Standing::Untold);
        for (n, call) in account.provider.portrait(id).into_iter().enumerate() {
            let Some(lane) = self.lane(&account.id, call.operation.name) else { continue };
            if let Some(blocked) = lane.blocked() {
                return Err(ReadError::Blocked(blocked.reason));
            }
            let mut client = lane.client();
            let Ok(_) = client.ready().await;
            client.depart().await;
            if let Some(stopped) = account.stop.blocked() {
                return Err(ReadError::Blocked(stopped.reason));
            }
            let (report, _) = call::exchange(self, lane, &mut client, call, 1).await;
            match report.verdicts.into_iter().next() {
                Some(Verdict::Facts(more)) => facts = facts.and(*more),
                Some(Verdict::Absent) => facts = facts.and(Facts::only(Standing::Missing)),
                Some(Verdict::Fault(reason)) => {
                    self.block(&account.gate, &lane.id, reason);
                    self.wakes.wake_all();
                    return Err(ReadError::Blocked(reason));
                }
                // The first read tells whether it stands; what the others cannot tell is left out.
                Some(Verdict::NotOk { error, .. }) if n == 0 => return Err(ReadError::Refused(error)),
                _ if n == 0 && report.throttled.is_some() => return Err(ReadError::TooLate),
                _ if n == 0 => return Err(ReadError::Failed(report.code)),
                _ => {}
            }
            if facts.standing == Standing::Missing {
                return Ok(None);
            }
        }
        Ok(Some(facts))
    }
}
