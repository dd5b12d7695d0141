//! The media that the simulated account holds, behind one lock.
//!
//! Its own file because it is the only shared, changing state of the simulator besides keys and switches. A
//! deleted media keeps its entry as a mark, so that a second delete can be told from one of an unknown id, and
//! so that reads can go on showing it for a while. The number of entries is bounded.
//!
//! Does not know requests or error codes: it answers with words, `delete` and `describe` choose the code.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::media::{Category, Choice, Distribution, Media, Part, PartKind};
use super::seed;

/// No more entries than this, deleted ones included. A million ids is the largest deletion that vodrm takes.
pub(super) const MAX_MEDIA: usize = 2_000_000;

/// Why a delete took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untaken {
    /// The application never held this id.
    Unknown,
    /// It was deleted before.
    Gone,
    /// CAM refuses.
    Locked,
    /// A task runs on it, and the switches say that this matters.
    Busy,
    /// A chosen part is not there, and the switches say that this matters.
    PartMissing,
}

/// Why media were neither taken off the air nor put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unmoved {
    /// The platform itself has banned one of them.
    Banned,
    /// One of them is in archive storage.
    Archived,
}

/// What a delete has to mind besides the selection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Care {
    /// Refuse a busy media.
    pub(super) busy: bool,
    /// Refuse a selection that names a part that is not there.
    pub(super) parts: bool,
    /// Reads show what was deleted until this time.
    pub(super) shown_until_ms: i64,
}

/// The library.
#[derive(Debug)]
pub(super) struct Library {
    media: Mutex<HashMap<String, Media>>,
}

impl Library {
    /// The library as seeded.
    #[must_use]
    pub(super) fn seeded() -> Self {
        let library = Self { media: Mutex::new(HashMap::new()) };
        library.reset();
        library
    }

    /// Back to the seeded media; everything added is gone.
    pub(super) fn reset(&self) {
        *self.locked() = seed::library();
    }

    /// Adds media to the main application, all alike (an ordinary video). An id that is there already, deleted
    /// or not, is made anew. Answers how many were taken in before the bound.
    pub(super) fn add<I, S>(&self, ids: I) -> usize
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        let parts: Arc<[Part]> = seed::video_parts().into();
        let mut media = self.locked();
        let mut added = 0;
        for id in ids {
            if media.len() >= MAX_MEDIA {
                break;
            }
            let one = Media::new(seed::SUB_APP_MAIN, Category::Video, Arc::clone(&parts));
            media.insert(id.into(), one);
            added += 1;
        }
        added
    }

    /// Adds those that the main application never held; what was deleted stays deleted.
    pub(super) fn add_unknown(&self, ids: impl IntoIterator<Item = String>) {
        let unknown = {
            let media = self.locked();
            ids.into_iter().filter(|id| !media.contains_key(id)).collect::<Vec<String>>()
        };
        self.add(unknown);
    }

    /// Makes a part of a media (again); answers its generation, or nothing if there is no such media.
    pub(super) fn make_part(&self, file_id: &str, kind: PartKind, definition: i64) -> Option<u32> {
        self.change(file_id, |media| media.make(kind, definition))
    }

    /// Changes one stored media.
    pub(super) fn change<T>(&self, file_id: &str, change: impl FnOnce(&mut Media) -> T) -> Option<T> {
        let mut media = self.locked();
        let one = media.get_mut(file_id).filter(|one| one.is_stored())?;
        Some(change(one))
    }

    /// Reads one media of an application, if a read at this time shows it.
    pub(super) fn read<T>(
        &self,
        sub_app_id: u64,
        file_id: &str,
        now_ms: i64,
        read: impl FnOnce(&Media) -> T,
    ) -> Option<T> {
        let media = self.locked();
        let one = media.get(file_id)?;
        (one.sub_app_id == sub_app_id && one.is_shown(now_ms)).then(|| read(one))
    }

    /// Deletes: everything when no choice is given, else the chosen parts. All or nothing.
    pub(super) fn delete(
        &self,
        sub_app_id: u64,
        file_id: &str,
        choices: &[Choice],
        care: Care,
    ) -> Result<Vec<Part>, Untaken> {
        let mut media = self.locked();
        let one =
            media.get_mut(file_id).filter(|one| one.sub_app_id == sub_app_id).ok_or(Untaken::Unknown)?;
        if !one.is_stored() {
            return Err(Untaken::Gone);
        }
        if one.locked {
            return Err(Untaken::Locked);
        }
        if care.busy && one.busy {
            return Err(Untaken::Busy);
        }
        if choices.is_empty() {
            return Ok(one.take_all(care.shown_until_ms));
        }
        if care.parts && choices.iter().any(|choice| !one.holds(*choice)) {
            return Err(Untaken::PartMissing);
        }
        Ok(one.take(choices, care.shown_until_ms))
    }

    /// Takes media off the air or puts them back: all of them or, if one cannot be moved, none. Answers of each
    /// whether this changed it; nothing of those that are not there.
    pub(super) fn distribute(
        &self,
        sub_app_id: u64,
        file_ids: &[&str],
        forbid: bool,
    ) -> Result<Vec<Option<bool>>, Unmoved> {
        let mut media = self.locked();
        let is_here = |one: &Media| one.sub_app_id == sub_app_id && one.is_stored();
        for one in file_ids.iter().filter_map(|id| media.get(*id)).filter(|one| is_here(one)) {
            if one.distribution == Distribution::Banned {
                return Err(Unmoved::Banned);
            }
            if one.archived {
                return Err(Unmoved::Archived);
            }
        }
        let wanted = if forbid { Distribution::Forbidden } else { Distribution::Open };
        let moved = file_ids.iter().map(|id| {
            let one = media.get_mut(*id).filter(|one| is_here(one))?;
            Some(std::mem::replace(&mut one.distribution, wanted) != wanted)
        });
        Ok(moved.collect())
    }

    /// The ids of stored media with their application and the number of parts left, in order of id.
    #[must_use]
    pub(super) fn assets(&self, limit: usize) -> Vec<(String, Media)> {
        let media = self.locked();
        let mut stored: Vec<(&String, &Media)> = media.iter().filter(|(_, one)| one.is_stored()).collect();
        stored.sort_by_key(|(id, _)| *id);
        let listed = stored.into_iter().take(limit);
        listed.map(|(id, one)| (id.clone(), one.clone())).collect()
    }

    /// How many media are stored.
    #[must_use]
    pub(super) fn stored(&self) -> usize {
        self.locked().values().filter(|one| one.is_stored()).count()
    }

    // A panic while the lock is held leaves single media whole (each change is one assignment or insert), so a
    // poisoned lock is used on rather than spread to every later call.
    fn locked(&self) -> MutexGuard<'_, HashMap<String, Media>> {
        self.media.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
