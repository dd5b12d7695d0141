//! What a fresh simulator holds: keys, applications and media, the same at every start.
//!
//! Its own file because demos, tests and the README name these constants; nothing else of the simulator
//! should be needed to try a delete. All keys are fakes and say so.
//!
//! Does not know requests; `library` and `options` start from here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::media::{Category, Distribution, Media, Part, PartKind};
use super::options::Key;

/// The permanent pair's id, of the root account.
pub const SECRET_ID: &str = "AKIDsandbox0000000000000000NOTREAL01";
/// The permanent pair's key.
pub const SECRET_KEY: &str = "sandbox-secret-key-0001-not-real";

/// The temporary triple: id.
pub const TEMPORARY_SECRET_ID: &str = "AKIDsandbox0000000000000000NOTREAL02";
/// The temporary triple: key.
pub const TEMPORARY_SECRET_KEY: &str = "sandbox-secret-key-0002-not-real";
/// The temporary triple: token, which does not expire by itself.
pub const TEMPORARY_TOKEN: &str = "sandbox-session-token/0002+not-real==";

/// A temporary triple whose token has expired: id.
pub const EXPIRED_SECRET_ID: &str = "AKIDsandbox0000000000000000NOTREAL03";
/// A temporary triple whose token has expired: key.
pub const EXPIRED_SECRET_KEY: &str = "sandbox-secret-key-0003-not-real";
/// A temporary triple whose token has expired: token (`AuthFailure.TokenFailure`).
pub const EXPIRED_TOKEN: &str = "sandbox-session-token/0003+expired+not-real==";

/// The root account, which owns the permanent pair.
pub const ACCOUNT: &str = "100000000001";
/// The role session that owns the temporary triples; it counts as a sub-account of its own.
pub const TEMPORARY_ACCOUNT: &str = "100000000002";

/// The main application: the one meant when `SubAppId` is absent or 0 (accounts from before 2023-12-25).
pub const SUB_APP_MAIN: u64 = 1_500_000_001;
/// Another application of the same account.
pub const SUB_APP_OTHER: u64 = 1_500_000_002;
/// Every application, with its name and state.
pub const SUB_APPS: [(u64, &str, &str); 2] = [(SUB_APP_MAIN, "main", "On"), (SUB_APP_OTHER, "other", "On")];

/// How many ordinary videos there are: `video(0)` to `video(VIDEOS - 1)`.
pub const VIDEOS: u64 = 48;
/// Videos that the option `bulk_media` adds at most.
pub const MAX_BULK: u32 = 1_000_000;
const FIRST_VIDEO: u64 = 5_285_890_784_000_000_000;

/// An audio: original and two transcodes.
pub const AUDIO: &str = "5285890784100000001";
/// An image: original only.
pub const IMAGE: &str = "5285890784100000002";
/// A second image.
pub const IMAGE_2: &str = "5285890784100000003";
/// A video without any playable rendition: only the original, listed as Definition 0.
pub const ORIGINAL_ONLY: &str = "5285890784100000004";
/// A video whose original is already deleted; transcodes and adaptive outputs are left.
pub const WITHOUT_ORIGINAL: &str = "5285890784100000005";
/// A video on which a processing task runs (see the option `busy`).
pub const BUSY: &str = "5285890784100000006";
/// A video of the application [`SUB_APP_OTHER`].
pub const IN_OTHER_APP: &str = "5285890784100000007";
/// A video whose status is `Forbidden`: off the air, yet deletable.
pub const FORBIDDEN: &str = "5285890784100000008";
/// A video whose delete answers `UnauthorizedOperation`. The page grants by application, not by file; this
/// stands for a refusal that reads do not meet.
pub const LOCKED: &str = "5285890784100000009";
/// A video with products of `ProcessMediaByMPS`: the part types that only SDKs of 2026 have.
pub const WITH_MPS: &str = "5285890784100000010";
/// A video that the platform itself has banned: it can be neither forbidden nor recovered, yet deleted.
pub const BANNED: &str = "5285890784100000011";
/// A video in archive storage, which has no distribution to forbid.
pub const ARCHIVED: &str = "5285890784100000012";
/// Never held by anybody.
pub const MISSING: &str = "5285890784199999999";

/// The transcode templates of an ordinary video.
pub const TRANSCODES: [i64; 3] = [100_010, 100_020, 100_030];
/// The pseudo template of the HLS master playlist.
pub const MASTER_PLAYLIST: i64 = 10_000;
/// The adaptive templates of an ordinary video.
pub const ADAPTIVES: [i64; 2] = [10, 12];

/// The id of an ordinary video: 19 digits, as the vendor's are.
#[must_use]
pub fn video(n: u64) -> String {
    // A step that is no round number, so that ids do not differ in their last digits only.
    (FIRST_VIDEO + n * 1_000_003).to_string()
}

/// The parts of an ordinary video: original, transcodes with a master playlist, adaptive outputs, and the two
/// kinds of `WeChat` copies, which exist but are listed nowhere.
#[must_use]
pub(super) fn video_parts() -> Vec<Part> {
    let mut parts = vec![Part::new(PartKind::OriginalFiles, 0)];
    let transcodes = TRANSCODES.into_iter().chain([MASTER_PLAYLIST]);
    parts.extend(transcodes.map(|definition| Part::new(PartKind::TranscodeFiles, definition)));
    let adaptives = ADAPTIVES.into_iter();
    parts.extend(adaptives.map(|definition| Part::new(PartKind::AdaptiveDynamicStreamingFiles, definition)));
    parts.push(Part::new(PartKind::WechatPublishFiles, 0));
    parts.push(Part::new(PartKind::WechatMiniProgramPublishFiles, 0));
    parts
}

pub(super) fn keys() -> BTreeMap<String, Key> {
    let permanent =
        Key { secret_key: SECRET_KEY.to_owned(), token: None, expires_at: None, account: ACCOUNT.to_owned() };
    let temporary = |secret_key: &str, token: &str, expires_at| Key {
        secret_key: secret_key.to_owned(),
        token: Some(token.to_owned()),
        expires_at,
        account: TEMPORARY_ACCOUNT.to_owned(),
    };
    let long_ago = Some(jiff::Timestamp::UNIX_EPOCH);
    [
        (SECRET_ID, permanent),
        (TEMPORARY_SECRET_ID, temporary(TEMPORARY_SECRET_KEY, TEMPORARY_TOKEN, None)),
        (EXPIRED_SECRET_ID, temporary(EXPIRED_SECRET_KEY, EXPIRED_TOKEN, long_ago)),
    ]
    .map(|(id, key)| (id.to_owned(), key))
    .into()
}

pub(super) fn library() -> HashMap<String, Media> {
    let whole: Arc<[Part]> = video_parts().into();
    let video_of = |app| Media::new(app, Category::Video, Arc::clone(&whole));
    let video_with = |change: fn(&mut Media)| {
        let mut media = video_of(SUB_APP_MAIN);
        change(&mut media);
        media
    };
    let main = |category, parts: Vec<Part>| Media::new(SUB_APP_MAIN, category, parts.into());
    let original = || vec![Part::new(PartKind::OriginalFiles, 0)];

    let mut audio = original();
    audio.extend([1010, 1020].map(|definition| Part::new(PartKind::TranscodeFiles, definition)));
    let mut without_original = video_parts();
    without_original.retain(|part| part.kind != PartKind::OriginalFiles);
    let mut with_mps = video_parts();
    with_mps.extend(PartKind::ALL[5..].iter().map(|kind| Part::new(*kind, 30)));

    let mut media: HashMap<String, Media> = (0..VIDEOS).map(|n| (video(n), video_of(SUB_APP_MAIN))).collect();
    let special = [
        (AUDIO, main(Category::Audio, audio)),
        (IMAGE, main(Category::Image, original())),
        (IMAGE_2, main(Category::Image, original())),
        (ORIGINAL_ONLY, main(Category::Video, original())),
        (WITHOUT_ORIGINAL, main(Category::Video, without_original)),
        (BUSY, video_with(|media| media.busy = true)),
        (IN_OTHER_APP, video_of(SUB_APP_OTHER)),
        (FORBIDDEN, video_with(|media| media.distribution = Distribution::Forbidden)),
        (BANNED, video_with(|media| media.distribution = Distribution::Banned)),
        (ARCHIVED, video_with(|media| media.archived = true)),
        (LOCKED, video_with(|media| media.locked = true)),
        (WITH_MPS, main(Category::Video, with_mps)),
    ];
    media.extend(special.map(|(id, one)| (id.to_owned(), one)));
    media
}
