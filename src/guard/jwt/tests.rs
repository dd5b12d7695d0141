//! Tokens, good and bad.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;
use serde_json::json;

use super::testing::{Signer, key_set};
use super::*;

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn issuer(algorithms: &[Algorithm]) -> Issuer {
    Issuer {
        name: "corp".into(),
        issuer: "https://id.example.com".into(),
        audience: "vodrm".into(),
        algorithms: algorithms.to_vec(),
        caller_claim: "azp".into(),
    }
}

fn claims() -> Value {
    json!({"iss": "https://id.example.com", "aud": "vodrm", "azp": "cms", "sub": "someone", "exp": NOW + 300})
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

struct Desk {
    issuer: Issuer,
    keys: KeySet,
}

impl Desk {
    fn of(signer: &Signer) -> Self {
        let issuer = issuer(&[signer.algorithm]);
        let keys = KeySet::parse(&key_set([signer]), &issuer.algorithms).unwrap();
        Self { issuer, keys }
    }

    fn judge(&self, token: &str) -> Judged {
        judge(&self.issuer, &self.keys, token, now())
    }
}

const GOOD: fn() -> Judged = || Judged::Names("cms".into());
const BAD: Judged = Judged::Refused(Refused::NotValid);

#[test]
fn every_algorithm_of_the_list_checks_its_own_signatures_and_no_others() {
    let signers = ALGORITHMS.map(|(word, algorithm)| Signer::new(word, algorithm));
    let all = ALGORITHMS.map(|(_, algorithm)| algorithm);
    let keys = KeySet::parse(&key_set(&signers), &all).unwrap();
    for signer in &signers {
        let token = signer.sign(&claims());
        assert_eq!(judge(&issuer(&all), &keys, &token, now()), GOOD(), "{}", signer.id);
        // The same token under the name of another's key.
        for other in signers.iter().filter(|other| other.id != signer.id) {
            let header = Header { kid: Some(other.id.clone()), ..signer.header() };
            let judged = judge(&issuer(&all), &keys, &signer.sign_under(&header, &claims()), now());
            assert_eq!(judged, BAD, "{} by {}", signer.id, other.id);
        }
        // Known to the issuer, but not configured.
        let others = all.into_iter().filter(|one| *one != signer.algorithm).collect::<Vec<_>>();
        assert_eq!(judge(&issuer(&others), &keys, &token, now()), BAD, "{}", signer.id);
    }
}

#[test]
fn a_key_is_used_for_the_algorithm_that_it_declares() {
    let signer = Signer::new("k", Algorithm::RS256);
    let both = [Algorithm::RS256, Algorithm::RS512];
    let other = Header { kid: Some("k".into()), ..Header::new(Algorithm::RS512) };
    let token = signer.sign_under(&other, &claims());
    let keys = KeySet::parse(&key_set([&signer]), &both).unwrap();
    assert_eq!(judge(&issuer(&both), &keys, &token, now()), BAD);
    let mut silent = signer.public();
    silent.as_object_mut().unwrap().remove("alg");
    let keys = KeySet::parse(json!({"keys": [silent]}).to_string().as_bytes(), &both).unwrap();
    assert_eq!(judge(&issuer(&both), &keys, &token, now()), GOOD(), "the signature itself is right");
}

#[test]
fn a_token_without_a_signature_or_with_a_shared_secret_is_nothing() {
    let signer = Signer::new("k", Algorithm::RS256);
    let desk = Desk::of(&signer);
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let forged =
        |header: Value, signature: &str| format!("{}.{}.{signature}", part(&header), part(&claims()));
    for alg in ["none", "None", "NONE", "", "HS256", "RS256", "XX999"] {
        for signature in ["", "AAAA", "!"] {
            assert_eq!(
                desk.judge(&forged(json!({"alg": alg, "kid": "k", "typ": "JWT"}), signature)),
                BAD,
                "{alg}"
            );
        }
    }
    // The classic: the public key as the secret of an HMAC, under a configuration that never allows one.
    let shared = Signer::new("k", Algorithm::HS256);
    assert_eq!(desk.judge(&shared.sign(&claims())), BAD);
    assert_eq!(
        KeySet::parse(&key_set([&shared]), &ALGORITHMS.map(|(_, one)| one)).unwrap_err(),
        BadKeySet::NoUse
    );
    let good = signer.sign(&claims());
    let (message, signature) = good.rsplit_once('.').unwrap();
    for broken in [
        String::new(),
        "..".into(),
        "a.b.c".into(),
        message.into(),
        format!("{message}."),
        format!("{good}."),
        format!("{good}x"),
        format!("{message}.{}", signature.chars().rev().collect::<String>()),
        good.replacen('.', "..", 1),
        format!(
            "{}.{}.{signature}",
            part(&json!({"alg": "RS256", "kid": "k"})),
            part(&with("azp", json!("ops")))
        ),
    ] {
        assert_eq!(desk.judge(&broken), BAD, "{broken}");
    }
    assert_eq!(desk.judge(&good), GOOD());
}

#[test]
fn a_header_says_nothing_that_is_believed() {
    let (signer, own) = (Signer::new("k", Algorithm::ES256), Signer::new("k", Algorithm::ES256));
    let desk = Desk::of(&signer);
    // A key that the token brings along, or says where to fetch.
    let jwk = serde_json::from_value(own.public()).unwrap();
    let brings = Header { jwk: Some(jwk), jku: Some("https://evil.example.com".into()), ..own.header() };
    assert_eq!(desk.judge(&own.sign_under(&brings, &claims())), BAD);
    let under = |header: Header| desk.judge(&signer.sign_under(&header, &claims()));
    assert_eq!(under(Header { kid: None, ..signer.header() }), BAD);
    assert_eq!(under(Header { kid: Some("new".into()), ..signer.header() }), Judged::UnknownKey);
    assert_eq!(under(Header { crit: Some(vec!["exp".into()]), ..signer.header() }), BAD);
    for (typ, fits) in
        [("JWT", true), ("at+jwt", true), ("application/at+JWT", true), ("logout+jwt", false), ("", false)]
    {
        assert_eq!(under(Header { typ: Some(typ.into()), ..signer.header() }) == GOOD(), fits, "{typ:?}");
    }
    assert_eq!(under(Header { typ: None, ..signer.header() }), GOOD());
}

#[test]
fn every_claim_counts() {
    let signer = Signer::new("k", Algorithm::EdDSA);
    let desk = Desk::of(&signer);
    let judged = |claims: &Value| desk.judge(&signer.sign(claims));
    for good in [
        claims(),
        with("aud", json!(["other", "vodrm"])),
        with("nbf", json!(NOW)),
        with("nbf", json!(NOW + LEEWAY_S)),
        with("exp", json!(NOW - LEEWAY_S + 1)),
        #[expect(clippy::cast_precision_loss, reason = "the second is far below 2^52")]
        with("exp", json!(NOW as f64 + 0.5)),
        with("exp", json!(i64::MAX)),
    ] {
        assert_eq!(judged(&good), GOOD(), "{good}");
    }
    for expired in [with("exp", json!(NOW - LEEWAY_S)), with("exp", json!(0)), with("exp", json!(i64::MIN))] {
        assert_eq!(judged(&expired), Judged::Refused(Refused::Expired), "{expired}");
    }
    for bad in [
        without("exp"),
        without("iss"),
        without("aud"),
        without("azp"),
        with("exp", json!("tomorrow")),
        with("exp", json!(null)),
        with("iss", json!("https://id.example.com/")),
        with("iss", json!(["https://id.example.com"])),
        with("aud", json!("VODRM")),
        with("aud", json!([])),
        with("aud", json!(["vodrm2", 1])),
        with("aud", json!({"vodrm": true})),
        with("nbf", json!(NOW + LEEWAY_S + 1)),
        with("nbf", json!("now")),
        with("azp", json!(7)),
        with("azp", json!(["cms"])),
        json!({}),
    ] {
        assert_eq!(judged(&bad), BAD, "{bad}");
    }
    // Of two faults the one that is not told comes first.
    let mut both = with("exp", json!(0));
    both["aud"] = json!("other");
    assert_eq!(judged(&both), BAD);
}

#[test]
fn a_key_set_keeps_what_can_check_a_signature() {
    let signer = Signer::new("k", Algorithm::RS256);
    let algorithms = [Algorithm::RS256, Algorithm::ES256];
    let parse =
        |keys: Value| KeySet::parse(&serde_json::to_vec(&json!({ "keys": keys })).unwrap(), &algorithms);
    let changed = |name: &str, value: Value| {
        let mut key = signer.public();
        key[name] = value;
        key
    };
    let mut plain = signer.public();
    plain.as_object_mut().unwrap().remove("alg");
    // Many issuers do not say the algorithm; then the key's kind decides.
    assert_eq!(parse(json!([plain, {"kty": "new"}, 7])).unwrap().0.len(), 1);
    assert!(parse(json!([changed("use", json!("sig"))])).is_ok());
    assert!(parse(json!([changed("key_ops", json!(["verify"]))])).is_ok());
    for useless in [
        json!([]),
        json!([changed("use", json!("enc"))]),
        json!([changed("key_ops", json!(["sign"]))]),
        json!([changed("alg", json!("RS512"))]),
        json!([changed("alg", json!("RSA-OAEP"))]),
        json!([changed("kid", json!(null))]),
        json!([changed("kid", json!(""))]),
        json!([changed("n", json!("!"))]),
        json!([{"kty": "oct", "k": "Y2FuYXJ5", "kid": "k", "alg": "HS256"}]),
        json!([{"kty": "oct", "k": "Y2FuYXJ5", "kid": "k"}]),
    ] {
        assert_eq!(parse(useless.clone()).unwrap_err(), BadKeySet::NoUse, "{useless}");
    }
    let many = vec![json!({}); MAX_KEYS + 1];
    assert_eq!(parse(json!(many)).unwrap_err(), BadKeySet::TooMany);
    for text in ["", "[]", "{}", "{\"keys\": {}}", "<html>"] {
        assert_eq!(KeySet::parse(text.as_bytes(), &algorithms).unwrap_err(), BadKeySet::Form, "{text}");
    }
}

#[test]
fn a_key_has_no_form_of_a_token() {
    assert!(is_token("a.b.c") && is_token(".."));
    for other in ["", "vodrm_abc", "a.b", "a.b.c.d"] {
        assert!(!is_token(other), "{other}");
    }
}
