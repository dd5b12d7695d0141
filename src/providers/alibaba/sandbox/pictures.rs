//! Images, snapshots by URL or kind, and attached media: their deletes and their reads.
//!
//! Its own file because these are assets beside videos, with rules of their own: `DeleteImage` has
//! three ways to say what it means, and no answer tells of a single image. Sections 3.4, 3.5 and
//! 4 of the contract page are the reference.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{
    assets::SnapshotKind,
    envelope::{Refusal, put_ids},
    operations::{Call, Done, MAX_IDS},
    quirks::BadUnit,
    shapes,
};
use crate::sandbox::Effect;

/// One thing that `DeleteImage` can remove.
enum Unit {
    Image(String),
    Snapshot(String, SnapshotKind, u16),
}

fn no_such_resource() -> Refusal {
    Refusal::new(404, "NoSuchResource", "The specified resource does not exist.")
}

pub(super) fn delete_image(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let kind = call.request.text("DeleteImageType").ok_or_else(|| Refusal::missing("DeleteImageType"))?;
    match kind {
        "ImageId" => {
            let ids = call.list("ImageIds", MAX_IDS, "ImageIdsExceededMax")?;
            let units =
                ids.iter().map(|id| call.library.image(id).map(|it| Unit::Image(it.id.clone()))).collect();
            delete_units(call, ids, units)
        }
        "ImageURL" => {
            let urls = call.list("ImageURLs", MAX_IDS, "ImageURLsExceededMax")?;
            let units = urls.iter().map(|url| unit_with_url(call, url)).collect();
            delete_units(call, urls, units)
        }
        "VideoId" => delete_snapshots(call),
        _ => Err(Refusal::invalid_parameter("DeleteImageType is not one of ImageURL, ImageId, VideoId.")),
    }
}

/// A URL of a list was encoded once more by the caller if it has special characters.
fn unit_with_url(call: &Call<'_>, url: &str) -> Option<Unit> {
    let decoded = percent_decode_str(url).decode_utf8_lossy();
    [url, &*decoded].into_iter().find_map(|url| {
        if let Some(image) = call.library.image_with_url(url) {
            return Some(Unit::Image(image.id.clone()));
        }
        let (video, kind, number) = call.library.snapshot_with_url(url)?;
        let permitted = call.library.video(&video)?.permitted;
        permitted.then_some(Unit::Snapshot(video, kind, number))
    })
}

fn delete_units(call: &mut Call<'_>, asked: Vec<String>, units: Vec<Option<Unit>>) -> Result<Done, Refusal> {
    let whole = units.iter().all(Option::is_some);
    let deletes = whole || call.quirks.bad_unit == BadUnit::Partial;
    let keep = call.keep();
    let mut effects = Vec::new();
    for (asked, unit) in asked.into_iter().zip(units) {
        let effect = match unit {
            None => Effect::whole(asked, false),
            Some(Unit::Image(id)) => {
                let effective = deletes && call.library.take_image(&id, keep);
                Effect::whole(id, effective)
            }
            Some(Unit::Snapshot(id, kind, number)) => {
                if deletes && let Some(video) = call.library.change_video(&id, keep) {
                    video.snapshots.retain(|it| *it != (kind, number));
                }
                Effect::part(id, format!("{}/{number}", kind.name()), deletes)
            }
        };
        effects.push(effect);
    }
    if whole {
        return Ok(Done::deleted(Map::new(), effects));
    }
    Err(no_such_resource().with_effects(effects))
}

fn delete_snapshots(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let kinds = snapshot_kinds(call)?;
    let id = {
        // The page names this selector VideoId alone: no reference id.
        if call.request.text("VideoId").is_none() {
            return Err(Refusal::missing("VideoId"));
        }
        call.one_video()?.id.clone()
    };
    let keep = call.keep();
    let Some(video) = call.library.change_video(&id, keep) else {
        return Err(no_such_resource());
    };
    let mut effects = Vec::new();
    for kind in kinds {
        let before = video.snapshots.len();
        video.snapshots.retain(|(own, _)| *own != kind);
        let effective = video.snapshots.len() < before;
        effects.push(Effect::part(id.clone(), kind.name(), effective));
    }
    if effects.iter().any(|effect| effect.effective) {
        return Ok(Done::deleted(Map::new(), effects));
    }
    Err(no_such_resource().with_effects(effects))
}

/// The kinds that `ImageType` names: `All` only alone, and never `WebVttSnapshot`, which is a
/// type of `ListSnapshots` but not of `DeleteImage`.
fn snapshot_kinds(call: &Call<'_>) -> Result<Vec<SnapshotKind>, Refusal> {
    let text = call.request.text("ImageType").ok_or_else(|| Refusal::missing("ImageType"))?;
    if text == "All" {
        return Ok(vec![
            SnapshotKind::Cover,
            SnapshotKind::Normal,
            SnapshotKind::Sprite,
            SnapshotKind::SpriteOrigin,
        ]);
    }
    text.split(',')
        .map(|name| {
            SnapshotKind::named(name)
                .filter(|kind| *kind != SnapshotKind::WebVtt)
                .ok_or_else(|| Refusal::invalid_parameter("ImageType is not valid."))
        })
        .collect()
}

pub(super) fn delete_attached_media(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let ids = call.list("MediaIds", MAX_IDS, "ExceededMax")?;
    let keep = call.keep();
    let mut missing = Vec::new();
    let mut effects = Vec::new();
    for id in ids {
        let effective = call.library.take_attached(&id, keep);
        effects.push(Effect::whole(id.clone(), effective));
        if !effective {
            missing.push(id);
        }
    }
    // No error of its own is printed, so a call whose ids are all missing is a 200 too.
    let mut fields = Map::new();
    put_ids(&mut fields, "NonExistMediaIds", &missing, call.quirks);
    Ok(Done::deleted(fields, effects))
}

pub(super) fn get_image_info(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let id = call.request.text("ImageId").ok_or_else(|| Refusal::missing("ImageId"))?;
    let image = call.library.shown_image(id, call.now).ok_or_else(no_such_resource)?;
    Ok(Done::read(Map::from_iter([("ImageInfo".to_owned(), shapes::image(image))])))
}

pub(super) fn get_image_infos(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let ids = call.list("ImageIds", MAX_IDS, "ImageIdsExceededMax")?;
    let read = |id: &str| call.library.shown_image(id, call.now).map(shapes::image);
    Ok(listed(call, ids, read, "ImageInfo", "NonExistImageIds"))
}

pub(super) fn get_attached_media_info(call: &mut Call<'_>) -> Result<Done, Refusal> {
    let ids = call.list("MediaIds", MAX_IDS, "ExceededMax")?;
    let read = |id: &str| {
        let attached = call.library.shown_attached(id, call.now);
        attached.map(shapes::attached)
    };
    Ok(listed(call, ids, read, "AttachedMediaList", "NonExistMediaIds"))
}

/// A read of several: what is there under one name, the missing ids under another.
fn listed(
    call: &Call<'_>,
    ids: Vec<String>,
    read: impl Fn(&str) -> Option<Value>,
    found_name: &str,
    missing_name: &str,
) -> Done {
    let mut found = Vec::new();
    let mut missing = Vec::new();
    for id in ids {
        match read(&id) {
            Some(shape) => found.push(shape),
            None => missing.push(id),
        }
    }
    let mut fields = Map::new();
    fields.insert(found_name.to_owned(), found.into());
    put_ids(&mut fields, missing_name, &missing, call.quirks);
    Done::read(fields)
}
