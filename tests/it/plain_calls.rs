//! The clients against the simulators, for calls that are no item's step: surveys and blocks.
//!
//! What the service makes of them is tested where it makes them; here both readings of the
//! vendors' pages meet.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use vodrm::app::sandboxes::Sandboxes;
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::credentials::CredentialSource;
use vodrm::providers::registry::listed;
use vodrm::providers::setup::AccountSetup;
use vodrm::providers::survey::surveys;
use vodrm::providers::tencent::sandbox::seed as t;
use vodrm::providers::transport::Transport;
use vodrm::providers::{CallReport, Provider, Verdict};
use vodrm::sandbox::Sandbox;
use vodrm::types::asset::{Facts, Source, Standing};
use vodrm::types::clock::SystemClock;
use vodrm::types::outcome::Reason;
use vodrm::types::secret::Credentials;
use vodrm::types::target::{AccountId, MediaId, Name, Target, What};

struct Both {
    vendors: Sandboxes,
    stop: CancellationToken,
}

impl Drop for Both {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn both() -> Both {
    let stop = CancellationToken::new();
    let free = "127.0.0.1:0".parse().unwrap();
    let vendors = Sandboxes::start(free, free, &SystemClock::start(), &TaskTracker::new(), &stop).unwrap();
    Both { vendors, stop }
}

fn client(name: &str, vendor: &Sandbox, id: &str, secret: &str) -> Arc<dyn Provider> {
    let clock = SystemClock::start();
    let key = Credentials { id: id.into(), secret: secret.into(), token: None };
    let setup = AccountSetup {
        region: None,
        endpoint: Some(vendor.base_url().parse().unwrap()),
        sub_app_id: None,
        signature: None,
        credentials: CredentialSource::fixed(key, Arc::clone(&clock)),
        transport: Transport::new().unwrap(),
        clock,
    };
    (listed(name).unwrap().build)(setup).unwrap()
}

fn alibaba(both: &Both) -> Arc<dyn Provider> {
    client("alibaba", &both.vendors.alibaba, a::ACCESS_KEY_ID, a::ACCESS_KEY_SECRET)
}

fn tencent(both: &Both) -> Arc<dyn Provider> {
    client("tencent", &both.vendors.tencent, t::SECRET_ID, t::SECRET_KEY)
}

fn target(what: What, form: &str, name: &str) -> Target {
    let account = AccountId::parse("any").unwrap();
    Target { account, name: Name::parse(form, name).unwrap(), what }
}

/// What each target was told, in the order asked.
async fn looked_at(provider: &dyn Provider, targets: &[Target]) -> Vec<Option<Verdict>> {
    let mut told = vec![None; targets.len()];
    for survey in surveys(provider, targets) {
        let report = provider.call(&survey.call).await;
        for (verdict, positions) in report.verdicts.into_iter().zip(survey.targets) {
            for position in positions {
                told[position] = Some(verdict.clone());
            }
        }
    }
    told
}

fn facts(verdict: Option<&Verdict>) -> &Facts {
    let Some(Verdict::Facts(facts)) = verdict else { panic!("{verdict:?}") };
    facts
}

#[tokio::test]
async fn a_survey_of_alibaba_tells_of_every_kind_in_one_read_each() {
    let both = both();
    let provider = alibaba(&both);
    let (found, missing) = (a::reference(2), "no-such-reference");
    let targets = [
        target(What::Media, "id", a::NORMAL),
        target(What::Source { force: false }, "id", a::SOURCE_DELETED),
        target(What::Media, "id", a::MISSING),
        target(What::Media, "id", a::OTHER_APPLICATION),
        target(What::Media, "reference_id", &found),
        target(What::Media, "reference_id", missing),
        target(What::Image, "id", a::IMAGE),
        target(What::AttachedMedia, "id", a::ATTACHED),
        target(What::Source { force: true }, "id", a::NORMAL),
    ];
    let told = looked_at(provider.as_ref(), &targets).await;
    assert_eq!(both.vendors.alibaba.ledger().len(), 4, "videos, references, images, attached media");
    let video = facts(told[0].as_ref());
    assert!(video.title.is_some() && video.size_bytes.is_some() && video.created_at.is_some());
    assert_eq!((video.status.as_deref(), video.is_blocked), (Some("Normal"), None));
    assert!(!video.renditions.as_ref().unwrap().is_empty());
    assert!(matches!(video.source, Some(Source::Stands(_))));
    assert_eq!(told[8], told[0], "one asset is read once");
    assert_eq!(facts(told[1].as_ref()).source, Some(Source::Gone));
    assert_eq!(facts(told[2].as_ref()).standing, Standing::Missing);
    let Some(Verdict::NotOk { error, .. }) = &told[3] else { panic!("{:?}", told[3]) };
    assert_eq!(error.code, Reason::Forbidden);
    let referred = facts(told[4].as_ref());
    assert_eq!(referred.id.as_ref().map(MediaId::as_str), Some(a::normal(2).as_str()));
    assert_eq!((referred.title.is_some(), &referred.renditions), (true, &None));
    assert_eq!(facts(told[5].as_ref()).standing, Standing::Missing);
    for standing in [&told[6], &told[7]] {
        let facts = facts(standing.as_ref());
        assert_eq!((facts.standing, facts.title.is_some()), (Standing::Stands, true));
    }
}

async fn block(provider: &dyn Provider, ids: &[&str], lift: bool) -> CallReport {
    let ids: Vec<MediaId> = ids.iter().map(|id| MediaId::parse(id).unwrap()).collect();
    provider.call(&provider.block(&ids, lift).unwrap()).await
}

#[tokio::test]
async fn a_block_at_tencent_is_seen_by_a_survey_and_lifted_again() {
    let both = both();
    let provider = tencent(&both);
    let (one, two) = (t::video(1), t::video(2));
    let ids = [one.as_str(), two.as_str(), t::FORBIDDEN, t::MISSING];
    let targets = ids.map(|id| target(What::Media, "id", id));
    let blocked = async || {
        let told = looked_at(provider.as_ref(), &targets).await;
        told.iter().map(|verdict| facts(verdict.as_ref()).is_blocked).collect::<Vec<_>>()
    };
    assert_eq!(blocked().await, [Some(false), Some(false), Some(true), None]);
    for _ in 0..2 {
        let report = block(provider.as_ref(), &[&one, t::MISSING], false).await;
        assert_eq!(report.verdicts, [Verdict::Done, Verdict::Absent]);
    }
    assert_eq!(blocked().await, [Some(true), Some(false), Some(true), None]);
    assert_eq!(block(provider.as_ref(), &[&one], true).await.verdicts, [Verdict::Done]);
    assert_eq!(blocked().await, [Some(false), Some(false), Some(true), None]);
    for (id, code) in [
        (t::BANNED, "FailedOperation.MediaForbidedBySystem"),
        (t::ARCHIVED, "InvalidParameterValue.StorageClass"),
    ] {
        let report = block(provider.as_ref(), &[&two, id], false).await;
        assert_eq!(report.code.as_deref(), Some(code));
        assert!(report.verdicts.iter().all(|v| matches!(v, Verdict::NotOk { of_whole_call: true, .. })));
    }
    assert_eq!(blocked().await, [Some(false), Some(false), Some(true), None]);
}
