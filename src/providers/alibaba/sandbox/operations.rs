//! The operations the simulator has, their published rates, and what they share: reading id
//! lists, finding the one video a call names, and the errors that several pages print.
//!
//! Its own file so that the table can be laid beside the vendor's QPS page. Where a page gives
//! no number the 2021 Limits page's "30 for all other operations" is used. The operations
//! themselves are in `deletes`, `pictures` and `reads`.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{
    assets::Video, deletes, envelope::Refusal, library::Library, pictures, quirks::Quirks, reads,
    request::Request,
};
use crate::sandbox::Effect;

pub(super) const VERSION: &str = "2017-03-21";

/// Most lists of ids take this many (operation pages).
pub(super) const MAX_IDS: usize = 20;

pub(super) type Run = fn(&mut Call<'_>) -> Result<Done, Refusal>;

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Calls per second of the whole account.
    pub(super) qps: u32,
    pub(super) run: Run,
}

const fn operation(name: &'static str, qps: u32, run: Run) -> Operation {
    Operation { name, qps, run }
}

static OPERATIONS: [Operation; 14] = [
    operation("DeleteVideo", 30, deletes::delete_video),
    operation("DeleteStream", 50, deletes::delete_stream),
    operation("DeleteMezzanines", 50, deletes::delete_mezzanines),
    operation("DeleteImage", 50, pictures::delete_image),
    operation("DeleteAttachedMedia", 50, pictures::delete_attached_media),
    operation("GetVideoInfo", 100, reads::get_video_info),
    operation("GetVideoInfos", 100, reads::get_video_infos),
    operation("BatchGetMediaInfos", 30, reads::batch_get_media_infos),
    operation("GetPlayInfo", 360, reads::get_play_info),
    operation("GetMezzanineInfo", 100, reads::get_mezzanine_info),
    operation("GetImageInfo", 100, pictures::get_image_info),
    operation("GetImageInfos", 30, pictures::get_image_infos),
    operation("ListSnapshots", 30, reads::list_snapshots),
    operation("GetAttachedMediaInfo", 100, pictures::get_attached_media_info),
];

/// The operation a request is for. One product page each prints another spelling for an unknown
/// name; the newest is InvalidApi.NotFound.
pub(super) fn find(request: &Request) -> Result<&'static Operation, Refusal> {
    let action = request.action.as_deref().ok_or_else(|| Refusal::missing("Action"))?;
    let version = request.version.as_deref().ok_or_else(|| Refusal::missing("Version"))?;
    if version != VERSION {
        return Err(Refusal::new(400, "NoSuchVersion", "The specified version does not exist."));
    }
    OPERATIONS.iter().find(|operation| operation.name == action).ok_or_else(Refusal::no_such_api)
}

/// What an operation came to, without the envelope.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) fields: Map<String, Value>,
    /// `ok`, or `partial` when something asked for was not done.
    pub(super) verdict: &'static str,
    pub(super) effects: Vec<Effect>,
}

impl Done {
    /// A read: nothing happened.
    pub(super) fn read(fields: Map<String, Value>) -> Self {
        Self { fields, verdict: "ok", effects: Vec::new() }
    }

    pub(super) fn deleted(fields: Map<String, Value>, effects: Vec<Effect>) -> Self {
        let whole = effects.iter().all(|effect| effect.effective);
        Self { fields, verdict: if whole { "ok" } else { "partial" }, effects }
    }
}

/// One verified call, with all an operation may look at.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) request: &'a Request,
    pub(super) library: &'a mut Library,
    pub(super) quirks: &'a Quirks,
    pub(super) now: Timestamp,
}

/// One id of a list, and the video it means.
#[derive(Debug)]
pub(super) struct Asked {
    /// As the caller wrote it.
    pub(super) id: String,
    /// The video that exists under it.
    pub(super) video: Option<String>,
}

/// A list of ids that may be of either kind.
#[derive(Debug)]
pub(super) struct AskedVideos {
    pub(super) items: Vec<Asked>,
    pub(super) by_reference: bool,
}

impl Call<'_> {
    /// Until when reads are shown the state before this call's changes.
    pub(super) fn keep(&self) -> Option<Timestamp> {
        let delay = self.quirks.visible_after_delete_ms;
        if delay <= 0 {
            return None;
        }
        self.now.checked_add(SignedDuration::from_millis(delay)).ok()
    }

    /// A comma separated list. The limit counts what was sent; repeats and empty elements, of
    /// which no page speaks, are then dropped. Spaces are part of an id.
    pub(super) fn list(&self, name: &str, max: usize, code: &str) -> Result<Vec<String>, Refusal> {
        let text = self.request.text(name).ok_or_else(|| Refusal::missing(name))?;
        let mut ids: Vec<String> = Vec::new();
        let sent = text.split(',').filter(|id| !id.is_empty());
        if sent.clone().count() > max {
            return Err(Refusal::new(400, code, &format!("The number of {name} exceeds the maximum {max}.")));
        }
        for id in sent {
            if !ids.iter().any(|known| known == id) {
                ids.push(id.to_owned());
            }
        }
        if ids.is_empty() {
            return Err(Refusal::missing(name));
        }
        Ok(ids)
    }

    /// Whether a call names videos by `own` or by `other`. Which one wins when both are sent is
    /// found nowhere, so a call that sends both is refused.
    fn by_reference(&self, own: &str, other: &str) -> Result<bool, Refusal> {
        match (self.request.text(own), self.request.text(other)) {
            (Some(_), Some(_)) => {
                Err(Refusal::invalid_parameter(&format!("{own} and {other} cannot be used together.")))
            }
            (None, None) => Err(Refusal::missing(own)),
            (own, _) => Ok(own.is_none()),
        }
    }

    /// The videos that `own` or `ReferenceIds` names. For a delete, `shown` is false.
    pub(super) fn asked_videos(&self, own: &str, code: &str, shown: bool) -> Result<AskedVideos, Refusal> {
        let by_reference = self.by_reference(own, "ReferenceIds")?;
        let name = if by_reference { "ReferenceIds" } else { own };
        let items = self
            .list(name, MAX_IDS, code)?
            .into_iter()
            .map(|id| Asked { video: self.found(&id, by_reference, shown), id })
            .collect();
        Ok(AskedVideos { items, by_reference })
    }

    fn found(&self, id: &str, by_reference: bool, shown: bool) -> Option<String> {
        let library = &self.library;
        let id = match (by_reference, shown) {
            (false, _) => Some(id),
            (true, false) => library.referred(id),
            (true, true) => library.shown_referred(id, self.now),
        }?;
        let video = if shown { library.shown_video(id, self.now) } else { library.video(id) };
        video.map(|video| video.id.clone())
    }

    /// The one video of a delete by `VideoId` or `ReferenceId`.
    pub(super) fn one_video(&self) -> Result<&Video, Refusal> {
        let id = self.one_id(false)?;
        permitted(self.library.video(&id))
    }

    /// The one video of a read.
    pub(super) fn one_shown_video(&self) -> Result<&Video, Refusal> {
        let id = self.one_id(true)?;
        permitted(self.library.shown_video(&id, self.now))
    }

    fn one_id(&self, shown: bool) -> Result<String, Refusal> {
        let by_reference = self.by_reference("VideoId", "ReferenceId")?;
        let name = if by_reference { "ReferenceId" } else { "VideoId" };
        let id = self.request.text(name).unwrap_or_default();
        self.found(id, by_reference, shown).ok_or_else(|| video_not_found(404))
    }

    pub(super) fn illegal_status(&self, video: &Video) -> Refusal {
        illegal_status(self.quirks.illegal_status, video)
    }
}

fn permitted(video: Option<&Video>) -> Result<&Video, Refusal> {
    match video {
        None => Err(video_not_found(404)),
        Some(video) if !video.permitted => {
            Err(Refusal::new(403, "Forbidden", "User not authorized to operate on the specified resource."))
        }
        Some(video) => Ok(video),
    }
}

pub(super) fn video_not_found(status: u16) -> Refusal {
    Refusal::new(status, "InvalidVideo.NotFound", "The video does not exist.")
}

pub(super) fn illegal_status(status: u16, video: &Video) -> Refusal {
    let message = format!("Currently Video Status is {} and AuditStatus is Init.", video.status);
    Refusal::new(status, "Forbidden.IllegalStatus", &message)
}
