//! What stands at the vendor, as it told us.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::words::{FamilyWord, SnapshotWord};
use crate::types::asset::{Facts, Source};
use crate::types::target::{AccountId, Family, SnapshotType};

/// The uploaded source of an asset.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = SourceFile)]
pub struct SourceBody {
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Container format.
    #[schema(required = true)]
    pub format: Option<String>,
    /// Where it plays.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// One playable output.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Rendition)]
pub struct RenditionBody {
    /// Name or template number.
    #[schema(required = true)]
    pub definition: Option<String>,
    /// The family, where the vendor has families.
    #[schema(value_type = Option<FamilyWord>, required = true)]
    pub family: Option<&'static str>,
    /// The vendor's job id, where it has one.
    #[schema(required = true)]
    pub job_id: Option<String>,
    /// Container format.
    #[schema(required = true)]
    pub format: Option<String>,
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Where it plays.
    #[schema(required = true)]
    pub url: Option<String>,
}

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Snapshot)]
pub struct SnapshotBody {
    /// Its type, where it is one that can be selected.
    #[serde(rename = "type")]
    #[schema(value_type = Option<SnapshotWord>, required = true)]
    pub kind: Option<&'static str>,
    /// Where it is.
    pub url: String,
}

/// What stands at the vendor.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Media)]
pub struct MediaBody {
    /// The vendor's id.
    pub id: String,
    /// The account.
    pub account: String,
    /// Title.
    #[schema(required = true)]
    pub title: Option<String>,
    /// The vendor's word for its state.
    #[schema(required = true)]
    pub status: Option<String>,
    /// When it was made.
    #[schema(value_type = Option<String>, format = DateTime, required = true)]
    pub created_at: Option<String>,
    /// Bytes.
    #[schema(required = true)]
    pub size_bytes: Option<u64>,
    /// Seconds.
    #[schema(required = true)]
    pub duration_s: Option<f64>,
    /// The uploaded source; null if it is gone or the vendor did not tell.
    #[schema(required = true)]
    pub source: Option<SourceBody>,
    /// Its playable outputs; null if the vendor did not tell.
    #[schema(required = true)]
    pub renditions: Option<Vec<RenditionBody>>,
    /// Its snapshots; null if the vendor did not tell.
    #[schema(required = true)]
    pub snapshots: Option<Vec<SnapshotBody>>,
    /// Whether it is under a hold.
    pub held: bool,
}

impl MediaBody {
    /// What a vendor told of an asset.
    #[must_use]
    pub fn new(account: &AccountId, id: &str, facts: Facts, held: bool) -> Self {
        Self {
            held,
            id: id.to_owned(),
            account: account.to_string(),
            title: facts.title,
            status: facts.status,
            created_at: facts.created_at.map(|at| at.to_string()),
            size_bytes: facts.size_bytes,
            duration_s: facts.duration_s,
            source: match facts.source {
                Some(Source::Stands(file)) => {
                    Some(SourceBody { size_bytes: file.size_bytes, format: file.format, url: file.url })
                }
                Some(Source::Gone) | None => None,
            },
            renditions: facts.renditions.map(|list| {
                list.into_iter()
                    .map(|rendition| RenditionBody {
                        definition: rendition.definition,
                        family: rendition.family.map(Family::as_str),
                        job_id: rendition.job_id,
                        format: rendition.format,
                        size_bytes: rendition.size_bytes,
                        url: rendition.url,
                    })
                    .collect()
            }),
            snapshots: facts.snapshots.map(|list| {
                list.into_iter()
                    .map(|snapshot| SnapshotBody {
                        kind: snapshot.kind.map(SnapshotType::as_str),
                        url: snapshot.url,
                    })
                    .collect()
            }),
        }
    }
}
