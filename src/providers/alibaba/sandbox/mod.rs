//! A stand-in for Alibaba Cloud VOD (`vod` 2017-03-21), served by the sandbox kit.
//!
//! Written from the vendor's pages alone and never from vodrm's client, so that it catches what
//! the client misread. A call runs through it in the order of a gateway: shape, operation, key,
//! clock, signature, nonce, rate, and only then the operation itself.
//! What the pages leave open is a switch in `Quirks`; what the library holds is in `seed`.
//! It does not know vodrm: only the kit, http and the vendor's words.

pub mod seed;

mod request;

mod signature;

mod verify;

mod envelope;

mod quirks;

mod assets;

mod library;

mod operations;

mod deletes;

mod pictures;

mod reads;

mod shapes;

#[cfg(test)]
mod signed;

#[cfg(test)]
mod tests;

#[cfg(test)]
mod vectors;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use serde_json::Value;

pub use self::quirks::{BadUnit, BusyInBatch, DeletedSource, EmptyLists, IdLists, Quirks};
use self::{
    envelope::Refusal,
    library::Library,
    operations::{Call, Done},
    request::Request,
    verify::Keys,
};
use crate::sandbox::{Answer, Desk, Envelope, Peek, Received, Reply, Vendor, VendorFault, overlay};

/// The one account that all keys belong to: rates are per account, all its RAM users together
/// (QPS page).
const ACCOUNT: &str = "alibaba-sandbox";

/// How long a nonce is remembered. The pages give no window; a request stays replayable for twice
/// the 15 minutes of clock tolerance, so a little more than that is the strict reading.
const NONCE_KEPT_S: i64 = 31 * 60;

/// Alibaba Cloud VOD as a [`Vendor`]. Also the way for tests to look into and change the library.
#[derive(Debug)]
pub struct Alibaba {
    library: Mutex<Library>,
    quirks: RwLock<Arc<Quirks>>,
    /// Numbers the answers: a request id is unique and tells the order of the calls.
    answered: AtomicU64,
}

impl Default for Alibaba {
    fn default() -> Self {
        Self::new()
    }
}

impl Alibaba {
    /// With the seeded library and the default switches.
    #[must_use]
    pub fn new() -> Self {
        Self { library: Mutex::new(seed::library()), quirks: RwLock::default(), answered: AtomicU64::new(0) }
    }

    fn library(&self) -> MutexGuard<'_, Library> {
        self.library.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn quirks(&self) -> Arc<Quirks> {
        let quirks = self.quirks.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&quirks)
    }

    pub fn set_quirks(&self, quirks: Quirks) {
        let bulk = quirks.bulk_videos;
        *self.quirks.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(quirks);
        self.add_videos((0..bulk).map(seed::bulk));
    }

    /// Adds small normal videos; ids that exist stay as they are. Returns how many were added,
    /// fewer than asked when the library is full ([`seed::MAX_VIDEOS`]).
    pub fn add_videos(&self, ids: impl IntoIterator<Item = String>) -> usize {
        let mut library = self.library();
        ids.into_iter().filter(|id| library.add(assets::Video::small(id))).count()
    }

    /// Makes `reference` name `video`, as if it had been set again after a delete.
    pub fn bind_reference(&self, reference: &str, video: &str) -> bool {
        self.library().bind(reference, video)
    }

    /// Sets the status of a video, in the vendor's spelling (`Normal`, `Transcoding`, ...).
    pub fn set_status(&self, video: &str, status: &str) -> bool {
        self.library().set_status(video, status)
    }

    /// Adds a rendition that is newer than all others of the video; returns its job id.
    pub fn add_stream(&self, video: &str, definition: &str, format: &str) -> Option<String> {
        self.library().add_stream(video, definition, format)
    }

    #[must_use]
    pub fn has_video(&self, video: &str) -> bool {
        self.library().video(video).is_some()
    }

    #[must_use]
    pub fn video_count(&self) -> usize {
        self.library().video_count()
    }

    /// The job ids of a video's renditions, oldest first.
    #[must_use]
    pub fn stream_ids(&self, video: &str) -> Vec<String> {
        self.library()
            .video(video)
            .map_or_else(Vec::new, |video| video.streams.iter().map(|it| it.job_id.clone()).collect())
    }

    #[must_use]
    pub fn has_source(&self, video: &str) -> bool {
        self.library().video(video).is_some_and(|video| video.source_kept)
    }

    #[must_use]
    pub fn has_image(&self, image: &str) -> bool {
        self.library().image(image).is_some()
    }

    #[must_use]
    pub fn has_attached(&self, media: &str) -> bool {
        self.library().attached(media).is_some()
    }

    fn request_id(&self) -> String {
        let number = self.answered.fetch_add(1, Ordering::Relaxed) + 1;
        format!("5EED5EED-0000-4000-8000-{number:012X}")
    }

    fn handle(&self, received: &Received, request: &Request, desk: &Desk<'_>) -> Result<Done, Refusal> {
        let quirks = self.quirks();
        request::check_shape(received)?;
        let operation = operations::find(request)?;
        if !desk.fast() {
            verify::authenticate(received, request, &Keys::of(&quirks), desk.now, &quirks)?;
            let nonce = request.nonce.as_deref().unwrap_or_default();
            if !desk.first_use(nonce, NONCE_KEPT_S) {
                return Err(Refusal::nonce_used());
            }
        }
        if !desk.admit(ACCOUNT, operation.name, operation.qps) {
            return Err(Refusal::throttled());
        }
        let mut library = self.library();
        (operation.run)(&mut Call { request, library: &mut library, quirks: &quirks, now: desk.now })
    }
}

impl Vendor for Alibaba {
    fn name(&self) -> &'static str {
        "alibaba"
    }

    fn peek(&self, received: &Received) -> Peek {
        Request::read(received).peek()
    }

    fn answer(&self, received: &Received, desk: &Desk<'_>) -> Answer {
        let request = Request::read(received);
        let request_id = self.request_id();
        match self.handle(received, &request, desk) {
            Ok(done) => Answer {
                reply: envelope::success(&request, &request_id, done.fields, &self.quirks()),
                verdict: done.verdict.to_owned(),
                effects: done.effects,
            },
            Err(refusal) => Answer {
                reply: envelope::error(&refusal, request.format, &request_id, received),
                verdict: refusal.code,
                effects: refusal.effects,
            },
        }
    }

    fn refuse(&self, fault: &VendorFault, received: &Received) -> Reply {
        let refusal = Refusal::scripted(fault);
        let format = match fault.envelope {
            Envelope::Xml => request::Format::Xml,
            // Alibaba has no older envelope: the current one is used.
            Envelope::Native | Envelope::Legacy => Request::read(received).format,
        };
        envelope::error(&refusal, format, &self.request_id(), received)
    }

    fn assets(&self) -> Value {
        self.library().assets()
    }

    fn reset(&self) {
        *self.library() = seed::library();
        let bulk = self.quirks().bulk_videos;
        self.add_videos((0..bulk).map(seed::bulk));
    }

    fn options(&self) -> Value {
        serde_json::to_value(&*self.quirks()).unwrap_or_default()
    }

    fn set_options(&self, patch: &Value) -> Result<(), String> {
        let quirks = overlay(&*self.quirks(), patch)?;
        quirks.check()?;
        self.set_quirks(quirks);
        Ok(())
    }
}
