//! `DeleteVideo`, `DeleteStream` and `DeleteMezzanines`.
//!
//! Its own file because these three take videos apart and share how a batch is sorted: missing,
//! no right, busy, or fine. Each says for the ledger what truly went away, whatever the answer
//! tells the caller. Section 3 of the contract page is the reference.

use serde_json::Map;

use super::{
    envelope::{Refusal, put_ids},
    operations::{Asked, AskedVideos, Call, Done, MAX_IDS, video_not_found},
    quirks::{BadUnit, BusyInBatch},
};
use crate::sandbox::Effect;

/// What stands in the way of one id of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sorted {
    Missing,
    /// No right on it, or busy where busy ids are listed.
    Barred,
    Fine,
}

/// Sorts a batch, or refuses it whole: none exists, or one is busy.
fn sort(call: &Call<'_>, asked: &AskedVideos) -> Result<Vec<Sorted>, Refusal> {
    let untouched = || asked.items.iter().map(|item| Effect::whole(known_id(item), false)).collect();
    if asked.items.iter().all(|item| item.video.is_none()) {
        return Err(video_not_found(call.quirks.all_missing_status).with_effects(untouched()));
    }
    let alone = asked.items.len() == 1;
    let refuses = alone || call.quirks.busy_in_batch == BusyInBatch::RefuseCall;
    asked
        .items
        .iter()
        .map(|item| {
            let video = item.video.as_deref().and_then(|id| call.library.video(id));
            match video {
                None => Ok(Sorted::Missing),
                Some(video) if !video.permitted => Ok(Sorted::Barred),
                Some(video) if video.busy() && refuses => {
                    Err(call.illegal_status(video).with_effects(untouched()))
                }
                Some(video) if video.busy() => Ok(Sorted::Barred),
                Some(_) => Ok(Sorted::Fine),
            }
        })
        .collect()
}

/// The video's own id where it exists: the ledger speaks of assets, not of names for them.
fn known_id(item: &Asked) -> &str {
    item.video.as_deref().unwrap_or(&item.id)
}

/// The lists of a partial answer, and what went away.
#[derive(Debug, Default)]
struct Lists {
    missing: Vec<String>,
    barred: Vec<String>,
    effects: Vec<Effect>,
}

impl Lists {
    fn done(self, call: &Call<'_>, by_reference: bool, barred_name: &str) -> Done {
        let mut fields = Map::new();
        let quirks = call.quirks;
        put_ids(&mut fields, barred_name, &self.barred, quirks);
        let (videos, references) =
            if by_reference { (Vec::new(), self.missing) } else { (self.missing, Vec::new()) };
        put_ids(&mut fields, "NonExistVideoIds", &videos, quirks);
        put_ids(&mut fields, "NonExistReferenceIds", &references, quirks);
        Done::deleted(fields, self.effects)
    }
}

pub(super) fn delete_video(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let asked = call.asked_videos("VideoIds", "VideoIdsExceededMax", false)?;
    let sorted = sort(call, &asked)?;
    let keep = call.keep();
    let mut lists = Lists::default();
    for (item, sorted) in asked.items.into_iter().zip(sorted) {
        let effective = match sorted {
            // Two reference ids cannot name one video, so nothing is taken twice here.
            Sorted::Fine => call.library.take_video(known_id(&item), keep),
            Sorted::Missing | Sorted::Barred => false,
        };
        lists.effects.push(Effect::whole(known_id(&item), effective));
        match sorted {
            Sorted::Missing => lists.missing.push(item.id),
            // The list is of video ids by its name, also when reference ids were sent.
            Sorted::Barred => lists.barred.push(known_id(&item).to_owned()),
            Sorted::Fine => {}
        }
    }
    Ok(lists.done(call, asked.by_reference, "ForbiddenVideoIds"))
}

pub(super) fn delete_mezzanines(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let asked = call.asked_videos("VideoIds", "VideoIdsExceededMax", false)?;
    let force = match call.request.text("Force") {
        None => false,
        // The SDKs send `True` and `False`, so case cannot matter.
        Some(text) if text.eq_ignore_ascii_case("true") => true,
        Some(text) if text.eq_ignore_ascii_case("false") => false,
        Some(_) => return Err(Refusal::invalid_parameter("Force is not a boolean.")),
    };
    let sorted = sort(call, &asked)?;
    let keep = call.keep();
    let mut lists = Lists::default();
    for (item, mut sorted) in asked.items.into_iter().zip(sorted) {
        let id = known_id(&item).to_owned();
        if sorted == Sorted::Fine
            && !force
            && call.library.video(&id).is_some_and(|video| video.plays_source() && video.source_kept)
        {
            sorted = Sorted::Barred;
        }
        let mut effective = false;
        if sorted == Sorted::Fine
            && let Some(video) = call.library.change_video(&id, keep)
        {
            // A source that is gone already is found on no page: accepted, without effect.
            effective = std::mem::replace(&mut video.source_kept, false);
            // The untranscoded original is the source file itself and goes with it.
            video.streams.retain(|stream| !stream.job_id.is_empty());
        }
        lists.effects.push(Effect::part(id.clone(), "source", effective));
        match sorted {
            Sorted::Missing => lists.missing.push(item.id),
            Sorted::Barred => lists.barred.push(id),
            Sorted::Fine => {}
        }
    }
    Ok(lists.done(call, asked.by_reference, "UnRemoveableVideoIds"))
}

pub(super) fn delete_stream(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let jobs = call.list("JobIds", MAX_IDS, "JobIdsExceededMax")?;
    let video = call.one_video()?;
    if video.busy() {
        return Err(call.illegal_status(video));
    }
    let id = video.id.clone();
    let there = |job: &String| video.streams.iter().any(|stream| stream.job_id == *job);
    let found: Vec<bool> = jobs.iter().map(there).collect();
    let whole = found.iter().all(|found| *found);
    let deletes = whole || call.quirks.bad_unit == BadUnit::Partial;
    let keep = call.keep();
    if deletes && let Some(video) = call.library.change_video(&id, keep) {
        video.streams.retain(|stream| !jobs.contains(&stream.job_id));
    }
    let effects = jobs
        .into_iter()
        .zip(found)
        .map(|(job, found)| Effect::part(id.clone(), job, found && deletes))
        .collect();
    if whole {
        return Ok(Done::deleted(Map::new(), effects));
    }
    let refusal = Refusal::new(404, "InvalidStream.NotFound", "The stream does not exist.");
    Err(refusal.with_effects(effects))
}
