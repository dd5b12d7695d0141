//! What a vendor says of an asset, in one vocabulary.
//!
//! A provider's `wire.rs` turns each read into `Facts`; the decisions in
//! `dispatch/resolve.rs` and `dispatch/settle.rs` and the preview that callers
//! see are made from them. A field that a read does not tell stays `None`: "not
//! told" and "not there" must never be mixed up, because one of them proves
//! that something is gone. No vendor spelling stands here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::target::{Family, MediaId, SnapshotType};

/// Whether the asset stands, as far as one read can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It is there.
    Stands,
    /// It is not there.
    Missing,
    /// This read does not tell.
    Untold,
}

/// The class of an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Category {
    /// A video.
    Video,
    /// Audio only.
    Audio,
    /// A still image.
    Image,
    /// Something this version does not know.
    Other,
}

/// The uploaded source.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SourceFile {
    /// Bytes, where told.
    pub size_bytes: Option<u64>,
    /// Container format, where told.
    pub format: Option<String>,
    /// Where it plays, where told.
    pub url: Option<String>,
}

/// Whether the source stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Source {
    /// It is there.
    Stands(SourceFile),
    /// It was deleted or never came.
    Gone,
}

/// One playable output.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Rendition {
    /// Name or template number.
    pub definition: Option<String>,
    /// The family, where the vendor has families.
    pub family: Option<Family>,
    /// The vendor's job id, where it has one.
    pub job_id: Option<String>,
    /// Container format.
    pub format: Option<String>,
    /// Bytes.
    pub size_bytes: Option<u64>,
    /// Where it plays.
    pub url: Option<String>,
    /// It only lists other renditions and plays nothing without them.
    pub is_playlist: bool,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its type, where it is one of the contract's.
    pub kind: Option<SnapshotType>,
    /// Where it is.
    pub url: String,
}

/// What one read told of one asset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Whether it stands.
    pub standing: Standing,
    /// The vendor's id (a read by reference id learns it here).
    pub id: Option<MediaId>,
    /// Title.
    pub title: Option<String>,
    /// The vendor's word for its state.
    pub status: Option<String>,
    /// Whether playback is blocked, by whomever, where a provider can block it and this read tells.
    pub is_blocked: Option<bool>,
    /// Class.
    pub category: Option<Category>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Bytes.
    pub size_bytes: Option<u64>,
    /// Seconds.
    pub duration_s: Option<f64>,
    /// The source, where this read tells of it.
    pub source: Option<Source>,
    /// All renditions, where this read lists them.
    pub renditions: Option<Vec<Rendition>>,
    /// Snapshots of the types that this read was asked for.
    pub snapshots: Option<Vec<Snapshot>>,
}

impl Facts {
    /// A read that tells only this.
    #[must_use]
    pub fn only(standing: Standing) -> Self {
        Self {
            standing,
            id: None,
            title: None,
            status: None,
            is_blocked: None,
            category: None,
            created_at: None,
            size_bytes: None,
            duration_s: None,
            source: None,
            renditions: None,
            snapshots: None,
        }
    }

    /// Adds what another read of the same asset told. What was told first stays;
    /// snapshots add up, because each of their reads asks for one type.
    #[must_use]
    pub fn and(mut self, other: Facts) -> Facts {
        if self.standing == Standing::Untold {
            self.standing = other.standing;
        }
        self.id = self.id.or(other.id);
        self.title = self.title.or(other.title);
        self.status = self.status.or(other.status);
        self.is_blocked = self.is_blocked.or(other.is_blocked);
        self.category = self.category.or(other.category);
        self.created_at = self.created_at.or(other.created_at);
        self.size_bytes = self.size_bytes.or(other.size_bytes);
        self.duration_s = self.duration_s.or(other.duration_s);
        self.source = self.source.or(other.source);
        self.renditions = self.renditions.or(other.renditions);
        self.snapshots = match (self.snapshots, other.snapshots) {
            (Some(mut mine), Some(theirs)) => {
                mine.extend(theirs);
                Some(mine)
            }
            (mine, theirs) => mine.or(theirs),
        };
        self
    }
}
