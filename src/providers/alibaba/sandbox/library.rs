//! What the account holds: videos with their parts, images, attached media, and reference ids.
//!
//! Its own file because operations only decide, and everything that truly disappears disappears
//! here. Reads may be shown the state before a change for a while (a delete may end after its
//! answer: the `DeleteMediaComplete` callback exists for that), so the library keeps ghosts.
//! Knows no request and no answer. Bounded by `seed::MAX_VIDEOS`.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    assets::{Attached, Image, STATUSES, SnapshotKind, Video},
    seed,
};

/// Ghosts kept per kind; they are only made while a test asks for delayed effects.
const MAX_GHOSTS: usize = 10_000;

/// Things by id, with ghosts of what they were.
#[derive(Debug)]
struct Shelf<T> {
    things: BTreeMap<String, T>,
    ghosts: HashMap<String, (T, Timestamp)>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { things: BTreeMap::new(), ghosts: HashMap::new() }
    }
}

impl<T: Clone> Shelf<T> {
    fn put(&mut self, id: String, thing: T) {
        self.ghosts.remove(&id);
        self.things.insert(id, thing);
    }

    /// What a read at `now` is shown.
    fn shown(&self, id: &str, now: Timestamp) -> Option<&T> {
        match self.ghosts.get(id) {
            Some((ghost, until)) if now < *until => Some(ghost),
            _ => self.things.get(id),
        }
    }

    /// For a change: with `keep` the state before it stays shown until then.
    fn change(&mut self, id: &str, keep: Option<Timestamp>) -> Option<&mut T> {
        let thing = self.things.get_mut(id)?;
        if let Some(until) = keep
            && self.ghosts.len() < MAX_GHOSTS
        {
            self.ghosts.insert(id.to_owned(), (thing.clone(), until));
        }
        Some(thing)
    }

    fn take(&mut self, id: &str, keep: Option<Timestamp>) -> Option<T> {
        self.change(id, keep)?;
        self.things.remove(id)
    }
}

#[derive(Debug, Default)]
pub(super) struct Library {
    videos: Shelf<Video>,
    images: Shelf<Image>,
    attached: Shelf<Attached>,
    /// Reference id to video id.
    references: HashMap<String, String>,
}

impl Library {
    /// False when the id is taken or the library is full.
    pub(super) fn add(&mut self, video: Video) -> bool {
        let room = self.videos.things.len() < seed::MAX_VIDEOS;
        let fits = room && !self.videos.things.contains_key(&video.id);
        if fits {
            self.videos.put(video.id.clone(), video);
        }
        fits
    }

    pub(super) fn add_image(&mut self, image: Image) {
        self.images.put(image.id.clone(), image);
    }

    pub(super) fn add_attached(&mut self, attached: Attached) {
        self.attached.put(attached.id.clone(), attached);
    }

    /// Reference ids are unique per account: the newest binding wins.
    pub(super) fn bind(&mut self, reference: &str, id: &str) -> bool {
        if let Some(old) = self.references.get(reference).cloned()
            && let Some(video) = self.videos.things.get_mut(&old)
        {
            video.reference = None;
        }
        let Some(video) = self.videos.things.get_mut(id) else {
            return false;
        };
        if let Some(old) = video.reference.replace(reference.to_owned()) {
            self.references.remove(&old);
        }
        self.references.insert(reference.to_owned(), id.to_owned());
        true
    }

    pub(super) fn set_status(&mut self, id: &str, status: &str) -> bool {
        let known = STATUSES.into_iter().find(|known| *known == status);
        match (self.videos.things.get_mut(id), known) {
            (Some(video), Some(status)) => {
                video.status = status;
                true
            }
            _ => false,
        }
    }

    pub(super) fn add_stream(&mut self, id: &str, definition: &str, format: &str) -> Option<String> {
        let video = self.videos.things.get_mut(id)?;
        Some(video.render(definition, format, false))
    }

    pub(super) fn video(&self, id: &str) -> Option<&Video> {
        self.videos.things.get(id)
    }

    pub(super) fn video_count(&self) -> usize {
        self.videos.things.len()
    }

    pub(super) fn shown_video(&self, id: &str, now: Timestamp) -> Option<&Video> {
        self.videos.shown(id, now)
    }

    pub(super) fn change_video(&mut self, id: &str, keep: Option<Timestamp>) -> Option<&mut Video> {
        self.videos.change(id, keep)
    }

    pub(super) fn take_video(&mut self, id: &str, keep: Option<Timestamp>) -> bool {
        let Some(video) = self.videos.take(id, keep) else {
            return false;
        };
        if let Some(reference) = video.reference {
            self.references.remove(&reference);
        }
        true
    }

    /// The video that a reference id names.
    pub(super) fn referred(&self, reference: &str) -> Option<&str> {
        self.references.get(reference).map(String::as_str)
    }

    /// The same as a read at `now` is shown it.
    pub(super) fn shown_referred(&self, reference: &str, now: Timestamp) -> Option<&str> {
        self.referred(reference).or_else(|| {
            let mut ghosts = self.videos.ghosts.values();
            ghosts
                .find(|(ghost, until)| now < *until && ghost.reference.as_deref() == Some(reference))
                .map(|(ghost, _)| ghost.id.as_str())
        })
    }

    pub(super) fn image(&self, id: &str) -> Option<&Image> {
        self.images.things.get(id)
    }

    pub(super) fn shown_image(&self, id: &str, now: Timestamp) -> Option<&Image> {
        self.images.shown(id, now)
    }

    pub(super) fn image_with_url(&self, url: &str) -> Option<&Image> {
        self.images.things.values().find(|image| image.url == url)
    }

    pub(super) fn take_image(&mut self, id: &str, keep: Option<Timestamp>) -> bool {
        self.images.take(id, keep).is_some()
    }

    pub(super) fn attached(&self, id: &str) -> Option<&Attached> {
        self.attached.things.get(id)
    }

    pub(super) fn shown_attached(&self, id: &str, now: Timestamp) -> Option<&Attached> {
        self.attached.shown(id, now)
    }

    pub(super) fn take_attached(&mut self, id: &str, keep: Option<Timestamp>) -> bool {
        self.attached.take(id, keep).is_some()
    }

    /// The snapshot that a URL names, as video, kind and number.
    pub(super) fn snapshot_with_url(&self, url: &str) -> Option<(String, SnapshotKind, u16)> {
        let mut parts = url.strip_prefix("https://media.sandbox.example/")?.split('/');
        let (id, middle) = (parts.next()?, parts.next()?);
        let kind = SnapshotKind::named(parts.next()?)?;
        let number = parts.next()?.strip_suffix(".jpg")?.parse().ok()?;
        let video = self.video(id).filter(|_| middle == "snapshots")?;
        video.snapshots.contains(&(kind, number)).then(|| (id.to_owned(), kind, number))
    }

    pub(super) fn assets(&self) -> Value {
        let videos: Vec<Value> = self
            .videos
            .things
            .values()
            .map(|video| {
                json!({
                    "VideoId": video.id,
                    "Status": video.status,
                    "ReferenceId": video.reference,
                    "Source": video.source_kept,
                    "JobIds": video.streams.iter().map(|it| &it.job_id).collect::<Vec<_>>(),
                    "Snapshots": video.snapshots.len(),
                })
            })
            .collect();
        json!({
            "videos": videos,
            "images": self.images.things.keys().collect::<Vec<_>>(),
            "attached": self.attached.things.keys().collect::<Vec<_>>(),
        })
    }
}
