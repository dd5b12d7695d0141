"""Drives `vodrm sandbox` with the vendors' own SDKs.

The simulators and vodrm's clients were written from the same pages, so they could
share a misreading. The SDKs were written by the vendors: what they sign must be
accepted, what they parse must be what was sent, and the simulators' ledgers must
say what truly happened. Every check runs for every signature scheme and method
that the SDKs can speak. Nothing leaves this machine: see `stay_on_loopback`.
"""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from urllib.parse import quote

# Ids and keys of the seeded libraries that `vodrm sandbox` does not print.
ALIBABA_STS = ("STS.FAKESANDBOXALIBABA01", "FakeSandboxSecretAlibaba/Sts+Only", "FakeSandboxToken/Alibaba+sts==")
ALIBABA_OLD_STS = ("STS.FAKESANDBOXALIBABA02", "FakeSandboxSecretAlibaba/Old+Only", "FakeSandboxToken/Alibaba+old==")
ALIBABA_NO_TRANSCODE = "5eed000000000000000000000000b004"
ALIBABA_COMMA_URL = "https://media.sandbox.example/image/wide,large.jpg"
TENCENT_STS = (
    "AKIDsandbox0000000000000000NOTREAL02",
    "sandbox-secret-key-0002-not-real",
    "sandbox-session-token/0002+not-real==",
)
TENCENT_OLD_STS = (
    "AKIDsandbox0000000000000000NOTREAL03",
    "sandbox-secret-key-0003-not-real",
    "sandbox-session-token/0003+expired+not-real==",
)
TENCENT_ORIGINAL_ONLY = "5285890784100000004"
TENCENT_IN_OTHER_APP = "5285890784100000007"
TENCENT_LOCKED = "5285890784100000009"
TENCENT_OTHER_APP = 1500000002


def stay_on_loopback():
    """Refuses any other address, before a byte is sent and before a name is looked up."""
    here = {"127.0.0.1", "::1", "localhost"}

    def watch(event, args):
        host = None
        if event == "socket.connect" and isinstance(args[1], tuple):
            host = args[1][0]
        elif event == "socket.getaddrinfo":
            host = args[0]
        if host is not None and host not in here:
            raise PermissionError(f"{event} to {host}: only loopback is allowed here")

    sys.addaudithook(watch)
    for name in list(os.environ):
        # No proxy, and no key of whoever runs this.
        if name.lower().endswith("_proxy") or name.startswith(("ALIBABA_CLOUD_", "TENCENTCLOUD_")):
            del os.environ[name]


class Refused(Exception):
    """A vendor's error, as its SDK gives it."""

    def __init__(self, code, status=None):
        super().__init__(f"{code} ({status})")
        self.code, self.status = code, status


class Simulator:
    """One vendor's simulator and its control endpoints."""

    def __init__(self, url, key, ids):
        self.url, self.key, self.ids = url, key, ids
        self.address = url.removeprefix("http://")

    def control(self, method, what):
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def reset(self):
        self.control("POST", "reset")

    def rows(self, after):
        return [json.loads(line) for line in self.control("GET", f"ledger?after={after}").splitlines()]


class Session:
    """One SDK with one signature against one simulator, freshly reset.

    `client` makes a function (action, parameters) -> answer from a key; `scheme` is
    what the ledger must call the signature.
    """

    def __init__(self, label, simulator, scheme, client):
        self.label, self.simulator, self.scheme, self.client = label, simulator, scheme, client
        self.seen = 0

    def ask(self, action, parameters, key=None, effects=None):
        """Calls, and holds the ledger against what the SDK told."""
        call = self.client(*(key or self.simulator.key))
        answer, code, status = None, None, 200
        try:
            answer = call(action, parameters)
        except Refused as refused:
            code, status = refused.code, refused.status
        rows = self.simulator.rows(self.seen)
        same("rows in the ledger", len(rows), 1)
        row = rows[0]
        self.seen = row["seq"]
        same("action in the ledger", row["action"], action)
        same("scheme in the ledger", row["scheme"], self.scheme)
        same("key in the ledger", row["account"], (key or self.simulator.key)[0])
        if code is None:
            same("verdict is a success", row["verdict"] in ("ok", "partial"), True)
        else:
            same("verdict in the ledger", row["verdict"], code)
        if status is not None:
            same("status in the ledger", row["status"], status)
        if effects is not None:
            found = [(it["id"], it.get("part"), it["effective"]) for it in row["effects"]]
            same("effects in the ledger", sorted(found, key=str), sorted(effects, key=str))
        if code is not None:
            raise Refused(code, status)
        return answer

    def refuses(self, code, status, action, parameters, **more):
        try:
            answer = self.ask(action, parameters, **more)
        except Refused as refused:
            same("code", refused.code, code)
            if status is not None:
                same("status", refused.status, status)
            return
        raise AssertionError(f"was not refused: {answer}")


def same(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r}, not {wanted!r}")


# ---- Alibaba ----


def alibaba_video(n):
    return f"5eed{n:028x}"


def alibaba_current(simulator, algorithm):
    """The generated SDK of today; its default signature is V3."""
    from alibabacloud_tea_openapi.exceptions import ClientException, ServerException
    from alibabacloud_tea_openapi.models import Config
    from alibabacloud_vod20170321 import models
    from alibabacloud_vod20170321.client import Client
    from darabonba.runtime import RuntimeOptions

    def client(key_id, secret, token=None):
        made = Client(
            Config(
                access_key_id=key_id,
                access_key_secret=secret,
                security_token=token,
                protocol="http",
                endpoint=simulator.address,
                signature_algorithm=algorithm,
                region_id="cn-shanghai",
            )
        )

        def call(action, parameters):
            snake = re.sub(r"(?<!^)(?=[A-Z])", "_", action).lower()
            request = getattr(models, f"{action}Request")().from_map(parameters)
            options = RuntimeOptions(autoretry=False, read_timeout=10_000, connect_timeout=5_000)
            try:
                answer = getattr(made, f"{snake}_with_options")(request, options)
            except (ClientException, ServerException) as error:
                raise Refused(error.code, error.status_code) from error
            return answer.body.to_map()

        return call

    return client


def alibaba_older(simulator, method):
    """The SDK before: RPC signature 1.0 with HMAC-SHA1."""
    import importlib

    from aliyunsdkcore.acs_exception.exceptions import ServerException
    from aliyunsdkcore.auth.credentials import AccessKeyCredential, StsTokenCredential
    from aliyunsdkcore.client import AcsClient

    def client(key_id, secret, token=None):
        key = StsTokenCredential(key_id, secret, token) if token else AccessKeyCredential(key_id, secret)
        made = AcsClient(region_id="cn-shanghai", credential=key, timeout=10, auto_retry=False)

        def call(action, parameters):
            module = importlib.import_module(f"aliyunsdkvod.request.v20170321.{action}Request")
            request = getattr(module, f"{action}Request")()
            for name, value in parameters.items():
                getattr(request, f"set_{name}")(value)
            request.set_method(method)
            request.set_protocol_type("http")
            request.set_endpoint(simulator.address)
            request.set_accept_format("json")
            try:
                return json.loads(made.do_action_with_exception(request))
            except ServerException as error:
                code = error.get_error_code()
                if code == "InvalidAccessKeySecret":
                    # The SDK's own word for a SignatureDoesNotMatch whose message quotes the very
                    # string that the SDK signed: then only the secret can be wrong.
                    code = "SignatureDoesNotMatch"
                raise Refused(code, error.get_http_status()) from error

        return call

    return client


def listed(answer, name):
    """A list of ids in an answer; absent and empty are the same."""
    return sorted(answer.get(name) or [])


def jobs(session, video, **more):
    answer = session.ask("GetPlayInfo", {"VideoId": video, "ResultType": "Multiple", **more})
    return [play["JobId"] for play in answer["PlayInfoList"]["PlayInfo"]]


def videos_are_deleted(s):
    one, two = alibaba_video(1), alibaba_video(2)
    answer = s.ask("DeleteVideo", {"VideoIds": f"{one},{two}"}, effects=[(one, None, True), (two, None, True)])
    same("lists", [listed(answer, "NonExistVideoIds"), listed(answer, "ForbiddenVideoIds")], [[], []])
    s.refuses("InvalidVideo.NotFound", 404, "GetVideoInfo", {"VideoId": one})


def a_batch_names_the_missing_and_the_barred(s):
    good, missing, other = alibaba_video(3), s.simulator.ids["missing"], s.simulator.ids["no right"]
    answer = s.ask(
        "DeleteVideo",
        {"VideoIds": f"{good},{missing},{other}"},
        effects=[(good, None, True), (missing, None, False), (other, None, False)],
    )
    same("NonExistVideoIds", listed(answer, "NonExistVideoIds"), [missing])
    same("ForbiddenVideoIds", listed(answer, "ForbiddenVideoIds"), [other])


def a_batch_of_missing_videos_is_an_error(s):
    missing = s.simulator.ids["missing"]
    effects = [(missing, None, False)]
    s.refuses("InvalidVideo.NotFound", 404, "DeleteVideo", {"VideoIds": missing}, effects=effects)


def a_busy_video_is_refused(s):
    busy = s.simulator.ids["transcoding"]
    s.refuses("Forbidden.IllegalStatus", 403, "DeleteVideo", {"VideoIds": busy}, effects=[(busy, None, False)])


def a_reference_names_a_video(s):
    video = alibaba_video(4)
    answer = s.ask("DeleteVideo", {"ReferenceIds": "sandbox-ref-0004,sandbox-ref-none"})
    same("NonExistReferenceIds", listed(answer, "NonExistReferenceIds"), ["sandbox-ref-none"])
    s.refuses("InvalidVideo.NotFound", 404, "GetVideoInfo", {"VideoId": video})


def twenty_one_are_too_many(s):
    ids = ",".join(alibaba_video(n) for n in range(10, 31))
    s.refuses("VideoIdsExceededMax", 400, "DeleteVideo", {"VideoIds": ids}, effects=[])


def streams_are_found_and_deleted(s):
    video = alibaba_video(5)
    before, doomed = jobs(s, video), jobs(s, video, Definition="LD")
    same("renditions of LD", len(doomed), 2)
    s.ask(
        "DeleteStream",
        {"VideoId": video, "JobIds": ",".join(doomed)},
        effects=[(video, job, True) for job in doomed],
    )
    same("what is left", jobs(s, video), [job for job in before if job not in doomed])


def a_missing_stream_deletes_nothing(s):
    video = alibaba_video(6)
    before = jobs(s, video)
    job, missing = before[0], "0" * 32
    s.refuses(
        "InvalidStream.NotFound",
        404,
        "DeleteStream",
        {"VideoId": video, "JobIds": f"{job},{missing}"},
        effects=[(video, job, False), (video, missing, False)],
    )
    same("what is left", jobs(s, video), before)


def a_source_is_deleted_alone(s):
    video = alibaba_video(7)
    before = jobs(s, video)
    answer = s.ask("DeleteMezzanines", {"VideoIds": video}, effects=[(video, "source", True)])
    same("UnRemoveableVideoIds", listed(answer, "UnRemoveableVideoIds"), [])
    same("streams", jobs(s, video), before)


def a_played_source_needs_force(s):
    video, missing = ALIBABA_NO_TRANSCODE, s.simulator.ids["missing"]
    answer = s.ask("DeleteMezzanines", {"VideoIds": f"{video},{missing}"})
    same("UnRemoveableVideoIds", listed(answer, "UnRemoveableVideoIds"), [video])
    same("NonExistVideoIds", listed(answer, "NonExistVideoIds"), [missing])
    answer = s.ask("DeleteMezzanines", {"VideoIds": video, "Force": True}, effects=[(video, "source", True)])
    same("UnRemoveableVideoIds", listed(answer, "UnRemoveableVideoIds"), [])


def images_are_deleted_by_id_and_url(s):
    one, comma = "1a6e" + f"{1:028x}", "1a6e" + f"{3:028x}"
    s.ask("DeleteImage", {"DeleteImageType": "ImageId", "ImageIds": one}, effects=[(one, None, True)])
    s.refuses("NoSuchResource", 404, "GetImageInfo", {"ImageId": one})
    # The caller encodes a URL with a comma before it is put into the list.
    urls = quote(ALIBABA_COMMA_URL, safe=":/")
    s.ask("DeleteImage", {"DeleteImageType": "ImageURL", "ImageURLs": urls}, effects=[(comma, None, True)])
    s.refuses("NoSuchResource", 404, "DeleteImage", {"DeleteImageType": "ImageId", "ImageIds": one})


def snapshots_are_deleted_by_type(s):
    video = alibaba_video(8)
    s.ask(
        "DeleteImage",
        {"DeleteImageType": "VideoId", "VideoId": video, "ImageType": "CoverSnapshot,SpriteSnapshot"},
        effects=[(video, "CoverSnapshot", True), (video, "SpriteSnapshot", True)],
    )
    left = {
        kind: s.ask("ListSnapshots", {"VideoId": video, "SnapshotType": kind})["MediaSnapshot"]["Total"]
        for kind in ("CoverSnapshot", "NormalSnapshot")
    }
    same("left", left, {"CoverSnapshot": 0, "NormalSnapshot": 3})


def attached_media_are_deleted(s):
    one, missing = "a77a" + f"{1:028x}", "a77a" + "0" * 24 + "dead"
    answer = s.ask(
        "DeleteAttachedMedia",
        {"MediaIds": f"{one},{missing}"},
        effects=[(one, None, True), (missing, None, False)],
    )
    same("NonExistMediaIds", listed(answer, "NonExistMediaIds"), [missing])
    answer = s.ask("GetAttachedMediaInfo", {"MediaIds": one})
    same("NonExistMediaIds", listed(answer, "NonExistMediaIds"), [one])


def alibaba_reads_say_what_stands(s):
    video, missing = alibaba_video(9), s.simulator.ids["missing"]
    one = s.ask("GetVideoInfo", {"VideoId": video}, effects=[])["Video"]
    same("video", [one["VideoId"], one["Status"]], [video, "Normal"])
    answer = s.ask("GetVideoInfos", {"VideoIds": f"{video},{missing}"})
    same("VideoList", [it["VideoId"] for it in answer["VideoList"]], [video])
    same("NonExistVideoIds", listed(answer, "NonExistVideoIds"), [missing])
    same("source", s.ask("GetMezzanineInfo", {"VideoId": video})["Mezzanine"]["VideoId"], video)
    image = "1a6e" + f"{2:028x}"
    same("image", s.ask("GetImageInfo", {"ImageId": image})["ImageInfo"]["ImageId"], image)
    s.refuses("InvalidVideo.NotFound", 404, "GetPlayInfo", {"VideoId": missing})


def alibaba_refuses_a_wrong_secret(s):
    video, (key_id, secret) = alibaba_video(40), s.simulator.key
    ask = ("DeleteVideo", {"VideoIds": video})
    s.refuses("SignatureDoesNotMatch", 400, *ask, key=(key_id, secret + "x"), effects=[])
    s.refuses("InvalidAccessKeyId.NotFound", 404, *ask, key=("NOSUCHKEY0000000", secret), effects=[])
    s.ask("GetVideoInfo", {"VideoId": video})


def an_sts_token_works(s):
    video = alibaba_video(41)
    ask = ("DeleteVideo", {"VideoIds": video})
    s.refuses("InvalidSecurityToken.Expired", None, *ask, key=ALIBABA_OLD_STS, effects=[])
    s.refuses("MissingSecurityToken", None, *ask, key=ALIBABA_STS[:2], effects=[])
    s.ask(*ask, key=ALIBABA_STS, effects=[(video, None, True)])


ALIBABA_CHECKS = [
    videos_are_deleted,
    a_batch_names_the_missing_and_the_barred,
    a_batch_of_missing_videos_is_an_error,
    a_busy_video_is_refused,
    a_reference_names_a_video,
    twenty_one_are_too_many,
    streams_are_found_and_deleted,
    a_missing_stream_deletes_nothing,
    a_source_is_deleted_alone,
    a_played_source_needs_force,
    images_are_deleted_by_id_and_url,
    snapshots_are_deleted_by_type,
    attached_media_are_deleted,
    alibaba_reads_say_what_stands,
    alibaba_refuses_a_wrong_secret,
    an_sts_token_works,
]


# ---- Tencent ----


def tencent_video(n):
    return str(5_285_890_784_000_000_000 + n * 1_000_003)


def tencent(simulator, sign_method, method):
    from tencentcloud.common.credential import Credential
    from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
    from tencentcloud.common.profile.client_profile import ClientProfile
    from tencentcloud.common.profile.http_profile import HttpProfile
    from tencentcloud.vod.v20180717 import models
    from tencentcloud.vod.v20180717.vod_client import VodClient

    http = HttpProfile(protocol="http", endpoint=simulator.address, reqMethod=method, reqTimeout=10)
    profile = ClientProfile(signMethod=sign_method, httpProfile=http)

    def client(key_id, secret, token=None):
        made = VodClient(Credential(key_id, secret, token), "ap-guangzhou", profile)

        def call(action, parameters):
            request = getattr(models, f"{action}Request")()
            request.from_json_string(json.dumps(parameters))
            try:
                return json.loads(getattr(made, action)(request).to_json_string())
            except TencentCloudSDKException as error:
                # The HTTP status is 200 whatever the answer says, and the SDK does not show it.
                raise Refused(error.code, None) from error

        return call

    return client


def shown(session, file_id, **more):
    """What stands there: definitions of transcodes (the original is 0) and adaptive outputs."""
    answer = session.ask("DescribeMediaInfos", {"FileIds": [file_id], **more}, effects=[])
    if not answer["MediaInfoSet"]:
        same("NotExistFileIdSet", answer["NotExistFileIdSet"], [file_id])
        return None
    (media,) = answer["MediaInfoSet"]
    same("FileId", media["FileId"], file_id)
    transcodes = (media.get("TranscodeInfo") or {}).get("TranscodeSet") or []
    adaptives = (media.get("AdaptiveDynamicStreamingInfo") or {}).get("AdaptiveDynamicStreamingSet") or []
    return [it["Definition"] for it in transcodes], [it["Definition"] for it in adaptives]


def a_media_is_deleted_whole(s):
    video = tencent_video(1)
    s.ask("DeleteMedia", {"FileId": video}, effects=[(video, None, True)])
    same("what stands", shown(s, video), None)
    s.refuses("ResourceNotFound", None, "DeleteMedia", {"FileId": video}, effects=[(video, None, False)])


def a_missing_media_is_not_found(s):
    missing = s.simulator.ids["missing"]
    s.refuses("ResourceNotFound", None, "DeleteMedia", {"FileId": missing}, effects=[(missing, None, False)])
    same("what stands", shown(s, missing), None)


def one_transcode_is_deleted(s):
    video = tencent_video(2)
    parts = [{"Type": "TranscodeFiles", "Definition": 100010}]
    s.ask(
        "DeleteMedia",
        {"FileId": video, "DeleteParts": parts},
        effects=[(video, "TranscodeFiles:100010", True)],
    )
    same("what stands", shown(s, video), ([0, 100020, 100030, 10000], [10, 12]))


def all_of_two_families_are_deleted(s):
    video = tencent_video(3)
    parts = [{"Type": "AdaptiveDynamicStreamingFiles"}, {"Type": "WechatPublishFiles", "Definition": 0}]
    s.ask(
        "DeleteMedia",
        {"FileId": video, "DeleteParts": parts},
        effects=[
            (video, "AdaptiveDynamicStreamingFiles:10", True),
            (video, "AdaptiveDynamicStreamingFiles:12", True),
            (video, "WechatPublishFiles:0", True),
        ],
    )
    same("what stands", shown(s, video), ([0, 100010, 100020, 100030, 10000], []))


def an_original_is_deleted_alone(s):
    video = tencent_video(4)
    parts = [{"Type": "OriginalFiles"}]
    s.ask("DeleteMedia", {"FileId": video, "DeleteParts": parts}, effects=[(video, "OriginalFiles:0", True)])
    same("what stands", shown(s, video), ([100010, 100020, 100030, 10000], [10, 12]))


def an_empty_list_is_everything(s):
    """The trap that vodrm closes: the vendor reads no parts as all parts."""
    video = tencent_video(5)
    s.ask("DeleteMedia", {"FileId": video, "DeleteParts": []}, effects=[(video, None, True)])


def an_unknown_part_deletes_nothing(s):
    video = tencent_video(6)
    parts = [{"Type": "OriginalFiles"}, {"Type": "NoSuchFiles"}]
    request = {"FileId": video, "DeleteParts": parts}
    s.refuses("InvalidParameterValue.Type", None, "DeleteMedia", request, effects=[])
    same("what stands", shown(s, video), ([0, 100010, 100020, 100030, 10000], [10, 12]))


def an_application_holds_its_own(s):
    video = TENCENT_IN_OTHER_APP
    s.refuses("ResourceNotFound", None, "DeleteMedia", {"FileId": video}, effects=[(video, None, False)])
    request = {"FileId": video, "SubAppId": TENCENT_OTHER_APP}
    s.ask("DeleteMedia", request, effects=[(video, None, True)])
    same("what stands", shown(s, video, SubAppId=TENCENT_OTHER_APP), None)


def no_right_is_said(s):
    s.refuses("UnauthorizedOperation", None, "DeleteMedia", {"FileId": TENCENT_LOCKED}, effects=[])


def tencent_reads_say_what_stands(s):
    here, missing = tencent_video(7), s.simulator.ids["missing"]
    answer = s.ask("DescribeMediaInfos", {"FileIds": [here, missing], "Filters": ["basicInfo"]}, effects=[])
    same("found", [it["FileId"] for it in answer["MediaInfoSet"]], [here])
    same("missing", answer["NotExistFileIdSet"], [missing])
    same("sections", [answer["MediaInfoSet"][0].get(it) for it in ("MetaData", "TranscodeInfo")], [None, None])
    same("category", answer["MediaInfoSet"][0]["BasicInfo"]["Category"], "Video")
    same("an original alone", shown(s, TENCENT_ORIGINAL_ONLY), ([0], []))
    many = [tencent_video(n) for n in range(21)]
    code = "InvalidParameterValue.FileIdsOverLimit"
    s.refuses(code, None, "DescribeMediaInfos", {"FileIds": many}, effects=[])
    applications = s.ask("DescribeSubAppIds", {})["SubAppIdInfoSet"]
    same("application", applications[1]["SubAppId"], TENCENT_OTHER_APP)


def playback_is_blocked_and_opened(s):
    video, missing = tencent_video(8), s.simulator.ids["missing"]

    def playback(operation, status, changes):
        request = {"FileIds": [video, missing], "Operation": operation}
        effects = [(video, f"Status:{status}", changes), (missing, f"Status:{status}", False)]
        answer = s.ask("ForbidMediaDistribution", request, effects=effects)
        same("missing", answer["NotExistFileIdSet"], [missing])
        answer = s.ask("DescribeMediaInfos", {"FileIds": [video], "Filters": ["basicInfo"]}, effects=[])
        same("status", answer["MediaInfoSet"][0]["BasicInfo"]["Status"], status)

    playback("forbid", "Forbidden", True)
    playback("forbid", "Forbidden", False)
    playback("recover", "Normal", True)
    playback("forbid", "Forbidden", True)
    request = {"FileIds": [video], "Operation": "ban"}
    s.refuses("InvalidParameterValue.Operation", None, "ForbidMediaDistribution", request, effects=[])
    many = {"FileIds": [tencent_video(n) for n in range(21)], "Operation": "recover"}
    s.refuses("InvalidParameterValue.FileIdsOverLimit", None, "ForbidMediaDistribution", many, effects=[])
    s.ask("DeleteMedia", {"FileId": video}, effects=[(video, None, True)])


def tencent_refuses_a_wrong_secret(s):
    video, (key_id, secret) = tencent_video(40), s.simulator.key
    ask = ("DeleteMedia", {"FileId": video})
    s.refuses("AuthFailure.SignatureFailure", None, *ask, key=(key_id, secret + "x"), effects=[])
    s.refuses("AuthFailure.SecretIdNotFound", None, *ask, key=("AKIDnosuchkey", secret), effects=[])
    same("still there", shown(s, video) is None, False)


def a_temporary_key_works(s):
    video = tencent_video(41)
    ask = ("DeleteMedia", {"FileId": video})
    s.refuses("AuthFailure.TokenFailure", None, *ask, key=TENCENT_OLD_STS, effects=[])
    s.refuses("AuthFailure.TokenFailure", None, *ask, key=TENCENT_STS[:2], effects=[])
    s.ask(*ask, key=TENCENT_STS, effects=[(video, None, True)])


TENCENT_CHECKS = [
    a_media_is_deleted_whole,
    a_missing_media_is_not_found,
    one_transcode_is_deleted,
    all_of_two_families_are_deleted,
    an_original_is_deleted_alone,
    an_empty_list_is_everything,
    an_unknown_part_deletes_nothing,
    an_application_holds_its_own,
    no_right_is_said,
    tencent_reads_say_what_stands,
    playback_is_blocked_and_opened,
    tencent_refuses_a_wrong_secret,
    a_temporary_key_works,
]


# ---- the run ----


def start(program):
    """Starts both simulators on free ports and reads what they print about themselves."""
    command = [program, "sandbox", "--alibaba", "127.0.0.1:0", "--tencent", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # A simulator that says nothing must not hold this up for ever.
    watchdog = threading.Timer(20, process.kill)
    watchdog.start()
    simulators, url, ids = {}, None, {}
    for line in process.stdout:
        if found := re.match(r"(Alibaba|Tencent) Cloud VOD at (http://127\.0\.0\.1:\d+)$", line):
            url, ids = found[2], {}
            simulators[found[1]] = Simulator(url, None, ids)
        elif found := re.match(r"  key +(\S+) / (\S+)$", line):
            list(simulators.values())[-1].key = (found[1], found[2])
        elif found := re.match(r"  (?:an? )?(\S.*?) +(\S+)$", line):
            ids[found[1]] = found[2]
        elif line.startswith("Both answer"):
            break
    watchdog.cancel()
    if set(simulators) != {"Alibaba", "Tencent"}:
        process.kill()
        sys.exit("vodrm sandbox did not print both simulators")
    return process, simulators["Alibaba"], simulators["Tencent"]


def sessions(alibaba, tencents):
    v3, v1 = "acs3-hmac-sha256", "rpc-v1-hmac-sha1"
    yield Session("alibaba current v3", alibaba, v3, alibaba_current(alibaba, None)), ALIBABA_CHECKS
    yield Session("alibaba current v1", alibaba, v1, alibaba_current(alibaba, "v2")), ALIBABA_CHECKS
    for method in ("POST", "GET"):
        label = f"alibaba older v1 {method}"
        yield Session(label, alibaba, v1, alibaba_older(alibaba, method)), ALIBABA_CHECKS
    for sign_method in ("TC3-HMAC-SHA256", "HmacSHA256", "HmacSHA1"):
        for method in ("POST", "GET"):
            label = f"tencent {sign_method} {method}"
            yield Session(label, tencents, sign_method, tencent(tencents, sign_method, method)), TENCENT_CHECKS


def main():
    stay_on_loopback()
    passed = failed = 0
    process, alibaba, tencents = start(sys.argv[1])
    try:
        for session, checks in sessions(alibaba, tencents):
            session.simulator.reset()
            for check in checks:
                name = f"{session.label}: {check.__name__.replace('_', ' ')}"
                try:
                    check(session)
                except Exception as error:  # noqa: BLE001 - whatever an SDK raises is a failed check
                    failed += 1
                    print(f"FAIL  {name}: {type(error).__name__}: {error}")
                    # The next check starts after whatever this one has left.
                    session.seen = max([row["seq"] for row in session.simulator.rows(0)], default=0)
                else:
                    passed += 1
                    print(f"ok    {name}")
    finally:
        process.terminate()
        process.wait(timeout=10)
    if process.returncode != 0:
        failed += 1
        print(f"FAIL  vodrm sandbox ended with {process.returncode}")
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
