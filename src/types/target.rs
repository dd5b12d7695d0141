//! Names of accounts and assets, and the normalized target.
//!
//! A name is parsed once and is then known to be safe to put into a vendor
//! request, a log line or a URL path: the alphabets below hold no separator of
//! any of them. Its own file because every layer names targets and nothing here
//! needs another layer. What a provider can serve of it is not known here.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest id, reference id and account name.
pub const MAX_NAME_LEN: usize = 64;
/// Shortest reference id (Alibaba: 6 to 64 characters; vendor page section 3).
pub const MIN_REFERENCE_LEN: usize = 6;
/// Longest image URL.
pub const MAX_URL_LEN: usize = 2_048;
/// Longest caller's label on a target.
pub const MAX_REF_LEN: usize = 128;
/// Most definitions or job ids in one target.
pub const MAX_SELECTORS: usize = 100;
/// Longest definition or job id.
pub const MAX_SELECTOR_LEN: usize = 64;

/// Why a piece of text is not the name it should be. The text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadName(pub String);

fn is_id_text(text: &str, shortest: usize) -> bool {
    (shortest..=MAX_NAME_LEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }
    };
}

text_type! {
    /// A configured account, such as `media-cn`.
    AccountId
}
text_type! {
    /// The vendor's own id of an asset: 1 to 64 of `A-Z a-z 0-9 _ -`.
    MediaId
}
text_type! {
    /// The caller's own id of an asset (Alibaba only): 6 to 64 of the same characters.
    ReferenceId
}
text_type! {
    /// The URL of an image: http or https, commas percent-encoded.
    ImageUrl
}
text_type! {
    /// A rendition's definition, template number or job id: 1 to 64 visible characters without a comma.
    Selector
}
text_type! {
    /// A vendor action, such as `DeleteVideo`. One list of them per provider.
    OperationName
}

impl AccountId {
    /// Parses an account's name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if is_id_text(text, 1) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(format!("must be 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 _ -")))
        }
    }
}

impl MediaId {
    /// Parses a vendor's id of an asset.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if is_id_text(text, 1) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(format!("must be 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 _ -")))
        }
    }
}

impl ReferenceId {
    /// Parses a caller's id of an asset.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if is_id_text(text, MIN_REFERENCE_LEN) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(format!("must be {MIN_REFERENCE_LEN} to {MAX_NAME_LEN} of A-Z a-z 0-9 _ -")))
        }
    }
}

impl ImageUrl {
    /// Parses an image's URL. A bare comma is refused because the vendor splits its list there.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if text.len() > MAX_URL_LEN {
            return Err(BadName(format!("must be at most {MAX_URL_LEN} characters")));
        }
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        if host.is_empty() {
            return Err(BadName("must be an http:// or https:// URL with a host".to_owned()));
        }
        if text.contains(',') {
            return Err(BadName("must have its commas percent-encoded as %2C".to_owned()));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadName("must be percent-encoded: only visible ASCII characters".to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl Selector {
    /// Parses one definition, template number or job id.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let fits = (1..=MAX_SELECTOR_LEN).contains(&text.len());
        if fits && text.bytes().all(|b| b.is_ascii_graphic() && b != b',') {
            Ok(Self(text.into()))
        } else {
            Err(BadName(format!("must be 1 to {MAX_SELECTOR_LEN} visible characters without a comma")))
        }
    }
}

impl OperationName {
    /// Parses an action's name.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        if is_id_text(text, 1) {
            Ok(Self(text.into()))
        } else {
            Err(BadName(format!("must be 1 to {MAX_NAME_LEN} of A-Z a-z 0-9 _ -")))
        }
    }

    /// A name that a provider's own table spells.
    #[must_use]
    pub fn known(text: &'static str) -> Self {
        Self(text.into())
    }
}

/// What can be deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An asset and everything made from it.
    Media,
    /// Only the uploaded source.
    Source,
    /// Only renditions.
    Renditions,
    /// Only snapshots.
    Snapshots,
    /// An uploaded image.
    Image,
    /// An auxiliary asset.
    AttachedMedia,
}

impl Kind {
    /// All kinds, in the order of the contract.
    pub const ALL: [Kind; 6] =
        [Kind::Media, Kind::Source, Kind::Renditions, Kind::Snapshots, Kind::Image, Kind::AttachedMedia];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Media => "media",
            Kind::Source => "source",
            Kind::Renditions => "renditions",
            Kind::Snapshots => "snapshots",
            Kind::Image => "image",
            Kind::AttachedMedia => "attached_media",
        }
    }

    /// The kind that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// How a target names its asset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// By the vendor's id.
    Id(MediaId),
    /// By the caller's own id.
    Reference(ReferenceId),
    /// By URL (images).
    Url(ImageUrl),
}

impl Name {
    /// The text of the name, whatever its form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Name::Id(id) => id.as_str(),
            Name::Reference(id) => id.as_str(),
            Name::Url(url) => url.as_str(),
        }
    }

    /// The contract's word for the form: `id`, `reference_id` or `url`.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Name::Id(_) => "id",
            Name::Reference(_) => "reference_id",
            Name::Url(_) => "url",
        }
    }

    /// Reads a name of the given form.
    pub fn parse(form: &str, text: &str) -> Result<Self, BadName> {
        match form {
            "id" => MediaId::parse(text).map(Name::Id),
            "reference_id" => ReferenceId::parse(text).map(Name::Reference),
            "url" => ImageUrl::parse(text).map(Name::Url),
            other => Err(BadName(format!("unknown form of name `{other}`"))),
        }
    }
}

/// A family of renditions (Tencent's part types).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Transcoded outputs.
    Transcode,
    /// Adaptive bitrate outputs.
    Adaptive,
    /// `WeChat` publish copies.
    WechatPublish,
    /// `WeChat` mini-program copies.
    WechatMiniProgramPublish,
}

impl Family {
    /// All families, in the order of the contract.
    pub const ALL: [Family; 4] =
        [Family::Transcode, Family::Adaptive, Family::WechatPublish, Family::WechatMiniProgramPublish];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Family::Transcode => "transcode",
            Family::Adaptive => "adaptive",
            Family::WechatPublish => "wechat_publish",
            Family::WechatMiniProgramPublish => "wechat_mini_program_publish",
        }
    }

    /// The family that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.as_str() == text)
    }
}

/// A type of snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotType {
    /// The cover.
    Cover,
    /// Ordinary snapshots.
    Normal,
    /// Sprite sheets.
    Sprite,
    /// The frames that sprite sheets are made of.
    SpriteOrigin,
}

impl SnapshotType {
    /// All types, in the order of the contract.
    pub const ALL: [SnapshotType; 4] =
        [SnapshotType::Cover, SnapshotType::Normal, SnapshotType::Sprite, SnapshotType::SpriteOrigin];

    /// The word of the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SnapshotType::Cover => "cover",
            SnapshotType::Normal => "normal",
            SnapshotType::Sprite => "sprite",
            SnapshotType::SpriteOrigin => "sprite_origin",
        }
    }

    /// The type that a word of the contract names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Which renditions. `Some` with everything empty is never built: it would read as "everything".
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renditions {
    /// All of them, asked for by name (`all: true`).
    All,
    /// Those selected.
    Some {
        /// Names such as `HD` (Alibaba) or template numbers (Tencent).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        definitions: Vec<Selector>,
        /// The vendor's job ids (Alibaba).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        job_ids: Vec<Selector>,
        /// The family (Tencent); without definitions all of that family.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        family: Option<Family>,
    },
}

/// Which snapshots. The list is never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshots {
    /// All of them, asked for by name (`all: true`).
    All,
    /// Those of these types.
    Types(Vec<SnapshotType>),
}

/// What of the named asset is to go.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// All of it.
    Media,
    /// The source; `force` also where playback needs it.
    Source {
        /// Delete it even where it is the playback original.
        force: bool,
    },
    /// Renditions.
    Renditions(Renditions),
    /// Snapshots.
    Snapshots(Snapshots),
    /// The image.
    Image,
    /// The auxiliary asset.
    AttachedMedia,
}

/// One thing to delete, in the normalized schema.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// Where.
    pub account: AccountId,
    /// Which asset.
    pub name: Name,
    /// What of it.
    pub what: What,
}

impl Target {
    /// The contract's kind of this target.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.what {
            What::Media => Kind::Media,
            What::Source { .. } => Kind::Source,
            What::Renditions(_) => Kind::Renditions,
            What::Snapshots(_) => Kind::Snapshots,
            What::Image => Kind::Image,
            What::AttachedMedia => Kind::AttachedMedia,
        }
    }

    /// Two targets with equal identities are duplicates: same account, kind, name
    /// and selectors, in whatever order the selectors were given.
    #[must_use]
    pub fn identity(&self) -> Target {
        let mut same = self.clone();
        match &mut same.what {
            What::Renditions(Renditions::Some { definitions, job_ids, .. }) => {
                definitions.sort();
                job_ids.sort();
            }
            What::Snapshots(Snapshots::Types(types)) => types.sort(),
            What::Media
            | What::Source { .. }
            | What::Renditions(Renditions::All)
            | What::Snapshots(Snapshots::All)
            | What::Image
            | What::AttachedMedia => {}
        }
        same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_separator_of_a_vendor_request() {
        assert!(MediaId::parse("8bc8e94fe4e55abde857188bc8e94fe4").is_ok());
        for bad in ["", "a,b", "a b", "a/b", "a\n", "ä", &"x".repeat(65)] {
            assert!(MediaId::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(ReferenceId::parse("abcde").is_err());
        assert!(ReferenceId::parse("abcdef").is_ok());
    }

    #[test]
    fn an_image_url_has_a_host_and_no_bare_comma() {
        assert!(ImageUrl::parse("https://img.example.com/a%2Cb.png?x=1").is_ok());
        for bad in ["ftp://h/x", "https://", "https:///x", "http://h/a,b", "http://h/a b", "http://h/é"] {
            assert!(ImageUrl::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn the_order_of_selectors_does_not_make_another_target() {
        let target = |list: [&str; 2]| Target {
            account: AccountId::parse("a").unwrap(),
            name: Name::parse("id", "v1").unwrap(),
            what: What::Renditions(Renditions::Some {
                definitions: list.iter().map(|d| Selector::parse(d).unwrap()).collect(),
                job_ids: vec![],
                family: None,
            }),
        };
        assert_ne!(target(["HD", "SD"]), target(["SD", "HD"]));
        assert_eq!(target(["HD", "SD"]).identity(), target(["SD", "HD"]).identity());
    }
}
