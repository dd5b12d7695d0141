//! What callers see, in the words of the contract.
//!
//! Types become bodies here, each with its schema for `openapi.yaml`. Nothing is
//! decided: whether an item is ok or may be tried again follows from its outcome
//! alone. One file per thing that is shown.

/// A target, its outcome and its calls.
pub mod item;

/// A deletion.
pub mod deletion;

/// What stands at the vendor.
pub mod asset;

/// Accounts and lanes.
pub mod account;

/// Holds and stop switches.
pub mod guard;

/// Audit records.
pub mod audit;

use crate::dispatch::Dispatch;
use crate::guard::caller::{Caller, Scope};
use crate::types::target::AccountId;

pub use account::{AccountBody, AccountPage};
pub use asset::MediaBody;
pub use audit::{AuditPage, AuditRecordBody};
pub use deletion::{Around, CountsBody, DeletionBody, DeletionPage, PlanBody};
pub use guard::{HoldBody, HoldPage, StopBody, StopsBody};
pub use item::{ItemBody, ItemPage, ReceiptBody};

/// Who looks: some of what is shown depends on it.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The caller.
    pub caller: &'a Caller,
    /// What accounts can tell without a call.
    pub dispatch: &'a Dispatch,
}

impl View<'_> {
    /// Whether the caller may know of the holds of an account.
    fn sees_holds(&self, account: &AccountId) -> bool {
        self.caller.may(Scope::Hold, account)
    }
}

/// A page of a list: one more row than asked for tells that there is another page.
#[must_use]
pub fn page<T>(mut rows: Vec<T>, size: usize, token: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    if rows.len() <= size {
        return (rows, None);
    }
    rows.truncate(size);
    let next = rows.last().map(token);
    (rows, next)
}
