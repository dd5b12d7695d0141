//! The switches of this simulator: what the vendor's page leaves open, and the keys that exist.
//!
//! Its own file because tests and the control endpoint name these switches; each says which open question it
//! stands for. Keys are switches too, so that a secret can be rotated or a token withdrawn at run time.
//!
//! Does not know requests. Limits, the clock and `fast` are switches of the kit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::seed;

/// One key that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The `SecretKey`.
    pub secret_key: String,
    /// Set for temporary keys: the session token that must come along.
    #[serde(default)]
    pub token: Option<String>,
    /// When the token stops working; never, if absent.
    #[serde(default)]
    pub expires_at: Option<jiff::Timestamp>,
    /// The root account or sub-account that signs: limits are counted by it.
    pub account: String,
}

/// What the not-found answer of `DeleteMedia` is called (open question 2: three codes are plausible).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum NotFoundCode {
    /// Documented on the `DeleteMedia` page.
    #[default]
    ResourceNotFound,
    /// In the shared VOD list.
    #[serde(rename = "ResourceNotFound.FileNotExist")]
    FileNotExist,
    /// In the shared VOD list; its text says that the `FileId` does not exist.
    #[serde(rename = "InvalidParameterValue.FileId")]
    FileId,
}

impl NotFoundCode {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::ResourceNotFound => "ResourceNotFound",
            Self::FileNotExist => "ResourceNotFound.FileNotExist",
            Self::FileId => "InvalidParameterValue.FileId",
        }
    }
}

/// What a second delete of the same file answers (open question 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondDelete {
    /// The not-found code.
    #[default]
    Error,
    /// Success, without effect.
    Ok,
}

/// What deleting a part that is not there answers (section 3.1: undocumented).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AbsentPart {
    /// Success; the parts that are there are deleted.
    #[default]
    #[serde(rename = "ok")]
    Ok,
    /// An error, and nothing is deleted.
    ResourceNotFound,
}

/// What deleting a media answers while a task runs on it (open question 14: nothing is documented).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Busy {
    /// The delete goes through.
    #[default]
    #[serde(rename = "none")]
    None,
    /// From the common table.
    ResourceInUse,
    /// From the common table.
    ResourceUnavailable,
    /// From the VOD list.
    #[serde(rename = "FailedOperation.TaskDuplicate")]
    TaskDuplicate,
}

impl Busy {
    pub(super) fn code(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::ResourceInUse => Some("ResourceInUse"),
            Self::ResourceUnavailable => Some("ResourceUnavailable"),
            Self::TaskDuplicate => Some("FailedOperation.TaskDuplicate"),
        }
    }
}

/// What a `SubAppId` that the account does not own answers (section 3.2, inferred there).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum WrongSubAppId {
    /// Every file is unknown there.
    #[default]
    #[serde(rename = "not_found")]
    NotFound,
    /// "bad application ID".
    #[serde(rename = "InvalidParameterValue.SubAppId")]
    SubAppId,
    /// "not allowed by CAM, or other application".
    UnauthorizedOperation,
}

/// What answers a call over the limit (open question 12: which code stands for which dimension).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ThrottleCode {
    /// Action, access region and sub-account.
    #[default]
    RequestLimitExceeded,
    /// Root account.
    #[serde(rename = "RequestLimitExceeded.UinLimitExceeded")]
    Uin,
    /// Root account, all regions together.
    #[serde(rename = "RequestLimitExceeded.GlobalRegionUinLimitExceeded")]
    GlobalRegionUin,
    /// Source address.
    #[serde(rename = "RequestLimitExceeded.IPLimitExceeded")]
    Ip,
}

impl ThrottleCode {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::RequestLimitExceeded => "RequestLimitExceeded",
            Self::Uin => "RequestLimitExceeded.UinLimitExceeded",
            Self::GlobalRegionUin => "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
            Self::Ip => "RequestLimitExceeded.IPLimitExceeded",
        }
    }
}

/// What a parameter given as JSON `null` means. The page: every official SDK strips nulls, so nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nulls {
    /// A wrong type.
    #[default]
    Refuse,
    /// The same as leaving it out.
    Absent,
}

/// All switches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// The code for a file that is not there.
    pub not_found_code: NotFoundCode,
    /// A delete of a file that was deleted before.
    pub second_delete: SecondDelete,
    /// A delete of a part that is not there.
    pub absent_part: AbsentPart,
    /// Reads show deleted things for this long (open question 3: physical removal may come later).
    pub read_delay_ms: u32,
    /// A delete of a file that is being processed.
    pub busy: Busy,
    /// The account was opened on or after 2023-12-25: every call needs its `SubAppId`.
    pub sub_app_id_mandatory: bool,
    /// A call with a `SubAppId` that is not the account's.
    pub wrong_sub_app_id: WrongSubAppId,
    /// A call over the limit.
    pub throttle_code: ThrottleCode,
    /// JSON `null` as a parameter.
    pub nulls: Nulls,
    /// The three `MpsAi` part types are known (open question 6: older accounts may reject them).
    pub mps_parts: bool,
    /// How many ordinary videos follow the seeded ones, now and at every reset: `seed::video(VIDEOS..)`.
    pub bulk_media: u32,
    /// Every key that signs, by `SecretId`. Naming this switch replaces all keys.
    pub keys: BTreeMap<String, Key>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            not_found_code: NotFoundCode::default(),
            second_delete: SecondDelete::default(),
            absent_part: AbsentPart::default(),
            read_delay_ms: 0,
            busy: Busy::default(),
            sub_app_id_mandatory: false,
            wrong_sub_app_id: WrongSubAppId::default(),
            throttle_code: ThrottleCode::default(),
            nulls: Nulls::default(),
            mps_parts: true,
            bulk_media: 0,
            keys: seed::keys(),
        }
    }
}
