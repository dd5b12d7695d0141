//! Settings for tests: providers that exist nowhere else, and sources from text.
//!
//! The real providers have their own tests; what is tested with these is what
//! the frame makes of any provider.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use super::{Faults, Settings, Sources};
use crate::providers::registry::Listed;
use crate::providers::setup::{AccountSetup, BadSetup};
use crate::providers::{Call, CallReport, Effect, Entry, Operation, Provider, Refusal, Route};
use crate::types::effects::GoesWith;
use crate::types::target::{Kind, MediaId, Target};

const fn operation(name: &'static str, effect: Effect, published_qps: Option<u32>) -> Operation {
    Operation { name, effect, published_qps, items_per_call: 20, parts_per_call: 20 }
}

const OPERATIONS: &[Operation] =
    &[operation("DeleteMedia", Effect::Delete, Some(100)), operation("DescribeMedia", Effect::Read, None)];

/// Two providers, whose vendor has every region but `refused`.
pub(crate) const FAKES: &[Listed] = &[
    Listed { name: "alibaba", operations: OPERATIONS, endpoint, build },
    Listed { name: "tencent", operations: OPERATIONS, endpoint, build },
];

fn endpoint(setup: &AccountSetup) -> Result<reqwest::Url, BadSetup> {
    if let Some(url) = &setup.endpoint {
        return Ok(url.clone());
    }
    let region = setup.region.as_deref().ok_or(BadSetup { field: "region", why: "is missing".into() })?;
    Ok(reqwest::Url::parse(&format!("https://vod.{region}.example.com")).expect("the host is plain"))
}

fn build(setup: AccountSetup) -> Result<Arc<dyn Provider>, BadSetup> {
    let AccountSetup { region, .. } = setup;
    if region.as_deref() == Some("refused") {
        return Err(BadSetup { field: "region", why: "is none of the vendor's".into() });
    }
    Ok(Arc::new(Fake))
}

#[derive(Debug)]
struct Fake;

#[async_trait]
impl Provider for Fake {
    fn name(&self) -> &'static str {
        "alibaba"
    }
    fn kinds(&self) -> &'static [Kind] {
        &[]
    }
    fn operations(&self) -> &'static [Operation] {
        OPERATIONS
    }
    fn route(&self, _: &Target) -> Result<Route, Refusal> {
        unreachable!("the frame routes nothing")
    }
    fn group(&self, _: &Operation, _: &Entry) -> String {
        String::new()
    }
    async fn call(&self, _: &Call) -> CallReport {
        unreachable!("the frame calls nobody")
    }
    fn probe(&self) -> Call {
        unreachable!("the frame probes nothing")
    }
    fn portrait(&self, _: &MediaId) -> Vec<Call> {
        Vec::new()
    }
    fn survey(&self, _: &Target) -> Option<(&'static Operation, Entry)> {
        None
    }
    fn effects(&self, _: &Target) -> Vec<GoesWith> {
        Vec::new()
    }
}

/// Sources with one file after `--config` and these variables.
pub(crate) fn sources(directory: &Path, toml: &str, environment: &[(&str, &str)]) -> Sources {
    let file = directory.join("test.toml");
    std::fs::write(&file, toml).expect("the temporary directory takes files");
    Sources {
        directory: directory.to_owned(),
        environment: environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        file: Some(file),
        listen: None,
    }
}

/// What these settings give.
pub(crate) fn load(toml: &str, environment: &[(&str, &str)]) -> Result<Settings, Faults> {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    Settings::load_for(&sources(directory.path(), toml, environment), FAKES)
}
