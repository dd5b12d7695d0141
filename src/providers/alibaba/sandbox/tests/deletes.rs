//! The deletes as claims: sections 3.1 to 3.5 of the contract page.

use serde_json::{Value, json};

use super::super::{assets::SnapshotKind, seed};
use super::Bench;
use crate::sandbox::Vendor;

fn joined(ids: &[&str]) -> String {
    ids.join(",")
}

fn normals(count: u32) -> String {
    let ids: Vec<String> = (1..=count).map(seed::normal).collect();
    ids.join(",")
}

#[test]
fn a_batch_is_partly_done_and_says_what_was_not() {
    let bench = Bench::new();
    let ids = joined(&[seed::NORMAL, seed::MISSING, seed::OTHER_APPLICATION, seed::UPLOADING]);
    let heard = bench.call("DeleteVideo", &[("VideoIds", &ids)]);
    assert_eq!((heard.status, &*heard.verdict), (200, "partial"));
    assert_eq!(heard.body["NonExistVideoIds"], json!([seed::MISSING]));
    assert_eq!(heard.body["ForbiddenVideoIds"], json!([seed::OTHER_APPLICATION]));
    assert_eq!(heard.body["NonExistReferenceIds"], json!([]));
    assert_eq!(heard.removed(), [seed::NORMAL, seed::UPLOADING]);
    assert_eq!(heard.effects.len(), 4);
    assert!(!bench.vendor.has_video(seed::NORMAL));
    assert!(bench.vendor.has_video(seed::OTHER_APPLICATION));
}

#[test]
fn when_none_exists_the_call_is_an_error_whose_status_is_a_switch() {
    for status in [404, 400] {
        let bench = Bench::with(&json!({"all_missing_status": status}));
        let heard = bench.call("DeleteVideo", &[("VideoIds", seed::MISSING)]);
        assert_eq!(heard.code(), (status, "InvalidVideo.NotFound"));
        assert_eq!(heard.verdict, "InvalidVideo.NotFound");
    }
    let bench = Bench::new();
    let forbidden = joined(&[seed::MISSING, seed::OTHER_APPLICATION]);
    assert_eq!(bench.call("DeleteVideo", &[("VideoIds", &forbidden)]).status, 200);
}

#[test]
fn twenty_ids_are_the_most() {
    let bench = Bench::new();
    let heard = bench.call("DeleteVideo", &[("VideoIds", &normals(21))]);
    assert_eq!(heard.code(), (400, "VideoIdsExceededMax"));
    let heard = bench.call("DeleteVideo", &[("VideoIds", &normals(20))]);
    assert_eq!((heard.status, heard.removed().len()), (200, 20));
    let jobs = ["x"; 21].join(",");
    let heard = bench.call("DeleteStream", &[("VideoId", seed::NORMAL), ("JobIds", &jobs)]);
    assert_eq!(heard.code(), (400, "JobIdsExceededMax"));
}

#[test]
fn selectors_are_needed_and_exclude_each_other() {
    let bench = Bench::new();
    assert_eq!(bench.call("DeleteVideo", &[]).code(), (400, "MissingVideoIds"));
    assert_eq!(bench.call("DeleteStream", &[("VideoId", seed::NORMAL)]).code(), (400, "MissingJobIds"));
    let both = [("VideoIds", seed::NORMAL), ("ReferenceIds", seed::REFERENCE)];
    assert_eq!(bench.call("DeleteVideo", &both).code(), (400, "InvalidParameter"));
    assert!(bench.vendor.has_video(seed::NORMAL));
}

#[test]
fn reference_ids_name_videos_until_they_are_gone() {
    let bench = Bench::new();
    let ids = joined(&[seed::REFERENCE, "no-such-ref"]);
    let heard = bench.call("DeleteVideo", &[("ReferenceIds", &ids)]);
    assert_eq!(heard.body["NonExistReferenceIds"], json!(["no-such-ref"]));
    assert_eq!(heard.body["NonExistVideoIds"], json!([]));
    assert_eq!(heard.removed(), [seed::NORMAL]);
    let again = bench.call("DeleteVideo", &[("ReferenceIds", seed::REFERENCE)]);
    assert_eq!(again.code(), (404, "InvalidVideo.NotFound"));
    assert!(bench.vendor.bind_reference(seed::REFERENCE, &seed::normal(30)));
    let rebound = bench.call("DeleteVideo", &[("ReferenceIds", seed::REFERENCE)]);
    assert_eq!(rebound.removed(), [seed::normal(30)]);
}

#[test]
fn a_busy_video_refuses_the_call_or_is_listed() {
    let ids = joined(&[seed::NORMAL, seed::TRANSCODING]);
    let bench = Bench::new();
    let heard = bench.call("DeleteVideo", &[("VideoIds", &ids)]);
    assert_eq!(heard.code(), (403, "Forbidden.IllegalStatus"));
    let message = heard.body["Message"].as_str().unwrap();
    assert_eq!(message, "Currently Video Status is Transcoding and AuditStatus is Init.");
    assert!(heard.removed().is_empty() && bench.vendor.has_video(seed::NORMAL));

    let bench = Bench::with(&json!({"busy_in_batch": "list", "illegal_status": 400}));
    let heard = bench.call("DeleteVideo", &[("VideoIds", &ids)]);
    assert_eq!(heard.body["ForbiddenVideoIds"], json!([seed::TRANSCODING]));
    assert_eq!(heard.removed(), [seed::NORMAL]);
    let alone = bench.call("DeleteVideo", &[("VideoIds", seed::TRANSCODING)]);
    assert_eq!(alone.code(), (400, "Forbidden.IllegalStatus"));
    assert!(bench.vendor.set_status(seed::TRANSCODING, "Normal"));
    let later = bench.call("DeleteVideo", &[("VideoIds", seed::TRANSCODING)]);
    assert_eq!(later.status, 200);
}

#[test]
fn id_lists_come_in_every_printed_encoding() {
    let second = format!("{}x", seed::MISSING);
    let ids = joined(&[seed::NORMAL, seed::MISSING, &second]);
    let text = json!([seed::MISSING, second]).to_string();
    for (encoding, expected) in [
        ("array", json!([seed::MISSING, second])),
        ("bare_string", json!([seed::MISSING, second])),
        ("comma_string", json!(format!("{},{second}", seed::MISSING))),
        ("json_in_array", json!([text])),
        ("json_string", json!(text)),
    ] {
        let bench = Bench::with(&json!({"id_lists": encoding, "empty_lists": "omit"}));
        let heard = bench.call("DeleteVideo", &[("VideoIds", &ids)]);
        assert_eq!(heard.body["NonExistVideoIds"], expected, "{encoding}");
        assert_eq!(heard.body.get("ForbiddenVideoIds"), None);
    }
    let bench = Bench::with(&json!({"id_lists": "bare_string", "empty_lists": "null"}));
    let ids = joined(&[seed::NORMAL, seed::MISSING]);
    let heard = bench.call("DeleteVideo", &[("VideoIds", &ids)]);
    assert_eq!(heard.body["NonExistVideoIds"], seed::MISSING);
    assert_eq!(heard.body["ForbiddenVideoIds"], Value::Null);
}

#[test]
fn streams_go_by_job_id_all_or_none_unless_switched() {
    let (first, second) = (seed::job(seed::NORMAL, 0), seed::job(seed::NORMAL, 1));
    let of_another = seed::job(&seed::normal(2), 0);
    let good = format!("{first},{second}");
    let mixed = format!("{first},{of_another}");
    let delete = |bench: &Bench, jobs: &str| {
        bench.call("DeleteStream", &[("VideoId", seed::NORMAL), ("JobIds", jobs)])
    };
    let bench = Bench::new();
    let heard = delete(&bench, &mixed);
    assert_eq!(heard.code(), (404, "InvalidStream.NotFound"));
    assert!(heard.removed().is_empty());
    assert_eq!(bench.vendor.stream_ids(seed::NORMAL).len(), seed::RENDITIONS.len());

    let heard = delete(&bench, &good);
    assert_eq!((heard.status, heard.removed().len()), (200, 2));
    assert_eq!(heard.body.as_object().unwrap().len(), 1, "RequestId only");
    assert!(bench.vendor.has_video(seed::NORMAL));
    assert_eq!(delete(&bench, &first).code().1, "InvalidStream.NotFound");

    let bench = Bench::with(&json!({"bad_unit": "partial"}));
    let heard = delete(&bench, &mixed);
    assert_eq!(heard.code(), (404, "InvalidStream.NotFound"));
    assert_eq!(heard.removed(), [format!("{}#{first}", seed::NORMAL)]);
}

#[test]
fn streams_of_missing_foreign_and_busy_videos_are_refused() {
    let bench = Bench::new();
    for (id, status, code) in [
        (seed::MISSING, 404, "InvalidVideo.NotFound"),
        (seed::OTHER_APPLICATION, 403, "Forbidden"),
        (seed::TRANSCODING, 403, "Forbidden.IllegalStatus"),
    ] {
        let heard = bench.call("DeleteStream", &[("VideoId", id), ("JobIds", "a")]);
        assert_eq!(heard.code(), (status, code));
    }
    let job = seed::job(seed::NORMAL, 3);
    let by_reference = [("ReferenceId", seed::REFERENCE), ("JobIds", &*job)];
    assert_eq!(bench.call("DeleteStream", &by_reference).status, 200);
}

#[test]
fn sources_that_are_played_need_force_and_rights_cannot_be_forced() {
    let bench = Bench::new();
    let ids = joined(&[
        seed::NORMAL,
        seed::NO_TRANSCODE,
        seed::ASYNC_TRANSCODE,
        seed::OTHER_APPLICATION,
        seed::SOURCE_DELETED,
        seed::MISSING,
    ]);
    let heard = bench.call("DeleteMezzanines", &[("VideoIds", &ids)]);
    let kept = json!([seed::NO_TRANSCODE, seed::ASYNC_TRANSCODE, seed::OTHER_APPLICATION]);
    assert_eq!(heard.body["UnRemoveableVideoIds"], kept);
    assert_eq!(heard.body["NonExistVideoIds"], json!([seed::MISSING]));
    assert_eq!(heard.removed(), [format!("{}#source", seed::NORMAL)]);
    assert!(!bench.vendor.has_source(seed::NORMAL) && bench.vendor.has_video(seed::NORMAL));
    assert!(!bench.vendor.stream_ids(seed::NORMAL).is_empty(), "streams stay");

    let heard = bench.call("DeleteMezzanines", &[("VideoIds", &ids), ("Force", "True")]);
    assert_eq!(heard.body["UnRemoveableVideoIds"], json!([seed::OTHER_APPLICATION]));
    assert!(bench.vendor.stream_ids(seed::NO_TRANSCODE).is_empty());
    let heard = bench.call("DeleteMezzanines", &[("VideoIds", seed::MISSING)]);
    assert_eq!(heard.code(), (404, "InvalidVideo.NotFound"));
    let bad = [("VideoIds", seed::NORMAL), ("Force", "yes")];
    assert_eq!(bench.call("DeleteMezzanines", &bad).status, 400);
}

#[test]
fn images_go_by_id_and_by_url() {
    let bench = Bench::new();
    let by_id = [("DeleteImageType", "ImageId"), ("ImageIds", seed::COVER_IMAGE)];
    let heard = bench.call("DeleteImage", &by_id);
    assert_eq!(heard.removed(), [seed::COVER_IMAGE]);
    assert_eq!(heard.body.as_object().unwrap().len(), 1, "RequestId only");
    assert_eq!(bench.call("DeleteImage", &by_id).code(), (404, "NoSuchResource"));

    let split = [("DeleteImageType", "ImageURL"), ("ImageURLs", seed::COMMA_IMAGE_URL)];
    assert_eq!(bench.call("DeleteImage", &split).status, 404, "a bare comma splits the URL");
    let snapshot = seed::snapshot_url(seed::NORMAL, SnapshotKind::Normal.name(), 2);
    let urls = format!("{},{},{snapshot}", seed::image_url(1), seed::COMMA_IMAGE_URL.replace(',', "%2C"));
    let heard = bench.call("DeleteImage", &[("DeleteImageType", "ImageURL"), ("ImageURLs", &urls)]);
    assert_eq!(
        heard.removed(),
        [seed::IMAGE.to_owned(), seed::COMMA_IMAGE.to_owned(), format!("{}#NormalSnapshot/2", seed::NORMAL)]
    );
}

#[test]
fn one_missing_image_stops_the_call_unless_switched() {
    let ids = joined(&[seed::IMAGE, seed::MISSING]);
    let parameters = [("DeleteImageType", "ImageId"), ("ImageIds", &*ids)];
    let bench = Bench::new();
    let heard = bench.call("DeleteImage", &parameters);
    assert_eq!(heard.code(), (404, "NoSuchResource"));
    assert!(bench.vendor.has_image(seed::IMAGE));
    let bench = Bench::with(&json!({"bad_unit": "partial"}));
    let heard = bench.call("DeleteImage", &parameters);
    assert_eq!(heard.code(), (404, "NoSuchResource"));
    assert_eq!(heard.removed(), [seed::IMAGE]);
}

#[test]
fn snapshots_go_by_video_and_kind() {
    let bench = Bench::new();
    let delete = |kind: &str| {
        bench.call(
            "DeleteImage",
            &[("DeleteImageType", "VideoId"), ("VideoId", seed::NORMAL), ("ImageType", kind)],
        )
    };
    assert_eq!(
        delete("CoverSnapshot,NormalSnapshot").removed(),
        [format!("{}#CoverSnapshot", seed::NORMAL), format!("{}#NormalSnapshot", seed::NORMAL)]
    );
    assert_eq!(delete("CoverSnapshot").code(), (404, "NoSuchResource"));
    assert_eq!(delete("All").removed().len(), 2, "sprites are left, WebVTT is not a kind here");
    for bad in ["All,CoverSnapshot", "WebVttSnapshot", "cover"] {
        assert_eq!(delete(bad).code(), (400, "InvalidParameter"));
    }
    for (parameters, code) in [
        (vec![("DeleteImageType", "Video")], "InvalidParameter"),
        (vec![("ImageIds", seed::IMAGE)], "MissingDeleteImageType"),
        (vec![("DeleteImageType", "ImageId")], "MissingImageIds"),
        (vec![("DeleteImageType", "ImageURL")], "MissingImageURLs"),
        (vec![("DeleteImageType", "VideoId"), ("VideoId", seed::NORMAL)], "MissingImageType"),
    ] {
        assert_eq!(bench.call("DeleteImage", &parameters).code(), (400, code));
    }
}

#[test]
fn attached_media_are_listed_when_missing_and_never_an_error() {
    let bench = Bench::new();
    let ids = joined(&[seed::ATTACHED, seed::MISSING]);
    let heard = bench.call("DeleteAttachedMedia", &[("MediaIds", &ids)]);
    assert_eq!(heard.body["NonExistMediaIds"], json!([seed::MISSING]));
    assert_eq!(heard.removed(), [seed::ATTACHED]);
    let again = bench.call("DeleteAttachedMedia", &[("MediaIds", &ids)]);
    assert_eq!((again.status, &*again.verdict), (200, "partial"));
    assert!(!bench.vendor.has_attached(seed::ATTACHED));
}

#[test]
fn reads_may_show_an_asset_for_a_while_after_its_delete() {
    let mut bench = Bench::with(&json!({"visible_after_delete_ms": 5_000}));
    let read = |bench: &Bench| bench.call("GetVideoInfo", &[("VideoId", seed::NORMAL)]).status;
    let by_reference = [("ReferenceId", seed::REFERENCE)];
    bench.call("DeleteVideo", &[("VideoIds", seed::NORMAL)]);
    assert_eq!(read(&bench), 200);
    assert_eq!(bench.call("GetVideoInfo", &by_reference).status, 200);
    let again = bench.call("DeleteVideo", &[("VideoIds", seed::NORMAL)]);
    assert_eq!(again.status, 404, "a delete sees the truth");
    bench.pass(5_000);
    assert_eq!(read(&bench), 404);
    assert_eq!(bench.call("GetVideoInfo", &by_reference).status, 404);
}

#[test]
fn a_peek_names_operation_ids_key_and_nonce_before_any_check() {
    let bench = Bench::new();
    let ids = joined(&[seed::NORMAL, seed::MISSING]);
    let draft = bench.draft("DeleteVideo", &[("VideoIds", &ids)]);
    for (request, scheme) in
        [(draft.acs3(), "acs3-hmac-sha256"), (draft.rpc_v1(http::Method::POST), "rpc-v1-hmac-sha1")]
    {
        let peek = bench.vendor.peek(&request);
        assert_eq!((&*peek.operation, &*peek.scheme), ("DeleteVideo", scheme));
        assert_eq!(peek.ids, [seed::NORMAL, seed::MISSING]);
        assert_eq!(peek.key_id.as_deref(), Some(seed::ACCESS_KEY_ID));
        assert_eq!(peek.nonce.as_ref(), Some(&draft.nonce));
    }
}
