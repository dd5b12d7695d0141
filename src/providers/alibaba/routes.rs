//! Which Alibaba operation serves a target, and what may share a call.
//!
//! Pure: decided from the target alone, before anything is sent. Its own file
//! because it is where the contract's kinds meet the vendor's operations. How an
//! operation is spelled is `wire.rs`' business.

use super::wire::Action;
use super::{
    BATCH_GET_MEDIA_INFOS, DELETE_ATTACHED_MEDIA, DELETE_IMAGE, DELETE_MEZZANINES, DELETE_STREAM,
    DELETE_VIDEO, GET_ATTACHED_MEDIA_INFO, GET_IMAGE_INFOS, GET_MEZZANINE_INFO, GET_PLAY_INFO,
    GET_VIDEO_INFOS, LIST_SNAPSHOTS,
};
use crate::providers::{Entry, Operation, ReadFirst, Refusal, Repeat, Route};
use crate::types::deletion::PartName;
use crate::types::effects::GoesWith;
use crate::types::target::{MediaId, Name, Renditions, Snapshots, Target, What};

/// URLs up to this length share a call: 20 of them, encoded, stay below the 8 KiB that
/// common gateways allow for a request line. Longer ones travel alone.
pub(super) const SHORT_URL: usize = 256;

/// How a target is served.
pub(super) fn route(target: &Target) -> Result<Route, Refusal> {
    match &target.what {
        What::Media => whole(target, &DELETE_VIDEO, &GET_VIDEO_INFOS, Repeat::Always, PartName::Asset),
        // Whether a new source can come under the same id is not documented, so a late repeat is not risked.
        What::Source { .. } => {
            whole(target, &DELETE_MEZZANINES, &GET_MEZZANINE_INFO, Repeat::Briefly, PartName::Source)
        }
        What::Renditions(which) => renditions(target, which),
        What::Snapshots(which) => {
            only_by_id(target)?;
            Ok(snapshots(which))
        }
        What::Image => match &target.name {
            // Alibaba: one missing image fails the call, and no page tells whether the others went
            // (DeleteImage page, read 2026-08). Only a read before it can tell gone from never there.
            Name::Id(_) => Ok(Route {
                resolve: Some((&GET_IMAGE_INFOS, ReadFirst::Standing)),
                ..direct(&DELETE_IMAGE, Some(&GET_IMAGE_INFOS))
            }),
            // No read takes an image's URL.
            Name::Url(_) => Ok(direct(&DELETE_IMAGE, None)),
            Name::Reference(_) => Err(wrong_form(target)),
        },
        What::AttachedMedia => {
            only_by_id(target)?;
            Ok(direct(&DELETE_ATTACHED_MEDIA, Some(&GET_ATTACHED_MEDIA_INFO)))
        }
    }
}

/// What entries must share: everything that a request says once.
pub(super) fn group(operation: &Operation, entry: &Entry) -> String {
    let video = || entry.media_id().map_or_else(String::new, |id| format!("video:{id}"));
    match Action::named(operation.name) {
        Some(Action::DeleteMezzanines) => match entry.target.what {
            What::Source { force: true } => "force".into(),
            What::Source { force: false }
            | What::Media
            | What::Renditions(_)
            | What::Snapshots(_)
            | What::Image
            | What::AttachedMedia => "keep".into(),
        },
        Some(Action::DeleteImage) => match (&entry.target.what, &entry.target.name) {
            (What::Snapshots(_), _) => video(),
            (_, Name::Url(url)) if url.as_str().len() > SHORT_URL => format!("url:{url}"),
            (_, Name::Url(_)) => "url".into(),
            (_, Name::Id(_) | Name::Reference(_)) => "id".into(),
        },
        Some(Action::DeleteStream | Action::ListSnapshots) => video(),
        Some(Action::GetVideoInfos | Action::BatchGetMediaInfos) => form(entry).into(),
        Some(Action::GetPlayInfo | Action::GetMezzanineInfo) => {
            let name = entry.media_id().map_or(entry.target.name.as_str(), MediaId::as_str);
            format!("{}:{name}", form(entry))
        }
        Some(
            Action::DeleteVideo
            | Action::DeleteAttachedMedia
            | Action::GetImageInfos
            | Action::GetAttachedMediaInfo,
        )
        | None => "id".into(),
    }
}

/// The batch read that looks at a target (page section 4). `BatchGetMediaInfos` tells of streams and
/// sources, of 20 videos at once and in any status; but the page marks its `MediaIds` as required, so
/// reference ids go with `GetVideoInfos`, which takes either.
pub(super) fn survey(target: &Target) -> Option<(&'static Operation, Entry)> {
    route(target).ok()?;
    let (operation, what) = match (&target.what, &target.name) {
        (What::Image, Name::Id(_)) => (&GET_IMAGE_INFOS, What::Image),
        (What::Image, Name::Url(_) | Name::Reference(_)) => return None,
        (What::AttachedMedia, _) => (&GET_ATTACHED_MEDIA_INFO, What::AttachedMedia),
        (_, Name::Id(_)) => (&BATCH_GET_MEDIA_INFOS, What::Media),
        (_, Name::Reference(_) | Name::Url(_)) => (&GET_VIDEO_INFOS, What::Media),
    };
    // What is to go of it does not matter here, so that all targets of one asset are read once.
    let target = Target { what, ..target.clone() };
    Some((operation, Entry { target, asset: None, parts: vec![PartName::Asset] }))
}

/// What goes with a target (page section 3, the operation's own words).
pub(super) fn effects(target: &Target) -> Vec<GoesWith> {
    use GoesWith::{
        Covers, Playback, Processing, RenditionPlayback, Renditions, Snapshots, Source, UntranscodedPlayback,
        UploadParts,
    };
    if route(target).is_err() {
        return Vec::new();
    }
    match &target.what {
        // 3.1: "the whole asset: source file, all transcoded streams, thumbnails and snapshots, leftover
        // upload parts".
        What::Media => vec![Source, Renditions, Covers, Snapshots, UploadParts, Playback],
        // 3.3: "Afterwards no transcoding, snapshot or review is possible." Unless forced, the vendor
        // itself refuses a source that plays.
        What::Source { force: false } => vec![Processing],
        What::Source { force: true } => vec![UntranscodedPlayback, Processing],
        // 3.2: "Removes chosen transcoded streams of one video, and their files."
        What::Renditions(_) => vec![RenditionPlayback],
        // 3.4 and 3.5: nothing but the images or the auxiliary assets themselves.
        What::Snapshots(_) | What::Image | What::AttachedMedia => Vec::new(),
    }
}

/// An asset or its source, by id or by reference. A reference id is resolved first: it may
/// be given to another asset between two tries.
fn whole(
    target: &Target,
    delete: &'static Operation,
    settle: &'static Operation,
    repeat: Repeat,
    part: PartName,
) -> Result<Route, Refusal> {
    let resolve = match &target.name {
        Name::Id(_) => None,
        Name::Reference(_) => Some((&GET_VIDEO_INFOS, ReadFirst::Reference)),
        Name::Url(_) => return Err(wrong_form(target)),
    };
    Ok(Route { resolve, delete, settle: Some(settle), repeat, parts: vec![part] })
}

/// Alibaba: each stream has a job id of its own (`DeleteStream` page), so a repeat is safe at any time.
fn renditions(target: &Target, which: &Renditions) -> Result<Route, Refusal> {
    let (by_definition, jobs) = match which {
        Renditions::All => (true, [].as_slice()),
        Renditions::Some { family: Some(_), .. } => {
            let why = "Alibaba has no families of renditions; select by definitions, job_ids or all.";
            return Err(Refusal::Unsupported(why.into()));
        }
        Renditions::Some { definitions, job_ids, family: None } => {
            if definitions.is_empty() && job_ids.is_empty() {
                let message = "select definitions or job_ids, or say all: true".into();
                return Err(Refusal::Invalid { field: "/definitions".into(), message });
            }
            (!definitions.is_empty(), job_ids.as_slice())
        }
    };
    let by_reference = match &target.name {
        Name::Id(_) => false,
        Name::Reference(_) => true,
        Name::Url(_) => return Err(wrong_form(target)),
    };
    let mut parts: Vec<PartName> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let part = PartName::Job(job.as_str().to_owned());
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    // Of one job "not found" is clear; of several it is not, nor what became of the others.
    let read_first = by_definition || by_reference || parts.len() > 1;
    Ok(Route {
        resolve: read_first.then_some((&GET_PLAY_INFO, ReadFirst::Jobs)),
        delete: &DELETE_STREAM,
        settle: Some(&GET_PLAY_INFO),
        repeat: Repeat::Always,
        parts,
    })
}

/// New snapshots of a type can be taken at any time, so a late repeat would hit them.
fn snapshots(which: &Snapshots) -> Route {
    let (settle, parts) = match which {
        // No read lists every type.
        Snapshots::All => (None, vec![PartName::AllSnapshots]),
        Snapshots::Types(types) => {
            let mut parts: Vec<PartName> = Vec::with_capacity(types.len());
            for kind in types {
                if !parts.contains(&PartName::Snapshots(*kind)) {
                    parts.push(PartName::Snapshots(*kind));
                }
            }
            (Some(&LIST_SNAPSHOTS), parts)
        }
    };
    Route { resolve: None, delete: &DELETE_IMAGE, settle, repeat: Repeat::Briefly, parts }
}

fn direct(delete: &'static Operation, settle: Option<&'static Operation>) -> Route {
    Route { resolve: None, delete, settle, repeat: Repeat::Always, parts: vec![PartName::Asset] }
}

fn only_by_id(target: &Target) -> Result<(), Refusal> {
    match &target.name {
        Name::Id(_) => Ok(()),
        Name::Reference(_) | Name::Url(_) => Err(wrong_form(target)),
    }
}

fn wrong_form(target: &Target) -> Refusal {
    let (kind, form) = (target.kind().as_str(), target.name.form());
    Refusal::Invalid { field: format!("/{form}"), message: format!("a target of kind {kind} has no {form}") }
}

fn form(entry: &Entry) -> &'static str {
    if entry.media_id().is_some() { "id" } else { "reference" }
}
