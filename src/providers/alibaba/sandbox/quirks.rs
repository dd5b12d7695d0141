//! The switches for everything the vendor's pages leave open or print in two ways.
//!
//! Its own file so that the list of open questions can be read in one place. The defaults are
//! the declared types (SDK models) and the stricter reading; every other value is one that some
//! page or sample shows. Only values are here; what they change is where the call is answered.

use serde::{Deserialize, Serialize};

use super::seed;

/// How lists of ids are written in answers (contract page, section 3: declared as arrays, printed
/// in samples as bare strings and as arrays that hold JSON text).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdLists {
    /// `["a", "b"]`
    #[default]
    Array,
    /// `"a"` for one id, an array for more.
    BareString,
    /// `"a,b"`
    CommaString,
    /// `["[\"a\",\"b\"]"]`
    JsonInArray,
    /// `"[\"a\",\"b\"]"`
    JsonString,
}

/// Whether a list without ids is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyLists {
    /// As an empty list (in the encoding of [`IdLists`]).
    #[default]
    Empty,
    Omit,
    Null,
}

/// What a batch with a busy video (`Transcoding`) among others comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BusyInBatch {
    /// The whole call is `Forbidden.IllegalStatus` and nothing is deleted.
    #[default]
    RefuseCall,
    /// The busy id is listed as forbidden, the others are deleted. A call for one id alone is
    /// still refused.
    List,
}

/// What one missing stream or image among good ones comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BadUnit {
    /// 404 and nothing is deleted.
    #[default]
    Atomic,
    /// The good ones are deleted, and the answer is still 404.
    Partial,
}

/// What `GetMezzanineInfo` says of a source file that was deleted: both are on its page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeletedSource {
    /// 200 with `Status: Deleted`.
    #[default]
    Status,
    /// 404 `InvalidFile.NotFound`.
    NotFound,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quirks {
    pub id_lists: IdLists,
    pub empty_lists: EmptyLists,
    pub busy_in_batch: BusyInBatch,
    pub bad_unit: BadUnit,
    pub deleted_source: DeletedSource,
    /// HTTP status of "none of the videos exists": 404, or 400 as one sibling page prints.
    pub all_missing_status: u16,
    /// HTTP status of `Forbidden.IllegalStatus`: 403 on playback pages, 400 on processing pages.
    pub illegal_status: u16,
    /// HTTP status of STS token errors: found nowhere.
    pub sts_error_status: u16,
    /// Reads show the state before a delete for this long.
    pub visible_after_delete_ms: i64,
    /// All numbers of reads as strings, as some samples print them.
    pub numbers_as_strings: bool,
    /// Refuse V3 calls whose `SignedHeaders` leave out content-type or an x-acs header.
    pub strict_signed_headers: bool,
    /// The secret of [`seed::ACCESS_KEY_ID`], to be changed at run time.
    pub access_key_secret: String,
    /// Key ids that are unknown from now on.
    pub revoked_keys: Vec<String>,
    /// Key ids that are disabled from now on, beside [`seed::DISABLED_KEY_ID`].
    pub disabled_keys: Vec<String>,
    /// How many videos `seed::bulk(0..)` are added to the library, now and at every reset.
    pub bulk_videos: u32,
}

impl Default for Quirks {
    fn default() -> Self {
        Self {
            id_lists: IdLists::default(),
            empty_lists: EmptyLists::default(),
            busy_in_batch: BusyInBatch::default(),
            bad_unit: BadUnit::default(),
            deleted_source: DeletedSource::default(),
            all_missing_status: 404,
            illegal_status: 403,
            sts_error_status: 400,
            visible_after_delete_ms: 0,
            numbers_as_strings: false,
            strict_signed_headers: false,
            access_key_secret: seed::ACCESS_KEY_SECRET.to_owned(),
            revoked_keys: Vec::new(),
            disabled_keys: Vec::new(),
            bulk_videos: 0,
        }
    }
}

impl Quirks {
    /// Whether the switches can work together with a server and a bounded library.
    pub(super) fn check(&self) -> Result<(), String> {
        for (name, status) in [
            ("all_missing_status", self.all_missing_status),
            ("illegal_status", self.illegal_status),
            ("sts_error_status", self.sts_error_status),
        ] {
            if !(400..=599).contains(&status) {
                return Err(format!("{name} is not between 400 and 599"));
            }
        }
        if self.bulk_videos > seed::MAX_BULK {
            return Err(format!("bulk_videos is above {}", seed::MAX_BULK));
        }
        Ok(())
    }
}
