//! Whether a target is under a hold.
//!
//! All holds of all accounts in memory, made anew when one is put or lifted. A
//! hold covers an asset by every name that is known of it (the one that was asked
//! for, the vendor's id that it was resolved to) and in all its parts. Pure. Where
//! holds are kept is the journal's business, when they are asked is `dispatch`'s.

use std::collections::HashMap;
use std::sync::Arc;

use super::glob::Glob;
use crate::types::hold::Hold;
use crate::types::outcome::{Ending, HeldBy, ItemError, Outcome, Reason};
use crate::types::target::{AccountId, MediaId, Name, Target};

/// Most holds of one account, so that they fit in memory and no account takes the room of others.
pub const MOST_HOLDS: usize = 10_000;
/// Most of them that are patterns, for one account: each is tried on every item.
pub const MOST_PATTERNS: usize = 1_000;

/// All holds.
#[derive(Debug, Default)]
pub struct Holds {
    accounts: HashMap<AccountId, OfAccount>,
}

#[derive(Debug, Default)]
struct OfAccount {
    all: usize,
    names: HashMap<String, Arc<Hold>>,
    patterns: Vec<(Glob, Arc<Hold>)>,
}

impl Holds {
    /// These holds.
    #[must_use]
    pub fn new(holds: Vec<Hold>) -> Self {
        let mut made = Self::default();
        for hold in holds {
            let hold = Arc::new(hold);
            let account = made.accounts.entry(hold.account.clone()).or_default();
            account.all += 1;
            if let Some(asset) = &hold.asset {
                account.names.entry(asset.to_string()).or_insert_with(|| Arc::clone(&hold));
            }
            match Glob::parse(hold.id.as_str()) {
                Ok(glob) if hold.id.is_pattern() => account.patterns.push((glob, hold)),
                Ok(_) | Err(_) => drop(account.names.insert(hold.id.to_string(), hold)),
            }
        }
        made
    }

    /// Whether one more would be too many.
    #[must_use]
    pub fn is_full(&self, account: &AccountId, is_pattern: bool) -> bool {
        let Some(of) = self.accounts.get(account) else { return false };
        of.all >= MOST_HOLDS || (is_pattern && of.patterns.len() >= MOST_PATTERNS)
    }

    /// The hold that a target is under; `asset` is the vendor's id that it was resolved to.
    #[must_use]
    pub fn on(&self, target: &Target, asset: Option<&MediaId>) -> Option<&Arc<Hold>> {
        let of = self.accounts.get(&target.account)?;
        if let Name::Url(_) = target.name {
            // A URL does not tell which asset it is of: while there are holds it is named by its id.
            return of.any();
        }
        let names = [Some(target.name.as_str()), asset.map(MediaId::as_str)];
        names.into_iter().flatten().find_map(|name| of.on(name))
    }

    /// The hold that an asset is under, by its vendor's id.
    #[must_use]
    pub fn on_asset(&self, account: &AccountId, id: &MediaId) -> Option<&Arc<Hold>> {
        self.accounts.get(account)?.on(id.as_str())
    }
}

impl OfAccount {
    fn any(&self) -> Option<&Arc<Hold>> {
        self.names.values().next().or_else(|| self.patterns.first().map(|(_, hold)| hold))
    }

    fn on(&self, name: &str) -> Option<&Arc<Hold>> {
        let by_pattern = || self.patterns.iter().find(|(glob, _)| glob.matches(name)).map(|(_, hold)| hold);
        self.names.get(name).or_else(by_pattern)
    }
}

/// The ending of an item that is under a hold: nothing was sent for it.
#[must_use]
pub fn refused(hold: &Hold) -> Ending {
    let by = HeldBy { id: hold.id.to_string(), by: hold.held_by.clone(), reason: hold.reason.clone() };
    let error = ItemError::new(Reason::Held, "the asset is under a hold; it was not deleted");
    Ending::not_ok(Outcome::Refused, ItemError { hold: Some(Box::new(by)), ..error })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::types::hold::HoldId;
    use crate::types::target::{ImageUrl, ReferenceId, What};

    fn hold(account: &str, id: &str, asset: Option<&str>) -> Hold {
        Hold {
            account: AccountId::parse(account).unwrap(),
            id: HoldId::parse(id).unwrap(),
            asset: asset.map(|asset| MediaId::parse(asset).unwrap()),
            reason: "court order".to_owned(),
            held_by: "legal".to_owned(),
            held_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn target(account: &str, name: Name, what: What) -> Target {
        Target { account: AccountId::parse(account).unwrap(), name, what }
    }

    fn id(text: &str) -> Name {
        Name::Id(MediaId::parse(text).unwrap())
    }

    #[test]
    fn a_hold_covers_an_asset_by_every_name_and_in_all_parts() {
        let holds = Holds::new(vec![
            hold("a", "v1", None),
            hold("a", "my-video", Some("v2")),
            hold("a", "promo-*", None),
        ]);
        let on = |target: &Target, asset: Option<&str>| {
            let asset = asset.map(|asset| MediaId::parse(asset).unwrap());
            holds.on(target, asset.as_ref()).map(|hold| hold.id.to_string())
        };
        let reference = |text: &str| Name::Reference(ReferenceId::parse(text).unwrap());
        for what in [What::Media, What::Source { force: true }, What::Image, What::AttachedMedia] {
            assert_eq!(on(&target("a", id("v1"), what.clone()), None).as_deref(), Some("v1"));
            assert_eq!(on(&target("b", id("v1"), what), None), None);
        }
        assert_eq!(on(&target("a", reference("my-video"), What::Media), None).as_deref(), Some("my-video"));
        assert_eq!(on(&target("a", id("v2"), What::Media), None).as_deref(), Some("my-video"));
        assert_eq!(on(&target("a", reference("other-name"), What::Media), Some("v1")).as_deref(), Some("v1"));
        assert_eq!(on(&target("a", id("promo-7"), What::Media), None).as_deref(), Some("promo-*"));
        assert_eq!(on(&target("a", id("v3"), What::Media), Some("v4")), None);
    }

    #[test]
    fn a_url_tells_no_name_so_any_hold_of_the_account_covers_it() {
        let url = Name::Url(ImageUrl::parse("https://media.example/image/a.png").unwrap());
        let holds = Holds::new(vec![hold("a", "v1", None)]);
        assert!(holds.on(&target("a", url.clone(), What::Image), None).is_some());
        assert!(holds.on(&target("b", url, What::Image), None).is_none());
    }

    #[test]
    fn the_pattern_of_everything_holds_everything_of_its_account() {
        let holds = Holds::new(vec![hold("a", "*", None)]);
        assert!(holds.on_asset(&AccountId::parse("a").unwrap(), &MediaId::parse("x").unwrap()).is_some());
        assert!(holds.on_asset(&AccountId::parse("b").unwrap(), &MediaId::parse("x").unwrap()).is_none());
    }
}
