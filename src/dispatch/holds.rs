//! Holds: put, lifted, and asked right before a delete goes out.
//!
//! The journal has them; this process keeps them in memory and asks there, since
//! every item is asked about twice (when it is accepted and when its call is made).
//! Whether a target is under one is decided in `guard/holds.rs`.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tower::ServiceExt;

use super::{Dispatch, Shared, call};
use crate::guard::holds::Holds;
use crate::journal;
use crate::providers::{Call, Entry, ReadFirst, Verdict};
use crate::types::hold::{Hold, HoldId};
use crate::types::target::{AccountId, MediaId, Name, ReferenceId, Target, What};

/// How long the vendor is asked which asset a name is.
const ASK_PATIENCE: Duration = Duration::from_secs(10);

/// Why a hold was not put.
#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    /// There are too many.
    #[error("there are too many holds already")]
    TooMany,
    /// The journal could not be written.
    #[error(transparent)]
    Journal(#[from] journal::Error),
}

/// Reads what the journal has.
pub(super) async fn load(shared: &Shared) -> Result<(), journal::Error> {
    let look = shared.look();
    let holds = Arc::new(Holds::new(shared.journal.holds().await?));
    let mut known = shared.holds.write().unwrap_or_else(PoisonError::into_inner);
    if known.0 < look {
        *known = (look, holds);
    }
    Ok(())
}

impl Shared {
    /// The holds as they are now.
    pub(super) fn holds(&self) -> Arc<Holds> {
        Arc::clone(&self.holds.read().unwrap_or_else(PoisonError::into_inner).1)
    }
}

impl Dispatch {
    /// Puts a hold. When this returns, no call that begins carries what it covers.
    ///
    /// `id` may be the caller's own id of an asset: then the vendor is asked which one it is, so
    /// that the hold covers it by its vendor's id too. It holds without an answer.
    pub async fn hold(&self, hold: Hold) -> Result<Hold, HoldError> {
        let shared = Arc::clone(&self.shared);
        let holding = self.shared.tasks.spawn(async move { put(&shared, hold).await });
        holding.await.unwrap_or_else(|_| Err(half_way().into()))
    }

    /// Lifts a hold; the hold that it was.
    pub async fn lift(
        &self,
        account: &AccountId,
        id: &HoldId,
        by: &str,
    ) -> Result<Option<Hold>, journal::Error> {
        let (shared, account, id, by) =
            (Arc::clone(&self.shared), account.clone(), id.clone(), by.to_owned());
        let lifting = self.shared.tasks.spawn(async move {
            let lifted = shared.heard(shared.journal.lift(&account, &id, &by).await);
            // Also after an error: it may be written all the same.
            shared.read_guards().await?;
            lifted
        });
        lifting.await.unwrap_or_else(|_| Err(half_way()))
    }

    /// The hold that an asset is under, if it is.
    #[must_use]
    pub fn held(&self, account: &AccountId, id: &MediaId) -> bool {
        self.shared.holds().on_asset(account, id).is_some()
    }
}

fn half_way() -> journal::Error {
    journal::Error::Uncertain("a hold failed half-way".to_owned())
}

async fn put(shared: &Arc<Shared>, hold: Hold) -> Result<Hold, HoldError> {
    keep(shared, &hold).await?;
    // It holds by its name from here on; what else it is called comes on top.
    let Some(asset) = asset_of(shared, &hold).await else { return Ok(hold) };
    // Asking took its time: it may be lifted by now, or another may stand in its place.
    let now = shared.journal.holds().await?;
    if !now.contains(&hold) {
        return Ok(hold);
    }
    let hold = Hold { asset: Some(asset), ..hold };
    keep(shared, &hold).await?;
    Ok(hold)
}

async fn keep(shared: &Arc<Shared>, hold: &Hold) -> Result<(), HoldError> {
    if shared.holds().is_full(&hold.account, hold.id.is_pattern()) {
        return Err(HoldError::TooMany);
    }
    let kept = shared.heard(shared.journal.hold(hold.clone()).await);
    // Also after an error: it may be written all the same.
    shared.read_guards().await?;
    Ok(kept?)
}

/// The vendor's id of the asset that the caller calls so, if the vendor has such names and tells.
async fn asset_of(shared: &Shared, hold: &Hold) -> Option<MediaId> {
    let account = shared.accounts.get(&hold.account)?;
    let name = Name::Reference(ReferenceId::parse(hold.id.as_str()).ok()?);
    let target = Target { account: hold.account.clone(), name, what: What::Media };
    let (operation, first) = account.provider.route(&target).ok()?.resolve?;
    if first != ReadFirst::Reference {
        return None;
    }
    let lane = shared.lane(&hold.account, operation.name)?;
    let call = Call { operation, entries: vec![Entry { target, asset: None, parts: Vec::new() }] };
    let ask = async {
        let mut client = lane.client();
        let Ok(_) = client.ready().await;
        client.depart().await;
        if lane.blocked().is_some() || !shared.knows_guards() {
            return None;
        }
        Some(call::exchange(shared, lane, &mut client, call, 1).await.0)
    };
    let report = tokio::select! {
        report = ask => report,
        () = shared.clock.sleep(ASK_PATIENCE) => None,
    };
    match report.and_then(|report| report.verdicts.into_iter().next()) {
        Some(Verdict::Facts(facts)) => facts.id,
        Some(Verdict::Absent) => None,
        told => {
            let told = told.is_some();
            tracing::warn!(account = %hold.account, hold = %hold.id, told, "which asset a hold covers could not be asked: it covers this name only");
            None
        }
    }
}
