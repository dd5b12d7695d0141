//! What the simulator does, through `Vendor::answer` with properly signed requests.
//!
//! The bench here plays the kit: it has a set clock and calls the vendor as the server does.
//! Nothing sleeps and nothing is sent.

mod deletes;

mod gateway;

mod reads;

mod served;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Alibaba, signed::Draft};
use crate::sandbox::{Answer, Desk, Effect, Nonces, Options, Received, Vendor, Windows};

pub(super) struct Bench {
    pub(super) vendor: Alibaba,
    pub(super) options: Options,
    pub(super) now: Timestamp,
    windows: Windows,
    nonces: Nonces,
}

/// What a test looks at.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) verdict: String,
    pub(super) effects: Vec<Effect>,
}

impl Heard {
    pub(super) fn code(&self) -> (u16, &str) {
        (self.status, self.body["Code"].as_str().unwrap_or_default())
    }

    /// The ids that this call truly removed, with their parts.
    pub(super) fn removed(&self) -> Vec<String> {
        self.effects
            .iter()
            .filter(|effect| effect.effective)
            .map(|effect| match &effect.part {
                None => effect.id.clone(),
                Some(part) => format!("{}#{part}", effect.id),
            })
            .collect()
    }
}

impl Bench {
    pub(super) fn new() -> Self {
        Self {
            vendor: Alibaba::new(),
            options: Options { enforce_qps: false, ..Options::default() },
            now: "2026-01-15T08:30:00Z".parse().unwrap(),
            windows: Windows::default(),
            nonces: Nonces::default(),
        }
    }

    /// With switches, as the control endpoint would set them.
    pub(super) fn with(patch: &Value) -> Self {
        let bench = Self::new();
        bench.vendor.set_options(patch).unwrap();
        bench
    }

    pub(super) fn draft(&self, action: &str, parameters: &[(&str, &str)]) -> Draft {
        Draft::new(action, parameters, self.now)
    }

    pub(super) fn answer(&self, request: &Received) -> Answer {
        self.vendor.answer(
            request,
            &Desk {
                now: self.now,
                options: &self.options,
                windows: &self.windows,
                nonces: &self.nonces,
                connection: 1,
            },
        )
    }

    pub(super) fn hear(&self, request: &Received) -> Heard {
        let answer = self.answer(request);
        Heard {
            status: answer.reply.status,
            body: serde_json::from_slice(&answer.reply.body).unwrap_or(Value::Null),
            verdict: answer.verdict,
            effects: answer.effects,
        }
    }

    pub(super) fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Heard {
        self.hear(&self.draft(action, parameters).acs3())
    }

    pub(super) fn pass(&mut self, milliseconds: i64) {
        self.now += SignedDuration::from_millis(milliseconds);
    }
}

#[test]
fn options_and_reset_are_for_the_control_endpoint() {
    let bench = Bench::new();
    let error = bench.vendor.set_options(&json!({"id_list": "array"})).unwrap_err();
    assert!(error.contains("id_list"), "{error}");
    assert!(bench.vendor.set_options(&json!({"illegal_status": 200})).is_err());
    bench.vendor.set_options(&json!({"bulk_videos": 3, "busy_in_batch": "list"})).unwrap();
    let seeded = bench.vendor.video_count();
    assert!(bench.vendor.has_video(&super::seed::bulk(2)));
    bench.call("DeleteVideo", &[("VideoIds", super::seed::NORMAL)]);
    assert_eq!(bench.vendor.video_count(), seeded - 1);
    bench.vendor.reset();
    assert_eq!(bench.vendor.video_count(), seeded);
    assert_eq!(bench.vendor.options()["busy_in_batch"], "list");
    let assets = bench.vendor.assets();
    assert_eq!(assets["videos"].as_array().unwrap().len(), seeded);
}

#[test]
fn a_hundred_thousand_videos_are_cheap() {
    let bench = Bench::new();
    let before = bench.vendor.video_count();
    assert_eq!(bench.vendor.add_videos((0..100_000).map(super::seed::bulk)), 100_000);
    assert_eq!(bench.vendor.video_count(), before + 100_000);
    assert_eq!(bench.vendor.add_videos([super::seed::bulk(7)]), 0);
}
