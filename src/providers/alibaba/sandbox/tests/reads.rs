//! The reads as claims: section 4 of the contract page, wrappers and traps included.

use serde_json::{Value, json};

use super::super::seed;
use super::Bench;

fn jobs(list: &Value) -> Vec<&str> {
    list["PlayInfoList"]["PlayInfo"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stream| stream["JobId"].as_str().unwrap())
        .collect()
}

#[test]
fn snapshots_are_wrapped_for_one_video_and_plain_for_many() {
    let bench = Bench::new();
    let one = bench.call("GetVideoInfo", &[("ReferenceId", seed::REFERENCE)]);
    assert!(one.body["Video"]["Snapshots"]["Snapshot"].is_array());
    assert_eq!(one.body["Video"]["ReferenceId"], seed::REFERENCE);
    let ids = format!("{},{},{}", seed::NORMAL, seed::MISSING, seed::OTHER_APPLICATION);
    let many = bench.call("GetVideoInfos", &[("VideoIds", &ids)]);
    assert!(many.body["VideoList"][0]["Snapshots"].is_array());
    assert_eq!(many.body["NonExistVideoIds"], json!([seed::MISSING, seed::OTHER_APPLICATION]));
    let none = bench.call("GetVideoInfos", &[("VideoIds", seed::MISSING)]);
    assert_eq!(none.code(), (404, "InvalidVideo.NotFound"));
    let foreign = bench.call("GetVideoInfo", &[("VideoId", seed::OTHER_APPLICATION)]);
    assert_eq!(foreign.code(), (403, "Forbidden"));
}

#[test]
fn the_batch_read_lists_streams_plain_and_works_in_any_status() {
    let bench = Bench::new();
    let ids = [seed::TRANSCODING, seed::SOURCE_DELETED, seed::OTHER_APPLICATION, seed::MISSING].join(",");
    let heard = bench.call("BatchGetMediaInfos", &[("MediaIds", &ids)]);
    let infos = &heard.body["MediaInfos"];
    assert_eq!(infos[0]["PlayInfoList"].as_array().unwrap().len(), 1);
    assert_eq!(infos[1]["MezzanineInfo"]["Status"], "Deleted");
    assert_eq!(heard.body["ForbiddenMediaIds"], json!([seed::OTHER_APPLICATION]));
    assert_eq!(heard.body["NonExistMediaIds"], json!([seed::MISSING]));
    let by_reference = bench.call("BatchGetMediaInfos", &[("ReferenceIds", "sandbox-ref-0002,nothing")]);
    assert_eq!(by_reference.body["MediaInfos"][0]["MediaId"], seed::normal(2));
    assert_eq!(by_reference.body["NonExistReferenceIds"], json!(["nothing"]));
}

#[test]
fn single_hides_older_duplicates_and_multiple_shows_them() {
    let bench = Bench::new();
    let single = bench.call("GetPlayInfo", &[("VideoId", seed::NORMAL), ("Definition", "LD")]);
    assert_eq!(jobs(&single.body), [seed::job(seed::NORMAL, 2)]);
    let multiple = bench
        .call("GetPlayInfo", &[("VideoId", seed::NORMAL), ("Definition", "LD"), ("ResultType", "Multiple")]);
    assert_eq!(jobs(&multiple.body), [seed::job(seed::NORMAL, 1), seed::job(seed::NORMAL, 2)]);
    let all = bench.call("GetPlayInfo", &[("VideoId", seed::NORMAL), ("ResultType", "Multiple")]);
    assert_eq!(jobs(&all.body).len(), seed::RENDITIONS.len());
    let two = [("VideoId", seed::NORMAL), ("Formats", "m3u8,mp3")];
    assert_eq!(jobs(&bench.call("GetPlayInfo", &two).body).len(), 2);
    let sound = [("VideoId", seed::NORMAL), ("StreamType", "audio")];
    assert_eq!(jobs(&bench.call("GetPlayInfo", &sound).body).len(), 1);
}

#[test]
fn encrypted_streams_are_shown_by_multiple_only() {
    let bench = Bench::new();
    let fourth = seed::normal(4);
    let single = bench.call("GetPlayInfo", &[("VideoId", &fourth)]);
    assert!(!jobs(&single.body).contains(&&*seed::job(&fourth, 7)));
    let only = [("VideoId", seed::ENCRYPTED_ONLY)];
    assert_eq!(bench.call("GetPlayInfo", &only).code(), (403, "Forbidden.AliyunVoDEncryption"));
    let multiple = [("VideoId", seed::ENCRYPTED_ONLY), ("ResultType", "Multiple")];
    let heard = bench.call("GetPlayInfo", &multiple);
    let stream = &heard.body["PlayInfoList"]["PlayInfo"][0];
    assert_eq!((&stream["Encrypt"], &stream["EncryptType"]), (&json!(1), &json!("AliyunVoDEncryption")));
}

#[test]
fn play_info_refuses_what_is_not_normal_missing_or_filtered_away() {
    let bench = Bench::new();
    for (id, status, code) in [
        (seed::TRANSCODING, 403, "Forbidden.IllegalStatus"),
        (seed::UPLOADING, 403, "Forbidden.IllegalStatus"),
        (seed::MISSING, 404, "InvalidVideo.NotFound"),
    ] {
        assert_eq!(bench.call("GetPlayInfo", &[("VideoId", id)]).code(), (status, code));
    }
    let none = [("VideoId", seed::NORMAL), ("Definition", "4K")];
    assert_eq!(bench.call("GetPlayInfo", &none).code(), (404, "InvalidVideo.NoneStream"));
    let original = bench.call("GetPlayInfo", &[("VideoId", seed::NO_TRANSCODE)]);
    assert_eq!(jobs(&original.body), [""]);
}

#[test]
fn a_deleted_source_is_a_status_or_a_404() {
    let read = |bench: &Bench| bench.call("GetMezzanineInfo", &[("VideoId", seed::SOURCE_DELETED)]);
    assert_eq!(read(&Bench::new()).body["Mezzanine"]["Status"], "Deleted");
    let bench = Bench::with(&json!({"deleted_source": "not_found"}));
    assert_eq!(read(&bench).code(), (404, "InvalidFile.NotFound"));
}

#[test]
fn numbers_can_come_as_strings() {
    let bench = Bench::with(&json!({"numbers_as_strings": true}));
    let heard = bench.call("GetVideoInfo", &[("VideoId", seed::NORMAL)]);
    assert_eq!(heard.body["Video"]["Size"], "104857600");
}

#[test]
fn images_are_an_object_for_one_and_an_array_for_many() {
    let bench = Bench::new();
    let one = bench.call("GetImageInfo", &[("ImageId", seed::COVER_IMAGE)]);
    assert_eq!(one.body["ImageInfo"]["ImageType"], "cover");
    assert!(one.body["ImageInfo"]["Mezzanine"]["FileSize"].is_string());
    let missing = bench.call("GetImageInfo", &[("ImageId", seed::MISSING)]);
    assert_eq!(missing.code(), (404, "NoSuchResource"));
    let ids = format!("{},{}", seed::IMAGE, seed::MISSING);
    let many = bench.call("GetImageInfos", &[("ImageIds", &ids)]);
    assert_eq!(many.body["ImageInfo"][0]["ImageId"], seed::IMAGE);
    assert_eq!(many.body["NonExistImageIds"], json!([seed::MISSING]));
}

#[test]
fn snapshots_are_paged_by_kind() {
    let bench = Bench::new();
    let list = |more: &[(&str, &str)]| {
        let mut parameters = vec![("VideoId", seed::NORMAL)];
        parameters.extend(more);
        bench.call("ListSnapshots", &parameters)
    };
    assert_eq!(list(&[]).body["MediaSnapshot"]["Total"], 1, "covers by default");
    let second = list(&[("SnapshotType", "NormalSnapshot"), ("PageNo", "2"), ("PageSize", "2")]);
    let shown = &second.body["MediaSnapshot"]["Snapshots"]["Snapshot"];
    assert_eq!((shown.as_array().unwrap().len(), &shown[0]["Index"]), (1, &json!(3)));
    assert_eq!(list(&[("PageSize", "101")]).code(), (400, "InvalidParameter"));
    let busy = bench.call("ListSnapshots", &[("VideoId", seed::TRANSCODING)]);
    assert_eq!(busy.code(), (400, "Forbidden.IllegalStatus"));
}

#[test]
fn attached_media_have_their_own_limit_code() {
    let bench = Bench::new();
    let heard = bench.call("GetAttachedMediaInfo", &[("MediaIds", seed::ATTACHED)]);
    assert_eq!(heard.body["AttachedMediaList"][0]["MediaId"], seed::ATTACHED);
    let ids = ["a"; 21].join(",");
    let heard = bench.call("GetAttachedMediaInfo", &[("MediaIds", &ids)]);
    assert_eq!(heard.code(), (400, "ExceededMax"));
}
