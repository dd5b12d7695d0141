//! What is to happen before anything is sent: a plan, a look, a delay, a block.
//!
//! The same four wishes from a JSON body and from a query. Its own file because
//! both forms must mean the same. What an account's policy adds is decided below.

use std::time::Duration;

use serde_json::{Map, Value};

use super::faults::{Faults, take_bool};
use super::query::Query;
use crate::api::problem::Problem;
use crate::guard::policy::{MOST_DELAY, Wish};
use crate::types::duration;

/// What a delay must be.
const DELAY: &str = "a duration of at most 30d, such as 24h";

/// Takes the wishes of a JSON body.
pub(super) fn from_body(fields: &mut Map<String, Value>, faults: &mut Faults) -> Wish {
    let dry_run = take_bool(fields, "#", "dry_run", faults);
    let check = take_bool(fields, "#", "check", faults);
    let quarantine = take_bool(fields, "#", "quarantine", faults);
    let delay = match fields.remove("delay") {
        None => Duration::ZERO,
        Some(value) => match value.as_str().and_then(delay) {
            Some(delay) => delay,
            None => faults.add("#/delay", format!("must be {DELAY}")).unwrap_or_default(),
        },
    };
    if check && !dry_run {
        faults.add::<()>("#/check", CHECKS_A_PLAN);
    }
    Wish { dry_run, check, delay, quarantine }
}

/// Takes the wishes of an upload's query.
pub(super) fn from_query(query: &mut Query) -> Result<Wish, Problem> {
    let wish = Wish {
        dry_run: query.flag("dry_run")?,
        check: query.flag("check")?,
        quarantine: query.flag("quarantine")?,
        delay: query.read("delay", DELAY, delay)?.unwrap_or_default(),
    };
    if wish.check && !wish.dry_run {
        return Err(Problem::malformed(format!("the query parameter `check`: {CHECKS_A_PLAN}")));
    }
    Ok(wish)
}

const CHECKS_A_PLAN: &str = "tells what stands there for a plan: give dry_run: true with it";

fn delay(text: &str) -> Option<Duration> {
    duration::parse(text).ok().filter(|delay| *delay <= MOST_DELAY)
}
