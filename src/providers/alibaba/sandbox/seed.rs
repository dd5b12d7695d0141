//! What the simulator starts with: keys, and a library with one of everything that a page
//! treats differently.
//!
//! Public and constant, so that the demo and the tests can name an asset and know its fate. All
//! ids are made, all keys are fake and work nowhere else. The library is rebuilt from here at
//! every reset; nothing here depends on the time or on chance.

use super::{
    assets::{Attached, Image, Mode, SnapshotKind, Video},
    library::Library,
};

/// The key pair of the account.
pub const ACCESS_KEY_ID: &str = "FAKESANDBOXALIBABAKEY01";
pub const ACCESS_KEY_SECRET: &str = "FakeSandboxSecretAlibaba/01+Only";

/// A temporary key with its token.
pub const STS_KEY_ID: &str = "STS.FAKESANDBOXALIBABA01";
pub const STS_SECRET: &str = "FakeSandboxSecretAlibaba/Sts+Only";
pub const STS_TOKEN: &str = "FakeSandboxToken/Alibaba+sts==";

/// A temporary key whose token has expired.
pub const EXPIRED_STS_KEY_ID: &str = "STS.FAKESANDBOXALIBABA02";
pub const EXPIRED_STS_SECRET: &str = "FakeSandboxSecretAlibaba/Old+Only";
pub const EXPIRED_STS_TOKEN: &str = "FakeSandboxToken/Alibaba+old==";

/// A key pair that was disabled.
pub const DISABLED_KEY_ID: &str = "FAKESANDBOXALIBABAKEY99";
pub const DISABLED_SECRET: &str = "FakeSandboxSecretAlibaba/99+Only";

/// How many normal videos there are; see [`normal`].
pub const NORMAL_VIDEOS: u32 = 48;

/// The first normal video, with everything a video can have.
pub const NORMAL: &str = "5eed0000000000000000000000000001";
/// The reference id of [`NORMAL`].
pub const REFERENCE: &str = "sandbox-ref-0001";
/// Normal videos 1 to this have reference ids; see [`reference()`].
pub const REFERENCES: u32 = 10;

/// Being transcoded: cannot be deleted or listed by streams.
pub const TRANSCODING: &str = "5eed000000000000000000000000b001";
/// Being uploaded: may be deleted.
pub const UPLOADING: &str = "5eed000000000000000000000000b002";
/// Belongs to another application: no right on it.
pub const OTHER_APPLICATION: &str = "5eed000000000000000000000000b003";
/// Not transcoded: its source file is what is played.
pub const NO_TRANSCODE: &str = "5eed000000000000000000000000b004";
/// Normal, but the source file was deleted before.
pub const SOURCE_DELETED: &str = "5eed000000000000000000000000b005";
/// Has only streams encrypted by the vendor.
pub const ENCRYPTED_ONLY: &str = "5eed000000000000000000000000b006";
/// Transcoded asynchronously: its source file is played too.
pub const ASYNC_TRANSCODE: &str = "5eed000000000000000000000000b007";
/// Blocked by review; deletable like a normal one.
pub const BLOCKED: &str = "5eed000000000000000000000000b008";
/// Never there: for "missing".
pub const MISSING: &str = "5eed000000000000000000000000dead";

/// How many images there are; see [`image`]. Odd ones are of type default, even ones cover.
pub const IMAGES: u32 = 12;
pub const IMAGE: &str = "1a6e0000000000000000000000000001";
pub const COVER_IMAGE: &str = "1a6e0000000000000000000000000002";
/// The URL of this image has a comma in it and must be encoded before it is put into a list.
pub const COMMA_IMAGE: &str = "1a6e0000000000000000000000000003";
pub const COMMA_IMAGE_URL: &str = "https://media.sandbox.example/image/wide,large.jpg";

/// How many attached media there are; see [`attached`].
pub const ATTACHED_MEDIA: u32 = 12;
pub const ATTACHED: &str = "a77a0000000000000000000000000001";

/// Videos the library holds at most.
pub const MAX_VIDEOS: usize = 1_100_000;
/// Videos that the option `bulk_videos` adds at most.
pub const MAX_BULK: u32 = 1_000_000;

/// The id of normal video `n`, from 1 to [`NORMAL_VIDEOS`].
#[must_use]
pub fn normal(n: u32) -> String {
    format!("5eed{n:028x}")
}

/// The reference id of normal video `n`, from 1 to [`REFERENCES`].
#[must_use]
pub fn reference(n: u32) -> String {
    format!("sandbox-ref-{n:04}")
}

/// The id of bulk video `n`, from 0.
#[must_use]
pub fn bulk(n: u32) -> String {
    format!("b01c{n:028x}")
}

/// The id of image `n`, from 1 to [`IMAGES`].
#[must_use]
pub fn image(n: u32) -> String {
    format!("1a6e{n:028x}")
}

/// The URL of image `n`, but for [`COMMA_IMAGE`].
#[must_use]
pub fn image_url(n: u32) -> String {
    format!("https://media.sandbox.example/image/{}.jpg", image(n))
}

/// The id of attached medium `n`, from 1 to [`ATTACHED_MEDIA`].
#[must_use]
pub fn attached(n: u32) -> String {
    format!("a77a{n:028x}")
}

/// The job id of rendition `n` of a video, from 0; see [`RENDITIONS`]. An id made of 32
/// characters gives one of 32.
#[must_use]
pub fn job(video: &str, n: usize) -> String {
    // The head of the video's id stays in, so that no two videos share a job id.
    let head: String = video.chars().take(2).collect();
    let tail: String = video.chars().skip(4).collect();
    format!("{n:02x}{head}{tail}")
}

/// The URL of a snapshot of a video, numbered from 1 within its kind.
#[must_use]
pub fn snapshot_url(video: &str, kind: &str, number: u16) -> String {
    format!("https://media.sandbox.example/{video}/snapshots/{kind}/{number:05}.jpg")
}

/// Definition and format of the renditions of every normal video, oldest first: LD mp4 was made
/// twice, so the older one is hidden from a default `GetPlayInfo`.
pub const RENDITIONS: [(&str, &str); 7] = [
    ("FD", "mp4"),
    ("LD", "mp4"),
    ("LD", "mp4"),
    ("SD", "mp4"),
    ("SD", "m3u8"),
    ("HD", "mp4"),
    ("SQ", "mp3"),
];

/// Every fourth normal video also has this rendition, encrypted by the vendor.
pub const ENCRYPTED_RENDITION: (&str, &str) = ("HD", "m3u8");

fn normal_video(id: &str) -> Video {
    let mut video = Video::bare(id);
    for (definition, format) in RENDITIONS {
        video.render(definition, format, false);
    }
    for (kind, count) in [
        (SnapshotKind::Cover, 1),
        (SnapshotKind::Normal, 3),
        (SnapshotKind::Sprite, 2),
        (SnapshotKind::SpriteOrigin, 2),
        (SnapshotKind::WebVtt, 1),
    ] {
        video.snapshots.extend((1..=count).map(|number| (kind, number)));
    }
    video
}

fn special_videos() -> Vec<Video> {
    let of = |id: &str, change: fn(&mut Video)| {
        let mut video = normal_video(id);
        change(&mut video);
        video
    };
    vec![
        of(TRANSCODING, |video| {
            video.status = "Transcoding";
            video.streams.truncate(1);
        }),
        of(UPLOADING, |video| {
            video.status = "Uploading";
            video.streams.clear();
            video.snapshots.clear();
        }),
        of(OTHER_APPLICATION, |video| video.permitted = false),
        of(NO_TRANSCODE, |video| {
            video.mode = Mode::None;
            video.streams.clear();
            video.play_source();
        }),
        of(ASYNC_TRANSCODE, |video| {
            video.mode = Mode::Async;
            video.play_source();
        }),
        of(SOURCE_DELETED, |video| video.source_kept = false),
        of(ENCRYPTED_ONLY, |video| {
            video.streams.clear();
            video.render("SD", "m3u8", true);
            video.render("HD", "m3u8", true);
        }),
        of(BLOCKED, |video| video.status = "Blocked"),
    ]
}

pub(super) fn library() -> Library {
    let mut library = Library::default();
    for n in 1..=NORMAL_VIDEOS {
        let mut video = normal_video(&normal(n));
        if n % 4 == 0 {
            let (definition, format) = ENCRYPTED_RENDITION;
            video.render(definition, format, true);
        }
        library.add(video);
    }
    for video in special_videos() {
        library.add(video);
    }
    for n in 1..=REFERENCES {
        library.bind(&reference(n), &normal(n));
    }
    for n in 1..=IMAGES {
        let id = image(n);
        library.add_image(Image {
            url: if id == COMMA_IMAGE { COMMA_IMAGE_URL.to_owned() } else { image_url(n) },
            kind: if n % 2 == 0 { "cover" } else { "default" },
            id,
        });
    }
    for n in 1..=ATTACHED_MEDIA {
        library.add_attached(Attached {
            id: attached(n),
            kind: ["watermark", "subtitle", "material"][n as usize % 3],
        });
    }
    library
}
