//! Callers, their keys and their rights.
//!
//! A key is 256 random bits, so its plain SHA-256 is enough to recognize it: a
//! slow hash protects guessable passwords, and these cannot be guessed. Only
//! digests are kept. Knows no header and no configuration; whether an account
//! exists is not asked here, so that a foreign one looks like a missing one.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRng as _;
use rand::rngs::SysRng;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use super::glob::Glob;
pub use super::rights::{Caps, Rights, Scope};
use crate::types::secret::Secret;
use crate::types::target::{AccountId, BadName, Kind};

/// Every key begins so, which lets people and leak scanners know one when they see it.
pub const KEY_PREFIX: &str = "vodrm_";
/// Random bytes in a key.
const KEY_BYTES: usize = 32;
/// Whoever calls while no callers are configured.
pub const ANONYMOUS: &str = "anonymous";

/// Who calls, and what it may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The configured name; it stands in deletions and logs.
    pub name: String,
    /// What it may do.
    pub rights: Rights,
    /// The accounts it may touch.
    pub accounts: Vec<Glob>,
    /// How much it may delete.
    pub caps: Caps,
}

impl Caller {
    /// One who may do everything everywhere.
    #[must_use]
    pub fn unlimited(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rights: Rights::everything(),
            accounts: Glob::parse("*").into_iter().collect(),
            caps: Caps::default(),
        }
    }

    /// Whether the account exists for this caller at all.
    #[must_use]
    pub fn sees(&self, account: &AccountId) -> bool {
        self.accounts.iter().any(|glob| glob.matches(account.as_str()))
    }

    /// Whether every account exists for it, also those of other times.
    #[must_use]
    pub fn sees_all(&self) -> bool {
        self.accounts.iter().any(Glob::is_everything)
    }

    /// Whether it has this right anywhere.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.rights.has(scope)
    }

    /// Whether it may delete this kind, on the accounts that it sees.
    #[must_use]
    pub fn may_delete(&self, kind: Kind) -> bool {
        self.rights.may_delete(kind)
    }

    /// Whether it has this right on this account.
    #[must_use]
    pub fn may(&self, scope: Scope, account: &AccountId) -> bool {
        self.has(scope) && self.sees(account)
    }
}

/// Checks a caller's name: the same alphabet as an account's.
pub fn caller_name(text: &str) -> Result<String, BadName> {
    AccountId::parse(text).map(String::from)
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// The digest of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key.as_bytes()).into())
    }

    /// Reads 64 hex characters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[digest]")
    }
}

/// A new key, to be shown once.
#[derive(Debug)]
pub struct NewKey {
    /// The key itself.
    pub key: Secret,
    /// What the configuration holds of it.
    pub digest: KeyDigest,
}

impl NewKey {
    /// Makes a key from the operating system's randomness; fails if that does.
    pub fn generate() -> Result<Self, rand::rngs::SysError> {
        let mut bytes = zeroize::Zeroizing::new([0; KEY_BYTES]);
        SysRng.try_fill_bytes(bytes.as_mut_slice())?;
        let key = format!("{KEY_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice()));
        let digest = KeyDigest::of(&key);
        Ok(Self { key: key.into(), digest })
    }
}

/// All who may call.
#[derive(Debug, Clone)]
pub struct Callers {
    known: Arc<[Arc<Caller>]>,
    /// Each known digest, and whose it is.
    keys: Arc<[(KeyDigest, u32)]>,
    /// The issuer whose tokens may name a caller, by the caller's name.
    vouched: Arc<BTreeMap<String, String>>,
    open: bool,
}

impl Callers {
    /// These callers with their keys.
    #[must_use]
    pub fn new(known: impl IntoIterator<Item = (Caller, Vec<KeyDigest>)>) -> Self {
        let (mut callers, mut keys) = (Vec::new(), Vec::new());
        for ((caller, digests), place) in known.into_iter().zip(0..) {
            callers.push(Arc::new(caller));
            keys.extend(digests.into_iter().map(|digest| (digest, place)));
        }
        Self { known: callers.into(), keys: keys.into(), vouched: Arc::default(), open: false }
    }

    /// The same, with the issuers that may vouch for a caller: pairs of names. Nobody else's
    /// token can name it, so a caller that has only a key cannot be claimed by an issuer.
    #[must_use]
    pub fn vouched_by(mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        self.vouched = Arc::new(pairs.into_iter().collect());
        self
    }

    /// The caller that a good token of this issuer names.
    #[must_use]
    pub fn named_by(&self, issuer: &str, name: &str) -> Option<&Arc<Caller>> {
        self.vouched.get(name).filter(|voucher| *voucher == issuer)?;
        self.known.iter().find(|caller| caller.name == name)
    }

    /// No callers are configured: everybody is `anonymous` and may do all. Only
    /// for a server that nobody but this machine reaches; settings see to that.
    #[must_use]
    pub fn open() -> Self {
        let anonymous = Caller::unlimited(ANONYMOUS);
        Self { known: [Arc::new(anonymous)].into(), keys: [].into(), vouched: Arc::default(), open: true }
    }

    /// Whether everybody may.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Who has no key: `anonymous` while no callers are configured, else nobody.
    #[must_use]
    pub fn without_key(&self) -> Option<&Arc<Caller>> {
        self.known.first().filter(|_| self.open)
    }

    /// Whose key this is. How long it takes does not tell how much of it is right:
    /// digests are compared, in constant time, and with every known one.
    #[must_use]
    pub fn authenticate(&self, bearer: &str) -> Option<&Arc<Caller>> {
        if self.open {
            return self.without_key();
        }
        let presented = KeyDigest::of(bearer);
        // One past the last caller means nobody.
        let mut place = u32::MAX;
        for (digest, owner) in self.keys.iter() {
            place.conditional_assign(owner, digest.0.ct_eq(&presented.0));
        }
        self.known.get(usize::try_from(place).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str, glob: &str) -> Caller {
        let accounts = vec![Glob::parse(glob).unwrap()];
        Caller { name: name.into(), rights: Rights::of([Scope::Read]), accounts, caps: Caps::default() }
    }

    #[test]
    fn a_new_key_is_recognized_and_no_other() {
        let (old, new, other) =
            (NewKey::generate().unwrap(), NewKey::generate().unwrap(), NewKey::generate().unwrap());
        let callers = Callers::new([
            (caller("cms", "*"), vec![old.digest, new.digest]),
            (caller("ops", "*"), vec![other.digest]),
        ]);
        let name = |key: &str| callers.authenticate(key).map(|caller| caller.name.clone());
        assert_eq!(name(old.key.expose()).as_deref(), Some("cms"));
        assert_eq!(name(new.key.expose()).as_deref(), Some("cms"));
        assert_eq!(name(other.key.expose()).as_deref(), Some("ops"));
        for wrong in ["", "vodrm_", &old.digest.to_string(), &old.key.expose().to_lowercase()] {
            assert_eq!(name(wrong), None);
        }
        assert!(callers.without_key().is_none());
    }

    #[test]
    fn a_token_names_only_who_says_so() {
        let callers = Callers::new([(caller("cms", "*"), vec![]), (caller("ops", "*"), vec![])])
            .vouched_by([("cms".to_owned(), "corp".to_owned())]);
        assert_eq!(callers.named_by("corp", "cms").unwrap().name, "cms");
        for (issuer, name) in [("corp", "ops"), ("other", "cms"), ("", "ops"), ("corp", ""), ("corp", "who")]
        {
            assert!(callers.named_by(issuer, name).is_none(), "{issuer} {name}");
        }
        assert!(Callers::open().named_by("corp", ANONYMOUS).is_none());
    }

    #[test]
    fn a_key_has_its_form_and_its_digest_reads_back() {
        let made = NewKey::generate().unwrap();
        let random = made.key.expose().strip_prefix(KEY_PREFIX).unwrap().to_owned();
        assert_eq!(random.len(), 43);
        assert!(random.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(KeyDigest::parse(&made.digest.to_string()), Some(made.digest));
        assert_eq!(KeyDigest::parse(&made.digest.to_string().to_uppercase()), Some(made.digest));
        assert_ne!(NewKey::generate().unwrap().digest, made.digest);
        assert!(!format!("{made:?}").contains(&random));
        for bad in ["", "zz", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64)] {
            assert_eq!(KeyDigest::parse(bad), None);
        }
    }

    #[test]
    fn a_caller_may_only_where_it_sees() {
        let caller = caller("cms", "media-*");
        let (own, foreign) = (AccountId::parse("media-cn").unwrap(), AccountId::parse("other").unwrap());
        assert!(caller.may(Scope::Read, &own) && !caller.may(Scope::Delete, &own));
        assert!(!caller.sees(&foreign) && !caller.may(Scope::Read, &foreign));
    }

    #[test]
    fn without_callers_everybody_is_anonymous() {
        let open = Callers::open();
        let anyone = open.without_key().unwrap();
        assert_eq!(anyone.name, ANONYMOUS);
        let any = AccountId::parse("any").unwrap();
        assert!(Scope::ALL.iter().all(|scope| anyone.may(*scope, &any)));
        assert!(Kind::ALL.iter().all(|kind| anyone.may_delete(*kind)));
        assert_eq!(anyone.caps, Caps::default());
        assert_eq!(open.authenticate("whatever").unwrap(), anyone);
        assert!(Callers::new([]).authenticate("").is_none());
    }
}
