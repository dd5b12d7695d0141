//! Rows about the account, its key, its clock and its quota: lines 6 to 9.
//!
//! A fault of the account closes the lane with a reason and burns no item; a
//! throttled call costs time and never a try; a key or a clock that can be mended
//! costs one refused call.

use std::time::Duration;

use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::{WrongSubAppId, seed as t};
use vodrm::sandbox::{Fault, FaultRule};
use vodrm::settings::{CredentialSettings, Settings};

use super::row::{
    ABSENT, Alibaba, BOTH, Change, DELETED, End, Lane, Named, Row, Scene, Tencent, Vendor, error, many,
    media, row, source,
};
use crate::harness::{ALIBABA, TENCENT, World};

/// Refused for a reason that is no item's, then done.
const REFUSED_ONCE: &[&str] = &["delete refused", "delete answered"];
const REFUSED_TWICE: &[&str] = &["delete refused", "delete refused", "delete answered"];

pub(super) fn rows() -> Vec<Row> {
    closed().into_iter().chain(quotas()).chain(tokens()).chain(clocks()).collect()
}

// Line 6.

/// The code closes the lane; when the cause is gone an operator asks for a probe.
fn closes(vendor: Vendor, code: &'static str, reason: &'static str) -> Row {
    row(6, vendor, format!("{code} closes the lane"))
        .fault(error(code))
        .scenes(&[Scene::Waits(1), Scene::Blocked(reason), Scene::Unblock])
        .ends(DELETED)
        .trail(REFUSED_ONCE)
}

fn closed() -> Vec<Row> {
    let mut rows = Vec::new();
    for (code, reason) in [
        ("InvalidAccessKeyId.NotFound", "bad_credentials"),
        ("InvalidAccessKeyId.Inactive", "bad_credentials"),
        ("SignatureDoesNotMatch", "bad_credentials"),
        ("Forbidden.AccessKeyDisabled", "bad_credentials"),
        ("OperationDenied", "not_activated"),
        ("OperationDenied.Suspended", "suspended"),
    ] {
        rows.push(closes(Alibaba, code, reason));
    }
    for (code, reason) in [
        ("AuthFailure.SecretIdNotFound", "bad_credentials"),
        ("AuthFailure.SignatureFailure", "bad_credentials"),
        ("AuthFailure.New", "bad_credentials"),
        ("FailedOperation.InvalidVodUser", "not_activated"),
        ("FailedOperation.UserStatusInavlid", "suspended"),
        ("InvalidParameterValue.SubAppId", "wrong_sub_application"),
        ("UnauthorizedOperation.SubAppId", "wrong_sub_application"),
    ] {
        rows.push(closes(Tencent, code, reason));
    }
    for vendor in BOTH {
        rows.push(
            row(6, vendor, "a key that is revoked under twenty items burns none")
                .asks(vendor.delete(), many(vendor, 20))
                .given(|world| accept_key(world, false))
                .scenes(&[
                    Scene::Waits(1),
                    Scene::Blocked("bad_credentials"),
                    Scene::Do(|world| accept_key(world, true)),
                    Scene::Unblock,
                ])
                .ends(DELETED)
                .trail_starts(&["delete refused"])
                .calls(2..=40),
        );
        rows.push(
            row(6, vendor, "the lane is probed each minute and opens by itself")
                .given(|world| accept_key(world, false))
                .scenes(&[
                    Scene::Waits(1),
                    Scene::Blocked("bad_credentials"),
                    Scene::Do(|world| accept_key(world, true)),
                    Scene::Passes(Duration::from_secs(61)),
                ])
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
        rows.push(
            row(6, vendor, "killed behind a closed lane")
                .given(|world| accept_key(world, false))
                .scenes(&[
                    Scene::Waits(1),
                    Scene::Blocked("bad_credentials"),
                    Scene::Do(|world| accept_key(world, true)),
                    Scene::Kill,
                ])
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
        let code = if vendor == Alibaba { "Forbidden.RAM" } else { "UnauthorizedOperation" };
        let refused = End::refused("forbidden").with(code);
        // The vendor says that it did nothing.
        let class = &["delete refused"];
        rows.push(
            row(6, vendor, "one forbidden item closes nothing").fault(error(code)).ends(refused).trail(class),
        );
        rows.push(
            row(6, vendor, "three forbidden items in a row close the lane")
                .asks(vendor.delete(), many(vendor, 3))
                .rule(FaultRule::always(error(code)).for_operation(vendor.delete()))
                .ends(refused)
                .trail_starts(class)
                .calls(3..=5)
                .lane(Lane::Blocked("forbidden")),
        );
    }
    rows.push(
        row(6, Tencent, "an application that is not the account's")
            .settings(|settings| account(settings, TENCENT).sub_app_id = Some(42))
            .given(|world| world.switches(|switches| switches.wrong_sub_app_id = WrongSubAppId::SubAppId))
            .scenes(&[
                Scene::Waits(1),
                Scene::Blocked("wrong_sub_application"),
                // The application is found after all; its files are those of the main one.
                Scene::Do(|world| {
                    world.switches(|switches| switches.wrong_sub_app_id = WrongSubAppId::NotFound);
                }),
                Scene::Unblock,
            ])
            .ends(ABSENT)
            .trail(REFUSED_ONCE),
    );
    rows
}

fn account<'a>(settings: &'a mut Settings, name: &str) -> &'a mut vodrm::settings::AccountSettings {
    settings.accounts.iter_mut().find(|one| one.name.as_str() == name).unwrap()
}

/// Makes both vendors refuse the key that the service signs with, or accept it again.
fn accept_key(world: &World, accepted: bool) {
    let secret = |right: &str| if accepted { right.to_owned() } else { "rotated".to_owned() };
    world.quirks(|quirks| quirks.access_key_secret = secret(a::ACCESS_KEY_SECRET));
    world.switches(|switches| {
        switches.keys.get_mut(t::SECRET_ID).unwrap().secret_key = secret(t::SECRET_KEY);
    });
}

// Line 7.

fn throttle(code: &str, retry_after_ms: Option<u64>) -> Fault {
    Fault::Throttle { code: Some(code.to_owned()), retry_after_ms }
}

fn quotas() -> Vec<Row> {
    let slowed = |vendor, what: String, fault: Fault| {
        row(7, vendor, what).fault(fault).ends(DELETED).trail(REFUSED_ONCE).lane(Lane::Slowed(1))
    };
    let mut rows = Vec::new();
    for code in ["Throttling", "Throttling.User", "Throttling.Api", "Throttling.New"] {
        rows.push(slowed(Alibaba, format!("{code} costs time and no try"), throttle(code, None)));
    }
    let busy = Fault::Error { status: Some(429), code: "Brand.New".to_owned(), message: None };
    rows.push(slowed(Alibaba, "an unknown code with status 429".to_owned(), busy));
    rows.push(slowed(
        Alibaba,
        "a gateway's 429".to_owned(),
        Fault::HttpError { status: 429, after_effect: false },
    ));
    rows.push(
        slowed(
            Alibaba,
            "the wait that the vendor names is kept".to_owned(),
            throttle("Throttling.User", Some(1_500)),
        )
        .apart(Duration::from_millis(1_490)),
    );
    // The header on any error means throttling, whatever the code.
    rows.push(slowed(
        Alibaba,
        "ServiceUnavailable with a wait is throttling".to_owned(),
        throttle("ServiceUnavailable", Some(200)),
    ));
    for code in [
        "RequestLimitExceeded",
        "RequestLimitExceeded.UinLimitExceeded",
        "RequestLimitExceeded.GlobalRegionUinLimitExceeded",
        "RequestLimitExceeded.IPLimitExceeded",
        "UnauthorizedOperation.OperationTooOften",
    ] {
        rows.push(slowed(Tencent, format!("{code} costs time and no try"), throttle(code, None)));
    }
    for vendor in BOTH {
        rows.push(
            row(7, vendor, "throttled twice, the rate is halved twice and the only try is not used up")
                .settings(|settings| settings.retry.max_attempts = 1)
                .rule(
                    FaultRule::once(Fault::Throttle { code: None, retry_after_ms: None })
                        .for_operation(vendor.delete())
                        .times(2),
                )
                .ends(DELETED)
                .trail(REFUSED_TWICE)
                .lane(Lane::Slowed(2)),
        );
        rows.push(
            row(7, vendor, "the rate grows back after ten quiet seconds")
                .fault(Fault::Throttle { code: None, retry_after_ms: None })
                .ends(DELETED)
                .trail(REFUSED_ONCE)
                .later(Duration::from_secs(12))
                .lane(Lane::Recovering),
        );
    }
    rows.push(
        slowed(
            Alibaba,
            "a quota per minute comes back after a minute".to_owned(),
            throttle("QuotaPerMinuteExceeded.Delete", None),
        )
        .scenes(&[Scene::Waits(1), Scene::Passes(Duration::from_secs(61))])
        .apart(Duration::from_mins(1))
        .lane(Lane::Slowed(1)),
    );
    for (vendor, code) in
        [(Alibaba, "QuotaExceeded.Delete"), (Tencent, "LimitExceeded"), (Tencent, "LimitExceeded.Quota")]
    {
        rows.push(
            row(7, vendor, format!("{code} does not come back within a wait"))
                .fault(throttle(code, None))
                .ends(End::failed("throttled").with(code))
                .trail(&["delete refused"]),
        );
    }
    rows.push(
        row(7, Alibaba, "a throttled batch goes on as a batch")
            .asks("DeleteVideo", many(Alibaba, 20))
            .fault(throttle("Throttling.User", None))
            .ends(DELETED)
            .trail(REFUSED_ONCE)
            .calls(2..=2)
            .lane(Lane::Slowed(1)),
    );
    rows.push(
        row(7, Tencent, "a throttled read slows only its own lane")
            .asks("DeleteMedia", vec![source(&t::video(1))])
            .rule(FaultRule::once(throttle("RequestLimitExceeded", None)).for_operation("DescribeMediaInfos"))
            .ends(DELETED)
            .trail(&["resolve refused", "resolve answered", "delete answered"]),
    );
    rows
}

// Line 8.

fn write_key(path: &std::path::Path, id: &str, secret: &str, token: &str) {
    std::fs::write(path, format!("id = {id:?}\nsecret = {secret:?}\ntoken = {token:?}\n")).unwrap();
}

/// Both accounts sign with temporary keys in files, and the tokens have expired.
fn expired(settings: &mut Settings) {
    for (name, id, secret, token) in [
        (ALIBABA, a::EXPIRED_STS_KEY_ID, a::EXPIRED_STS_SECRET, a::EXPIRED_STS_TOKEN),
        (TENCENT, t::EXPIRED_SECRET_ID, t::EXPIRED_SECRET_KEY, t::EXPIRED_TOKEN),
    ] {
        let path = settings.store.path.with_file_name(format!("{name}.toml"));
        write_key(&path, id, secret, token);
        account(settings, name).credentials = CredentialSettings::File(path);
    }
}

/// The files get tokens that work.
fn renewed(world: &World) {
    let path = |name: &str| world.journal_path().with_file_name(format!("{name}.toml"));
    write_key(&path(ALIBABA), a::STS_KEY_ID, a::STS_SECRET, a::STS_TOKEN);
    write_key(&path(TENCENT), t::TEMPORARY_SECRET_ID, t::TEMPORARY_SECRET_KEY, t::TEMPORARY_TOKEN);
}

fn tokens() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        rows.push(
            row(8, vendor, "an expired token, and a newer one at hand")
                .settings(expired)
                .given(renewed)
                // Signing again does not count as a try.
                .settings(|settings| settings.retry.max_attempts = 1)
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
        rows.push(
            row(8, vendor, "an expired token, and no newer one for a while")
                .settings(expired)
                .scenes(&[
                    Scene::Waits(1),
                    Scene::Blocked("expired_credentials"),
                    Scene::Do(renewed),
                    Scene::Passes(Duration::from_secs(61)),
                ])
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
        rows.push(
            row(8, vendor, "a file with a new token is looked at after ten seconds, without a refusal")
                .settings(expired)
                .given(|world| {
                    renewed(world);
                    world.clock.advance(Duration::from_secs(11));
                })
                .ends(DELETED)
                .trail(&["delete answered"]),
        );
        let code =
            if vendor == Alibaba { "InvalidSecurityToken.Expired" } else { "AuthFailure.TokenFailure" };
        rows.push(
            row(8, vendor, format!("{code} of a key that never changes"))
                .fault(error(code))
                .scenes(&[Scene::Waits(1), Scene::Blocked("expired_credentials"), Scene::Unblock])
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
    }
    rows
}

// Line 9.

fn set_clocks(world: &World, offset_ms: i64) {
    for sandbox in [world.alibaba(), world.tencent()] {
        let mut options = sandbox.options();
        options.clock_offset_ms = offset_ms;
        sandbox.set_options(options);
    }
}

const HOUR_MS: i64 = 3_600_000;

fn clocks() -> Vec<Row> {
    let mut rows = Vec::new();
    for vendor in BOTH {
        let offsets: [Named<Change>; 2] = [
            ("an hour ahead", |world| set_clocks(world, HOUR_MS)),
            ("an hour behind", |world| set_clocks(world, -HOUR_MS)),
        ];
        for (what, given) in offsets {
            rows.push(
                row(9, vendor, format!("the vendor's clock is {what}"))
                    .given(given)
                    .settings(|settings| settings.retry.max_attempts = 1)
                    .ends(DELETED)
                    .trail(REFUSED_ONCE),
            );
        }
        rows.push(
            row(9, vendor, "the vendor's clock is twenty seconds ahead")
                .given(|world| set_clocks(world, 20_000))
                .ends(DELETED)
                .trail(&["delete answered"]),
        );
        rows.push(
            row(9, vendor, "twenty items under a clock that is an hour off")
                .asks(vendor.delete(), many(vendor, 20))
                .given(|world| set_clocks(world, HOUR_MS))
                .ends(DELETED)
                .trail_starts(&["delete refused"])
                .calls(2..=40),
        );
        let code = if vendor == Alibaba { "InvalidTimeStamp.Expired" } else { "AuthFailure.SignatureExpire" };
        rows.push(
            row(9, vendor, "a refusal for the time although the clocks agree")
                .asks(vendor.delete(), vec![media(&vendor.id(1))])
                .fault(error(code))
                .scenes(&[Scene::Waits(1), Scene::Blocked("clock_skew"), Scene::Unblock])
                .ends(DELETED)
                .trail(REFUSED_ONCE),
        );
    }
    rows
}
