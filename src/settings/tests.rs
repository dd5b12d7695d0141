//! What settings take, and how each fault is said.

use super::testing::{FAKES, load, sources};
use super::*;
use crate::guard::caller::{Caps, KeyDigest, NewKey, Rights, Scope};
use crate::types::target::AccountId;

const ACCOUNT: &str = r#"
[accounts.media-cn]
provider = "alibaba"
region = "cn-shanghai"
credentials = { env = { id = "KEY_ID", secret = "KEY_SECRET" } }
"#;
const KEYS: [(&str, &str); 2] = [("KEY_ID", "LTAI-canary-id"), ("KEY_SECRET", "canary-secret")];

fn account(more: &str) -> Result<Settings, Faults> {
    load(&format!("{ACCOUNT}{more}"), &KEYS)
}

#[test]
fn the_built_in_values_are_those_of_the_contract() {
    let settings = load("", &[]).unwrap();
    let server = &settings.server;
    assert_eq!(server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((server.max_connections, server.max_json_bytes), (4096, 2 * 1024 * 1024));
    assert_eq!(server.header_timeout, Duration::from_secs(10));
    assert_eq!(server.request_body_deadline, Duration::from_mins(15));
    assert_eq!(
        (server.drain_delay, server.shutdown_timeout),
        (Duration::from_secs(3), Duration::from_secs(25))
    );
    assert!(server.public_docs);
    assert_eq!((server.max_streams, server.max_streams_per_caller), (256, 16));
    assert_eq!(server.max_bad_keys, 10);
    assert_eq!(server.tls, None);
    let intake = &settings.intake;
    assert_eq!((intake.max_items, intake.max_bytes), (1_000_000, 512 * 1024 * 1024));
    assert_eq!((intake.max_line_bytes, intake.max_uploads), (4096, 16));
    assert_eq!(settings.idempotency.keep, Duration::from_hours(24));
    assert!(!settings.idempotency.required);
    assert_eq!(settings.store.path.to_str(), Some("data/vodrm.db"));
    assert_eq!(settings.retry.max_attempts, 8);
    assert_eq!(settings.retry.max_age, Duration::from_hours(24));
    assert_eq!(settings.retry.cool_down, Duration::from_secs(30));
    assert_eq!(settings.lanes.queue_depth, 10_000);
    assert_eq!((settings.log.format, settings.log.level.as_str()), (LogFormat::Auto, "info"));
    assert!(settings.accounts.is_empty() && settings.callers().is_open());
}

#[test]
fn the_examples_in_the_documented_file_work() {
    let example = |line: &str| {
        line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' ')).map(str::to_owned)
    };
    let toml = layers::BUILT_IN
        .lines()
        .map(|line| example(line).unwrap_or_else(|| line.to_owned()))
        .collect::<Vec<_>>()
        .join("\n");
    let keys = [("ALIBABA_CLOUD_ACCESS_KEY_ID", "id"), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "secret")];
    let settings = load(&toml, &keys).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.accounts.len(), 2);
    assert_eq!(settings.callers.len(), 1);
    assert_eq!(settings.issuers[0].issuer.caller_claim, "azp");
    assert_eq!(settings.callers[0].issuer.as_deref(), Some("corp"));
}

#[test]
fn later_layers_win() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, listen: u16| {
        std::fs::create_dir_all(directory.path().join("config")).unwrap();
        std::fs::write(directory.path().join(name), format!("[server]\nlisten = \"127.0.0.1:{listen}\""))
            .unwrap();
    };
    let mut from = sources(directory.path(), "", &[]);
    let port = |from: &Sources| Settings::load_for(from, FAKES).unwrap().server.listen.port();
    assert_eq!(port(&from), 8080);
    write("config/default.toml", 1);
    assert_eq!(port(&from), 1);
    write("config/production.toml", 2);
    assert_eq!(port(&from), 1);
    from.environment.insert("VODRM_ENV".into(), "production".into());
    assert_eq!(port(&from), 2);
    write("test.toml", 3);
    assert_eq!(port(&from), 3);
    from.environment.insert("VODRM__SERVER__LISTEN".into(), "127.0.0.1:4".into());
    assert_eq!(port(&from), 4);
    from.listen = Some("127.0.0.1:5".parse().unwrap());
    assert_eq!(port(&from), 5);
    // Values that a later layer does not name stay as they were.
    assert_eq!(Settings::load_for(&from, FAKES).unwrap().server.max_connections, 4096);
}

#[test]
fn the_environment_has_numbers_flags_lists_and_the_case_of_names() {
    let settings =
        account("[callers.cms]\nkey_sha256 = \"00\"\naccounts = [\"a\"]\nmay = [\"read\"]").unwrap_err();
    assert!(settings.to_string().starts_with("callers.cms.key_sha256: "));
    let digest = KeyDigest::of("k").to_string();
    let mut environment = KEYS.to_vec();
    environment.extend([
        ("VODRM__SERVER__MAX_CONNECTIONS", "77"),
        ("VODRM__SERVER__MAX_REQUESTS_IN_FLIGHT", "7"),
        ("VODRM__SERVER__PUBLIC_DOCS", "false"),
        ("VODRM__ACCOUNTS__MEDIA_CN__REGION", "cn-beijing"),
        ("VODRM__ACCOUNTS__MEDIA-CN__ALLOW_HTTP", "true"),
        ("VODRM__ACCOUNTS__MEDIA-CN__LIMITS__DELETEMEDIA__QPS", "2.5"),
        ("VODRM__ACCOUNTS__PROD__LIMITS__DescribeMedia__SHARE", "0.5"),
        ("VODRM__CALLERS__CMS__KEY_SHA256", &digest),
        ("VODRM__CALLERS__CMS__ACCOUNTS", "media-*, Prod"),
        ("VODRM__CALLERS__CMS__MAY", "read,delete"),
    ]);
    let toml = format!("{ACCOUNT}{}", ACCOUNT.replace("media-cn", "Prod"));
    let settings = load(&toml, &environment).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!((settings.server.max_connections, settings.server.max_requests_in_flight), (77, 7));
    assert!(!settings.server.public_docs);
    let names = settings.accounts.iter().map(|one| one.name.as_str()).collect::<Vec<_>>();
    assert_eq!(names, ["Prod", "media-cn"]);
    let [prod, cn] = settings.accounts.as_slice() else { panic!("two accounts") };
    assert_eq!(cn.region.as_deref(), Some("cn-beijing"));
    assert_eq!(
        cn.limits.iter().map(|one| (one.qps, one.share)).collect::<Vec<_>>(),
        [(2.5, 0.9), (10.0, 0.9)]
    );
    assert_eq!(
        prod.limits.iter().map(|one| (one.qps, one.share)).collect::<Vec<_>>(),
        [(100.0, 0.9), (10.0, 0.5)]
    );
    let callers = settings.callers();
    let cms = callers.authenticate("k").unwrap();
    assert!(cms.may(Scope::Delete, &AccountId::parse("Prod").unwrap()));
    assert!(!cms.sees(&AccountId::parse("prod").unwrap()));
}

#[test]
fn limits_keep_the_case_of_their_operation() {
    let limits = |name: &str| account(&format!("[accounts.media-cn.limits.{name}]\nqps = 50"));
    assert!((limits("DeleteMedia").unwrap().accounts[0].limits[0].qps - 50.0).abs() < f64::EPSILON);
    let faults = limits("deletemedia").unwrap_err().to_string();
    assert!(
        faults.starts_with("accounts.media-cn.limits.deletemedia: is no operation of alibaba"),
        "{faults}"
    );
    assert!(faults.contains("DeleteMedia, DescribeMedia"), "{faults}");
}

#[test]
fn every_fault_names_its_setting() {
    let table = [
        ("[server]\nlisten = \"localhost\"", "server.listen: must be an address and a port"),
        ("[server]\nlisten = \"0.0.0.0:80\"", "server.listen: must be a loopback address"),
        ("[server]\nlisten = 80", "server.listen: must be a text"),
        ("[server]\nlisen = \"x\"", "server.lisen: is not a setting; did you mean listen?"),
        (
            "[server]\nproxy = true",
            "server.proxy: is not a setting; here can stand listen, tls, max_connections",
        ),
        ("[servers]\nx = 1", "servers: is not a setting; did you mean server?"),
        ("server = 1", "server: must be a table"),
        ("[server]\nmax_connections = -1", "server.max_connections: must be a whole number from"),
        ("[server]\nmax_connections = 1.5", "server.max_connections: must be a whole number from"),
        ("[server]\nmax_connections = \"many\"", "server.max_connections: must be a whole number from"),
        ("[server]\nmax_requests_in_flight = 4096", "server.max_requests_in_flight: must be below"),
        ("[server]\nmax_json_bytes = 10", "server.max_json_bytes: must be a whole number from 4096"),
        ("[server]\nheader_timeout = \"10\"", "server.header_timeout: must be a duration"),
        ("[server]\nheader_timeout = \"0s\"", "server.header_timeout: must be at least 1ms"),
        ("[server]\nbody_timeout = \"1h\"", "server.body_timeout: must not be above"),
        ("[server]\ndrain_delay = \"25s\"", "server.drain_delay: must be below server.shutdown_timeout"),
        ("[server]\npublic_docs = \"maybe\"", "server.public_docs: must be true, false or \"auto\""),
        ("[store]\nurl = \"postgres://u:canary@h/db\"", "store.url: postgres:// is not served yet"),
        ("[store]\nurl = \"mysql://u:canary@h/db\"", "store.url: must be sqlite://"),
        ("[retry]\nmax_attempts = 0", "retry.max_attempts: must be a whole number from 1"),
        ("[retry]\nmax_age = \"forever\"", "retry.max_age: must be a duration"),
        ("[retry]\ncool_down = \"24h\"", "retry.cool_down: must be below retry.max_age"),
        ("[lanes]\nqueue_depth = 0", "lanes.queue_depth: must be a whole number from 1"),
        ("[log]\nformat = \"xml\"", "log.format: must be one of \"auto\", \"human\", \"json\""),
        ("[log]\nlevel = \"inof\"", "log.level: must be off, error"),
        ("[retention]\nfinished = \"5m\"", "retention.finished: must be at least 60m"),
        ("[accounts.\"a b\"]\nprovider = \"alibaba\"", "accounts.a b: the name must be 1 to 64"),
        ("[accounts.a]\nregion = \"x\"", "accounts.a.provider: is missing"),
        ("[accounts.a]\nprovider = \"aws\"", "accounts.a.provider: must be one of \"alibaba\", \"tencent\""),
        ("[accounts.a]\nprovider = \"alibaba\"", "accounts.a.credentials: is missing"),
        ("[accounts.a.credentials]\nid = \"canary\"", "accounts.a.credentials.id: is not a setting"),
        ("[accounts.a.credentials]", "accounts.a.credentials: must have exactly one of"),
        ("[accounts.a]\ncredentials = \"canary\"", "accounts.a.credentials: must be a table"),
        (
            "[accounts.a]\ncredentials = { file = \"x\", env = { id = \"KEY_ID\", secret = \"KEY_SECRET\" } }",
            "accounts.a.credentials: must have exactly one of",
        ),
        ("[accounts.a.credentials.env]\nid = \"KEY_ID\"", "accounts.a.credentials.env.secret: is missing"),
        (
            "[accounts.a.credentials.env]\nid = \"NOT_SET\"",
            "accounts.a.credentials.env.id: the variable NOT_SET is not set or empty",
        ),
        (
            "[accounts.a.credentials.env]\nid = \"EMPTY\"",
            "accounts.a.credentials.env.id: the variable EMPTY is not set or empty",
        ),
        (
            "[accounts.a.credentials.env]\ntoken = \"NOT_SET\"",
            "accounts.a.credentials.env.token: the variable NOT_SET is not set or empty",
        ),
        (
            "[accounts.a.credentials.env]\nsecret = \"BROKEN\"",
            "accounts.a.credentials.env.secret: the variable BROKEN holds white space",
        ),
        (
            "[accounts.a.credentials.env]\nsecret = \"canary-secret\"",
            "accounts.a.credentials.env.secret: must name an environment variable",
        ),
        ("[accounts.a]\nendpoint = \"http://example.com\"", "accounts.a.endpoint: http leaves this machine"),
        ("[accounts.a]\nendpoint = \"https://u:canary@h\"", "accounts.a.endpoint: must not hold a user name"),
        ("[accounts.a]\nendpoint = \"https://h/path\"", "accounts.a.endpoint: must be a URL of scheme"),
        ("[accounts.a]\nendpoint = \"ftp://h\"", "accounts.a.endpoint: must be a URL of scheme"),
        ("[accounts.a]\nallow_http = \"perhaps\"", "accounts.a.allow_http: must be true or false"),
        ("[accounts.a]\nsignature = \"v2\"", "accounts.a.signature: must be one of \"v3\", \"v1\""),
        ("[accounts.a]\nregion = \"a.b/c\"", "accounts.a.region: must be 1 to 64 of"),
        ("[accounts.a]\nquota_group = \"\"", "accounts.a.quota_group: must be 1 to 64 of"),
        ("[accounts.a]\nsub_app_id = 0", "accounts.a.sub_app_id: must be a whole number from 1"),
        ("[accounts.a.policy]\ngrace = \"31d\"", "accounts.a.policy.grace: must be from"),
        (
            "[accounts.a.policy]\napprove_kinds = [\"video\"]",
            "accounts.a.policy.approve_kinds: must be a list of kinds",
        ),
        (
            "[accounts.a.policy]\napprove_abov = 1",
            "accounts.a.policy.approve_abov: is not a setting; did you mean",
        ),
        ("[accounts.a]\npurge_endpoint = \"https://h\"", "accounts.a.purge_endpoint: is not served yet"),
        (
            "[accounts.a]\nprovider = \"alibaba\"\n[accounts.a.limits.DeleteMedia]\nqps = 0.5",
            "accounts.a.limits.DeleteMedia.qps: must be a number of calls a second from 1",
        ),
        (
            "[accounts.a]\nprovider = \"alibaba\"\n[accounts.a.limits.DeleteMedia]\nshare = 0",
            "accounts.a.limits.DeleteMedia.share: must be a number above 0",
        ),
        (
            "[accounts.a]\nprovider = \"alibaba\"\n[accounts.a.limits.DeleteMedia]\nshare = nan",
            "accounts.a.limits.DeleteMedia.share: must be a number above 0",
        ),
        (
            "[accounts.a]\nprovider = \"alibaba\"\n[accounts.a.limits.DeleteMedia]\nburst = 3",
            "accounts.a.limits.DeleteMedia.burst: is not a setting; here can stand qps, share",
        ),
        ("[callers.c]\nmay = [\"read\"]", "callers.c.key_sha256: is missing"),
        ("[callers.c]\nmay = [\"read\"]", "callers.c.accounts: is missing"),
        ("[callers.c]\nmay = []", "callers.c.may: must hold at least one of \"read\""),
        ("[callers.c]\nmay = [\"canary\"]", "callers.c.may: must hold nothing but"),
        (
            "[callers.c]\nmay = [\"delete:canary\"]",
            "callers.c.may: holds a \"delete:<kind>\" whose kind is none of",
        ),
        ("[callers.c]\nmay = 1", "callers.c.may: must be a list of texts"),
        ("[callers.c]\nmax_items = 0", "callers.c.max_items: must be a whole number from 1 to"),
        ("[callers.c]\nmax_items_per_day = -1", "callers.c.max_items_per_day: must be a whole number from 1"),
        (
            "[callers.c]\nmax_items = 2\nmax_items_per_day = 1",
            "callers.c.max_items: must not be above max_items_per_day",
        ),
        ("[callers.c]\naccounts = [\"a/*\"]", "callers.c.accounts: each must be 1 to 64 of"),
        ("[callers.c]\naccounts = []", "callers.c.accounts: must hold at least one"),
        ("[callers.c]\nkey_sha256 = \"canary\"", "callers.c.key_sha256: must be a SHA-256 in hex"),
        ("[callers.c]\nkey_sha256 = []", "callers.c.key_sha256: must hold at least one digest"),
        ("[callers.c]\nkey_sha256 = \"vodrm_canary\"", "callers.c.key_sha256: holds a key;"),
        (
            "[callers.c]\nkey_sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
            "callers.c.key_sha256: is the digest of an empty key",
        ),
        ("[callers.c]\nissuer = \"canary\"", "callers.c.issuer: names no [issuers.NAME]"),
        (
            "[callers.c]\nissuer = \"corp\"\nkey_sha256 = []",
            "callers.c.key_sha256: must hold at least one digest",
        ),
        ("[server.tls]\nkey = \"k\"", "server.tls.cert: is missing"),
        ("[server.tls]\ncert = \"c\"", "server.tls.key: is missing"),
        ("[server.tls]\ncert = \"\"", "server.tls.cert: must name a file"),
        ("[server.tls]\nclient_ca = \"\"", "server.tls.client_ca: must name a file"),
        ("[server]\ntls = true", "server.tls: must be a table"),
        (
            "[server]\nlisten = \"0.0.0.0:80\"\n[server.tls]\ncert = \"c\"\nkey = \"k\"\nclient_ca = \"a\"",
            "server.listen: must be a loopback address",
        ),
        ("[server.tls]\nca = \"c\"", "server.tls.ca: is not a setting"),
        ("[issuers.i]\naudience = \"a\"", "issuers.i.issuer: is missing"),
        ("[issuers.i]\nissuer = \"i\"", "issuers.i.audience: is missing"),
        ("[issuers.i]\nissuer = \"i\"", "issuers.i.jwks: is missing"),
        ("[issuers.i]\nissuer = \"i\"", "issuers.i.algorithms: is missing"),
        ("[issuers.i]\nissuer = \"\"", "issuers.i.issuer: must be 1 to 1000 visible"),
        ("[issuers.i]\nalgorithms = []", "issuers.i.algorithms: must hold at least one"),
        ("[issuers.i]\nalgorithms = [\"none\"]", "issuers.i.algorithms: must hold nothing but RS256"),
        ("[issuers.i]\nalgorithms = [\"HS256\"]", "issuers.i.algorithms: must hold nothing but RS256"),
        ("[issuers.i]\njwks = \"http://id.example.com/canary\"", "issuers.i.jwks: must be https"),
        ("[issuers.i]\njwks = \"https://u:canary@h/k\"", "issuers.i.jwks: must not hold a user name"),
        ("[issuers.i]\njwks = \"ftp://h/k\"", "issuers.i.jwks: must be an https URL or the path of a file"),
        ("[issuers.i]\njwks = \"\"", "issuers.i.jwks: must be an https URL or the path of a file"),
        ("[issuers.i]\ncaller_claim = \"\"", "issuers.i.caller_claim: must be 1 to 1000 visible"),
        ("[issuers.\"a b\"]\nissuer = \"i\"", "issuers.a b: the name must be"),
        ("[callers.anonymous]\nmay = [\"read\"]", "callers.anonymous: is the name of whoever calls"),
        ("[callers.\"a b\"]\nmay = [\"read\"]", "callers.a b: the name must be"),
    ];
    let environment = [KEYS[0], KEYS[1], ("EMPTY", ""), ("BROKEN", "canary \n")];
    for (toml, expected) in table {
        let faults = load(toml, &environment).expect_err(toml);
        let said = faults.to_string();
        assert!(said.lines().any(|line| line.starts_with(expected)), "{toml}\nsays\n{said}\nnot\n{expected}");
        assert!(!said.contains("canary"), "{said}");
        assert!(said.lines().all(|line| line.contains(": ")), "{said}");
    }
}

#[test]
fn a_caller_has_its_rights_and_its_caps() {
    let digest = KeyDigest::of("k");
    let caller = |more: &str| {
        let toml = format!("[callers.c]\nkey_sha256 = \"{digest}\"\naccounts = [\"*\"]\n{more}");
        load(&toml, &[]).unwrap_or_else(|faults| panic!("{faults}")).callers.remove(0).caller
    };
    let some = caller("may = [\"approve\", \"delete:image\"]\nmax_items = 5\nmax_items_per_day = 5");
    assert_eq!(some.rights.words(), ["delete:image", "approve"]);
    assert_eq!(some.caps, Caps { max_items: Some(5), max_items_per_day: Some(5) });
    let all = caller("may = [\"read\", \"delete\", \"approve\", \"hold\", \"admin\"]");
    assert_eq!((all.rights, all.caps), (Rights::everything(), Caps::default()));
}

#[test]
fn an_issuer_admits_who_names_it_and_needs_somebody_who_does() {
    let issuer = |name: &str, iss: &str| {
        format!(
            "[issuers.{name}]\nissuer = \"{iss}\"\naudience = \"vodrm\"\njwks = \"http://127.0.0.1:1/k\"\n\
             algorithms = [\"RS256\", \"EdDSA\"]\n"
        )
    };
    let caller = "[callers.c]\nissuer = \"corp\"\naccounts = [\"*\"]\nmay = [\"read\"]\n";
    let settings = load(&(issuer("corp", "i") + caller), &[]).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.issuers[0].issuer.caller_claim, "sub");
    let callers = settings.callers();
    assert_eq!(callers.named_by("corp", "c").unwrap().name, "c");
    assert!(callers.authenticate("").is_none() && !callers.is_open());
    let faults = load(&issuer("corp", "i"), &[]).unwrap_err().to_string();
    assert!(faults.starts_with("issuers.corp: admits nobody"), "{faults}");
    let faults = load(&(issuer("a", "i") + &issuer("corp", "i") + caller), &[]).unwrap_err().to_string();
    assert!(faults.contains("issuers.corp.issuer: is the same as that of issuers.a"), "{faults}");
}

#[test]
fn two_callers_cannot_have_one_key() {
    let made = NewKey::generate().unwrap();
    let one = |name: &str| {
        format!("[callers.{name}]\nkey_sha256 = \"{}\"\naccounts = [\"*\"]\nmay = [\"read\"]\n", made.digest)
    };
    let faults = load(&(one("a") + &one("b")), &[]).unwrap_err().to_string();
    assert!(faults.starts_with("callers.b.key_sha256: holds a key that callers.a has already"), "{faults}");
}

#[test]
fn a_configured_caller_opens_other_addresses_and_closes_the_docs() {
    let made = NewKey::generate().unwrap();
    let toml = format!(
        "[server]\nlisten = \"0.0.0.0:80\"\n[callers.a]\nkey_sha256 = [\"{}\"]\naccounts = [\"*\"]\nmay = [\"read\"]",
        made.digest
    );
    let settings = load(&toml, &[]).unwrap();
    assert!(!settings.server.public_docs);
    assert_eq!(settings.server.local_address().to_string(), "127.0.0.1:80");
    assert_eq!(settings.callers().authenticate(made.key.expose()).unwrap().name, "a");
}

#[test]
fn all_faults_come_at_once_with_their_origin() {
    let environment = [("VODRM__LOG__LEVEL", "inof"), ("VODRM__SERVER__NOPE", "canary")];
    let Faults(faults) =
        load("[retry]\nmax_attempts = 0\n[lanes]\nqueue_depth = 0", &environment).unwrap_err();
    let said = faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(faults.len(), 4, "{said:?}");
    assert!(
        said.iter().any(|line| line.starts_with("log.level: ") && line.ends_with("(from VODRM__LOG__LEVEL)"))
    );
    assert!(
        said.iter()
            .any(|line| line.starts_with("server.nope: ") && line.ends_with("(from VODRM__SERVER__NOPE)"))
    );
    assert!(said.iter().any(|line| line.starts_with("retry.max_attempts: ") && line.contains("test.toml)")));
}

#[test]
fn a_file_that_cannot_be_read_is_named_without_its_content() {
    for toml in [
        "a = 1\nsecret = canary",
        "a = 1\nsecret = \"canary",
        "a = 1\nsecret canary",
        "a = 1\na = \"canary\"",
        "a = 1\n[canary",
        "a = 1\nn = 99999999999999999999",
    ] {
        let faults = load(toml, &[]).unwrap_err().to_string();
        assert!(faults.contains("test.toml: ") && faults.contains("is not TOML"), "{faults}");
        assert!(!faults.contains("canary"), "{faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut from = sources(directory.path(), "", &[("VODRM_ENV", "production")]);
    from.file = Some(directory.path().join("none.toml"));
    let faults = Settings::load_for(&from, FAKES).unwrap_err().to_string();
    assert!(faults.contains("VODRM_ENV: is set, but there is no file"), "{faults}");
    assert!(
        faults.contains("config/production.toml") && faults.contains("--config: there is no file"),
        "{faults}"
    );
    from.environment.insert("VODRM_ENV".into(), "../etc".into());
    let faults = Settings::load_for(&from, FAKES).unwrap_err().to_string();
    assert!(faults.contains("VODRM_ENV: must be a plain name"), "{faults}");
}

#[test]
fn http_is_for_loopback_unless_allowed() {
    let endpoint = |url: &str, more: &str| account(&format!("endpoint = \"{url}\"\n{more}"));
    for url in
        ["http://127.0.0.1:9101", "http://127.8.8.8", "http://[::1]:1", "http://localhost:1", "https://h:1"]
    {
        assert!(endpoint(url, "").is_ok(), "{url}");
    }
    assert!(endpoint("http://localhost.example.com", "").is_err());
    assert!(endpoint("http://example.com", "allow_http = true").is_ok());
}

#[test]
fn secrets_are_in_no_debug_text() {
    let more =
        [("KEY_TOKEN", "canary-token"), ("VODRM__ACCOUNTS__MEDIA_CN__CREDENTIALS__ENV__TOKEN", "KEY_TOKEN")];
    let environment = [KEYS.as_slice(), more.as_slice()].concat();
    let settings = load(ACCOUNT, &environment).unwrap();
    let CredentialSettings::Fixed(key) = &settings.accounts[0].credentials else { panic!("a fixed key") };
    assert_eq!((key.id.as_str(), key.secret.expose()), ("LTAI-canary-id", "canary-secret"));
    assert_eq!(key.token.as_ref().unwrap().expose(), "canary-token");
    let directory = tempfile::tempdir().unwrap();
    let printed = format!("{settings:?} {:?}", sources(directory.path(), "", &environment));
    assert!(!printed.contains("canary"), "{printed}");
}
