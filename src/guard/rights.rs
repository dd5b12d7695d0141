//! What a caller may do: scopes, kinds and caps.
//!
//! Its own file because settings write these down, routes declare them and
//! handlers ask for them, while whose they are is `caller.rs`. Every scope stands
//! alone: `admin` deletes nothing, and `delete` lifts no hold. Knows no account.

use std::collections::BTreeSet;

use crate::types::target::Kind;

/// What can be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Look at deletions, assets and accounts.
    Read,
    /// Delete, and drive the deletions: pause, cancel, retry.
    Delete,
    /// Approve or reject what others want to delete.
    Approve,
    /// Put and lift holds.
    Hold,
    /// Work the stop switches.
    Admin,
}

impl Scope {
    /// All scopes, in the order of the contract.
    pub const ALL: [Scope; 5] = [Scope::Read, Scope::Delete, Scope::Approve, Scope::Hold, Scope::Admin];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Delete => "delete",
            Scope::Approve => "approve",
            Scope::Hold => "hold",
            Scope::Admin => "admin",
        }
    }

    /// The scope that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

/// A word that is no right. It is not repeated in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRight {
    /// Not a scope.
    #[error(
        "must hold nothing but \"read\", \"delete\", \"delete:<kind>\", \"approve\", \"hold\" and \"admin\""
    )]
    Scope,
    /// Not a kind.
    #[error("holds a \"delete:<kind>\" whose kind is none of {}", Kind::ALL.map(Kind::as_str).join(", "))]
    Kind,
}

/// The rights of one caller; none at first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// All but `Delete`.
    scopes: BTreeSet<Scope>,
    /// What may be deleted.
    kinds: BTreeSet<Kind>,
}

impl Rights {
    /// Every right there is.
    #[must_use]
    pub fn everything() -> Self {
        Self::of(Scope::ALL)
    }

    /// These scopes, with all kinds where `delete` is one of them.
    #[must_use]
    pub fn of(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut rights = Self::default();
        scopes.into_iter().for_each(|scope| rights.grant(scope));
        rights
    }

    fn grant(&mut self, scope: Scope) {
        if scope == Scope::Delete {
            self.kinds.extend(Kind::ALL);
        } else {
            self.scopes.insert(scope);
        }
    }

    /// Adds the right that a word names: a scope, or `delete:` and a kind.
    pub fn add(&mut self, word: &str) -> Result<(), BadRight> {
        if let Some(kind) = word.strip_prefix("delete:") {
            self.kinds.insert(Kind::parse(kind).ok_or(BadRight::Kind)?);
        } else {
            self.grant(Scope::parse(word).ok_or(BadRight::Scope)?);
        }
        Ok(())
    }

    /// Whether it holds this scope; `delete` if it may delete anything at all.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        if scope == Scope::Delete { !self.kinds.is_empty() } else { self.scopes.contains(&scope) }
    }

    /// Whether it may delete this kind.
    #[must_use]
    pub fn may_delete(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind)
    }

    /// The words that make these rights.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let finer = |kind: &Kind| format!("delete:{}", kind.as_str());
        let some_kinds = self.kinds.len() < Kind::ALL.len();
        let words = Scope::ALL.into_iter().filter(|scope| self.has(*scope)).flat_map(|scope| {
            if scope == Scope::Delete && some_kinds {
                self.kinds.iter().map(finer).collect()
            } else {
                vec![scope.as_str().to_owned()]
            }
        });
        words.collect()
    }
}

/// How much a caller may delete; what is absent has no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Caps {
    /// Items in one deletion.
    pub max_items: Option<u64>,
    /// Items in one day.
    pub max_items_per_day: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(words: &[&str]) -> Rights {
        let mut rights = Rights::default();
        for word in words {
            rights.add(word).unwrap();
        }
        rights
    }

    #[test]
    fn every_scope_stands_alone() {
        for given in Scope::ALL {
            let rights = rights(&[given.as_str()]);
            for asked in Scope::ALL {
                assert_eq!(rights.has(asked), asked == given, "{given:?} gives {asked:?}");
            }
            assert_eq!(Kind::ALL.iter().all(|kind| rights.may_delete(*kind)), given == Scope::Delete);
        }
        assert!(Scope::ALL.iter().all(|scope| !Rights::default().has(*scope)));
        assert!(Scope::ALL.iter().all(|scope| Rights::everything().has(*scope)));
    }

    #[test]
    fn a_kind_is_allowed_without_the_others() {
        let some = rights(&["read", "delete:source", "delete:image"]);
        let allowed = Kind::ALL.into_iter().filter(|kind| some.may_delete(*kind)).collect::<Vec<_>>();
        assert_eq!(allowed, [Kind::Source, Kind::Image]);
        assert!(some.has(Scope::Delete));
        assert_eq!(some.words(), ["read", "delete:source", "delete:image"]);
        assert_eq!(rights(&["delete:media", "delete"]).words(), ["delete"]);
    }

    #[test]
    fn words_that_are_no_right_are_refused() {
        for (word, why) in [
            ("", BadRight::Scope),
            ("Read", BadRight::Scope),
            ("*", BadRight::Scope),
            ("read:media", BadRight::Scope),
            ("delete:", BadRight::Kind),
            ("delete:*", BadRight::Kind),
            ("delete:Media", BadRight::Kind),
        ] {
            assert_eq!(Rights::default().add(word), Err(why), "{word:?}");
        }
    }
}
