//! What Alibaba's requests say: the operations by name and their parameters.
//!
//! `ask` turns a `Call` into one request and notes beside it what the answer
//! will call each entry, so that `outcome.rs` needs no vendor spelling. It is the
//! last place that can stop a wrong delete: entries that may not travel together
//! are refused here, not sent. Its own file because every parameter of every
//! operation stands in it; answers are read in `answer.rs` and `reads.rs`.

use crate::providers::{Call, Entry};
use crate::types::deletion::PartName;
use crate::types::target::{MediaId, Name, SnapshotType, What};

/// The operations, each spelled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    DeleteVideo,
    DeleteStream,
    DeleteMezzanines,
    DeleteImage,
    DeleteAttachedMedia,
    GetVideoInfos,
    BatchGetMediaInfos,
    GetPlayInfo,
    GetMezzanineInfo,
    GetImageInfos,
    GetAttachedMediaInfo,
    ListSnapshots,
}

impl Action {
    pub(super) const ALL: [Action; 12] = [
        Action::DeleteVideo,
        Action::DeleteStream,
        Action::DeleteMezzanines,
        Action::DeleteImage,
        Action::DeleteAttachedMedia,
        Action::GetVideoInfos,
        Action::BatchGetMediaInfos,
        Action::GetPlayInfo,
        Action::GetMezzanineInfo,
        Action::GetImageInfos,
        Action::GetAttachedMediaInfo,
        Action::ListSnapshots,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Action::DeleteVideo => "DeleteVideo",
            Action::DeleteStream => "DeleteStream",
            Action::DeleteMezzanines => "DeleteMezzanines",
            Action::DeleteImage => "DeleteImage",
            Action::DeleteAttachedMedia => "DeleteAttachedMedia",
            Action::GetVideoInfos => "GetVideoInfos",
            Action::BatchGetMediaInfos => "BatchGetMediaInfos",
            Action::GetPlayInfo => "GetPlayInfo",
            Action::GetMezzanineInfo => "GetMezzanineInfo",
            Action::GetImageInfos => "GetImageInfos",
            Action::GetAttachedMediaInfo => "GetAttachedMediaInfo",
            Action::ListSnapshots => "ListSnapshots",
        }
    }

    pub(super) const fn deletes(self) -> bool {
        matches!(
            self,
            Action::DeleteVideo
                | Action::DeleteStream
                | Action::DeleteMezzanines
                | Action::DeleteImage
                | Action::DeleteAttachedMedia
        )
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }
}

/// One request, and what its answer will call each entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) action: Action,
    /// The parameters, not encoded.
    pub(super) parameters: Vec<(&'static str, String)>,
    /// One per entry, in order: the id, reference id or URL that stands for it.
    pub(super) keys: Vec<String>,
    /// Things that the request is about: ids, jobs or types, each counted once.
    pub(super) things: usize,
    /// Sources go even where playback needs them.
    pub(super) force: bool,
    /// The keys are reference ids.
    pub(super) by_reference: bool,
}

/// Why a call is not sent. Each of these is a mistake of ours, not of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unfit {
    #[error("the operation is none of this provider's")]
    UnknownOperation,
    #[error("the call has no entry")]
    Empty,
    #[error("an entry has no name that this operation takes")]
    NoName,
    #[error("an entry has no part that this operation takes")]
    NoPart,
    #[error("entries that may not share a call are in one")]
    Mixed,
}

/// The request of a call.
pub(super) fn ask(call: &Call) -> Result<Ask, Unfit> {
    let action = Action::named(call.operation.name).ok_or(Unfit::UnknownOperation)?;
    let entries = call.entries.as_slice();
    let first = entries.first().ok_or(Unfit::Empty)?;
    if entries.iter().any(|entry| !fits(action, &entry.target.what)) {
        return Err(Unfit::Mixed);
    }
    // Alibaba: lists are one string, comma separated, without spaces; section 1.
    match action {
        Action::DeleteVideo => Ok(by_list(action, "VideoIds", ids(entries)?)),
        Action::DeleteMezzanines => delete_sources(entries, first),
        Action::DeleteStream => delete_streams(entries),
        Action::DeleteImage => delete_images(entries, first),
        Action::DeleteAttachedMedia | Action::GetAttachedMediaInfo => {
            Ok(by_list(action, "MediaIds", ids(entries)?))
        }
        Action::GetVideoInfos => by_either(action, "VideoIds", "ReferenceIds", entries),
        Action::BatchGetMediaInfos => by_either(action, "MediaIds", "ReferenceIds", entries),
        Action::GetPlayInfo => {
            let mut ask = single(by_either(action, "VideoId", "ReferenceId", entries)?)?;
            // The default, Single, hides older duplicates, which would survive a delete; section 4.
            ask.parameters.push(("ResultType", "Multiple".into()));
            Ok(ask)
        }
        Action::GetMezzanineInfo => single(by_either(action, "VideoId", "ReferenceId", entries)?),
        Action::GetImageInfos => Ok(by_list(action, "ImageIds", ids(entries)?)),
        Action::ListSnapshots => list_snapshots(entries),
    }
}

/// The type of snapshots that a call of `ListSnapshots` asks for.
pub(super) fn snapshot_type(call: &Call) -> Option<SnapshotType> {
    call.entries.iter().flat_map(|entry| &entry.parts).find_map(|part| match part {
        PartName::Snapshots(kind) => Some(*kind),
        PartName::Asset
        | PartName::Source
        | PartName::Job(_)
        | PartName::Definition(_)
        | PartName::Rendition { .. }
        | PartName::AllSnapshots => None,
    })
}

/// Whether this is the delete for what was asked. `DeleteVideo` with an entry that asked
/// for less would take the whole asset.
fn fits(action: Action, what: &What) -> bool {
    match action {
        Action::DeleteVideo => *what == What::Media,
        Action::DeleteStream => matches!(what, What::Renditions(_)),
        Action::DeleteMezzanines => matches!(what, What::Source { .. }),
        Action::DeleteImage => matches!(what, What::Image | What::Snapshots(_)),
        Action::DeleteAttachedMedia => *what == What::AttachedMedia,
        Action::GetVideoInfos
        | Action::BatchGetMediaInfos
        | Action::GetPlayInfo
        | Action::GetMezzanineInfo
        | Action::GetImageInfos
        | Action::GetAttachedMediaInfo
        | Action::ListSnapshots => true,
    }
}

fn delete_sources(entries: &[Entry], first: &Entry) -> Result<Ask, Unfit> {
    let force = forced(first).ok_or(Unfit::NoPart)?;
    if entries.iter().any(|entry| forced(entry) != Some(force)) {
        return Err(Unfit::Mixed);
    }
    let mut ask = by_list(Action::DeleteMezzanines, "VideoIds", ids(entries)?);
    ask.force = force;
    ask.parameters.push(("Force", force.to_string()));
    Ok(ask)
}

fn delete_streams(entries: &[Entry]) -> Result<Ask, Unfit> {
    let keys = one_video(entries)?;
    let mut jobs = Vec::new();
    for entry in entries {
        let mut own = 0;
        for part in &entry.parts {
            let PartName::Job(job) = part else { return Err(Unfit::NoPart) };
            own += 1;
            jobs.push(job.as_str());
        }
        if own == 0 {
            return Err(Unfit::NoPart);
        }
    }
    let (list, things) = joined(jobs);
    let video = keys.first().cloned().ok_or(Unfit::Empty)?;
    let parameters = vec![("VideoId", video), ("JobIds", list)];
    Ok(Ask { action: Action::DeleteStream, parameters, keys, things, force: false, by_reference: false })
}

fn delete_images(entries: &[Entry], first: &Entry) -> Result<Ask, Unfit> {
    let form = |entry: &Entry| (entry.target.what == What::Image, matches!(entry.target.name, Name::Url(_)));
    if entries.iter().any(|entry| form(entry) != form(first)) {
        return Err(Unfit::Mixed);
    }
    match form(first) {
        (false, _) => delete_snapshots(entries),
        (true, false) => Ok(image_form("ImageId", by_list(Action::DeleteImage, "ImageIds", ids(entries)?))),
        (true, true) => {
            let urls = entries.iter().map(|entry| entry.target.name.as_str().to_owned()).collect();
            Ok(image_form("ImageURL", by_list(Action::DeleteImage, "ImageURLs", urls)))
        }
    }
}

fn delete_snapshots(entries: &[Entry]) -> Result<Ask, Unfit> {
    let keys = one_video(entries)?;
    let (mut types, mut all) = (Vec::new(), false);
    for entry in entries {
        if entry.parts.is_empty() {
            return Err(Unfit::NoPart);
        }
        for part in &entry.parts {
            match part {
                PartName::AllSnapshots => all = true,
                PartName::Snapshots(kind) => types.push(image_type(*kind)),
                PartName::Asset
                | PartName::Source
                | PartName::Job(_)
                | PartName::Definition(_)
                | PartName::Rendition { .. } => return Err(Unfit::NoPart),
            }
        }
    }
    // Alibaba: `All` stands alone; DeleteImage page. It is said only where an entry asked for all.
    let (list, things) = if all { ("All".to_owned(), 1) } else { joined(types) };
    let video = keys.first().cloned().ok_or(Unfit::Empty)?;
    let parameters = vec![("VideoId", video), ("ImageType", list)];
    Ok(image_form(
        "VideoId",
        Ask { action: Action::DeleteImage, parameters, keys, things, force: false, by_reference: false },
    ))
}

fn image_form(form: &str, mut ask: Ask) -> Ask {
    ask.parameters.push(("DeleteImageType", form.to_owned()));
    ask
}

fn list_snapshots(entries: &[Entry]) -> Result<Ask, Unfit> {
    let keys = one_video(entries)?;
    let mut types = entries.iter().flat_map(|entry| &entry.parts).map(|part| match part {
        PartName::Snapshots(kind) => Ok(image_type(*kind)),
        PartName::Asset
        | PartName::Source
        | PartName::Job(_)
        | PartName::Definition(_)
        | PartName::Rendition { .. }
        | PartName::AllSnapshots => Err(Unfit::NoPart),
    });
    let kind = types.next().ok_or(Unfit::NoPart)??;
    if types.any(|other| other != Ok(kind)) {
        return Err(Unfit::Mixed);
    }
    let video = keys.first().cloned().ok_or(Unfit::Empty)?;
    // Alibaba: 20 a page unless asked, at most 100; ListSnapshots page.
    let parameters =
        vec![("VideoId", video), ("SnapshotType", kind.to_owned()), ("PageSize", "100".to_owned())];
    Ok(Ask { action: Action::ListSnapshots, parameters, keys, things: 1, force: false, by_reference: false })
}

/// Alibaba: which of id and reference id wins is not documented, so one form only is sent.
fn by_either(
    action: Action,
    by_id: &'static str,
    by_reference: &'static str,
    entries: &[Entry],
) -> Result<Ask, Unfit> {
    let known = entries.iter().filter(|entry| entry.media_id().is_some()).count();
    if known == entries.len() {
        return Ok(by_list(action, by_id, ids(entries)?));
    }
    if known > 0 {
        return Err(Unfit::Mixed);
    }
    let reference = |entry: &Entry| match &entry.target.name {
        Name::Reference(id) => Ok(id.as_str().to_owned()),
        Name::Id(_) | Name::Url(_) => Err(Unfit::NoName),
    };
    let mut ask = by_list(action, by_reference, entries.iter().map(reference).collect::<Result<_, _>>()?);
    ask.by_reference = true;
    Ok(ask)
}

fn by_list(action: Action, parameter: &'static str, keys: Vec<String>) -> Ask {
    let (list, things) = joined(keys.iter().map(String::as_str).collect());
    Ask { action, parameters: vec![(parameter, list)], keys, things, force: false, by_reference: false }
}

fn single(ask: Ask) -> Result<Ask, Unfit> {
    if ask.things == 1 { Ok(ask) } else { Err(Unfit::Mixed) }
}

/// The vendor's ids. A reference id never stands here: it is resolved first, because
/// it could come to mean another asset between two tries.
fn ids(entries: &[Entry]) -> Result<Vec<String>, Unfit> {
    let id = |entry: &Entry| entry.media_id().map(|id: &MediaId| id.as_str().to_owned());
    entries.iter().map(|entry| id(entry).ok_or(Unfit::NoName)).collect()
}

fn one_video(entries: &[Entry]) -> Result<Vec<String>, Unfit> {
    let keys = ids(entries)?;
    if keys.windows(2).any(|pair| pair.first() != pair.last()) {
        return Err(Unfit::Mixed);
    }
    Ok(keys)
}

/// Each once, in the order first seen. Alibaba: what duplicates do is not documented.
fn joined(names: Vec<&str>) -> (String, usize) {
    let mut once: Vec<&str> = Vec::with_capacity(names.len());
    for name in names {
        if !once.contains(&name) {
            once.push(name);
        }
    }
    (once.join(","), once.len())
}

fn forced(entry: &Entry) -> Option<bool> {
    match entry.target.what {
        What::Source { force } => Some(force),
        What::Media | What::Renditions(_) | What::Snapshots(_) | What::Image | What::AttachedMedia => None,
    }
}

fn image_type(kind: SnapshotType) -> &'static str {
    match kind {
        SnapshotType::Cover => "CoverSnapshot",
        SnapshotType::Normal => "NormalSnapshot",
        SnapshotType::Sprite => "SpriteSnapshot",
        SnapshotType::SpriteOrigin => "SpriteOriginSnapshot",
    }
}
