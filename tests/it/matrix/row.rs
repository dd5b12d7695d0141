//! What a row of the matrix is made of: data, and how it is written down.
//!
//! A row names a line of FAULTS.md's table, a vendor, what is asked, what goes
//! wrong, and everything that must be true afterwards. `play.rs` acts it out; the
//! rows themselves are in `lost.rs`, `told.rs` and `account.rs`.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::{Value, json};
use vodrm::providers::alibaba::sandbox::seed as a;
use vodrm::providers::tencent::sandbox::seed as t;
use vodrm::sandbox::{Fault, FaultRule};
use vodrm::settings::Settings;

use crate::harness::relay::Closing;
use crate::harness::{ALIBABA, TENCENT, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Vendor {
    Alibaba,
    Tencent,
}

pub(super) use Vendor::{Alibaba, Tencent};

pub(super) const BOTH: [Vendor; 2] = [Alibaba, Tencent];

impl Vendor {
    pub(super) fn account(self) -> &'static str {
        match self {
            Alibaba => ALIBABA,
            Tencent => TENCENT,
        }
    }

    /// The delete of a whole asset.
    pub(super) fn delete(self) -> &'static str {
        match self {
            Alibaba => "DeleteVideo",
            Tencent => "DeleteMedia",
        }
    }

    /// The read that shows whether a whole asset stands.
    pub(super) fn read(self) -> &'static str {
        match self {
            Alibaba => "GetVideoInfos",
            Tencent => "DescribeMediaInfos",
        }
    }

    /// The n-th ordinary asset, from 1.
    pub(super) fn id(self, n: u32) -> String {
        match self {
            Alibaba => a::normal(n),
            Tencent => t::video(n.into()),
        }
    }

    /// An id that never was.
    pub(super) fn missing(self) -> &'static str {
        match self {
            Alibaba => a::MISSING,
            Tencent => t::MISSING,
        }
    }
}

/// Something with its name.
pub(super) type Named<T> = (&'static str, T);
/// A change of the vendor's.
pub(super) type Change = fn(&World);
/// A fault after the effect, or before it.
pub(super) type Timed = fn(bool) -> Fault;

/// How an item must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub(super) outcome: &'static str,
    pub(super) inferred: bool,
    pub(super) code: Option<&'static str>,
    pub(super) vendor_code: Option<&'static str>,
}

const PLAIN: End = End { outcome: "deleted", inferred: false, code: None, vendor_code: None };

pub(super) const DELETED: End = PLAIN;
pub(super) const INFERRED: End = End { inferred: true, ..PLAIN };
pub(super) const ABSENT: End = End { outcome: "absent", ..PLAIN };
pub(super) const UNKNOWN: End = End { outcome: "unknown", code: Some("unsettled"), ..PLAIN };

impl End {
    pub(super) const fn refused(code: &'static str) -> Self {
        Self { outcome: "refused", code: Some(code), ..PLAIN }
    }

    pub(super) const fn busy() -> Self {
        Self { outcome: "busy", code: Some("busy"), ..PLAIN }
    }

    pub(super) const fn failed(code: &'static str) -> Self {
        Self { outcome: "failed", code: Some(code), ..PLAIN }
    }

    /// The vendor's own code is kept and shown.
    pub(super) const fn with(self, vendor_code: &'static str) -> Self {
        Self { vendor_code: Some(vendor_code), ..self }
    }
}

/// How the lane must stand at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Open, at its full rate.
    Open,
    /// Open, its rate halved so many times.
    Slowed(i32),
    /// Open, its rate halved once and grown by 5 % of the limit.
    Recovering,
    Blocked(&'static str),
}

/// What happens between the request and the end, in order.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scene {
    /// The vendor has received so many calls of this operation.
    Received(&'static str, usize),
    /// So many deletes have truly worked.
    Worked(usize),
    /// The first item waits, after so many attempts.
    Waits(u64),
    /// Every item is journaled as `sending`.
    Sending,
    /// The lane is closed for this reason, every item waits, and none was burnt.
    Blocked(&'static str),
    Passes(Duration),
    Do(Change),
    /// An operator asks for a probe, which goes through.
    Unblock,
    /// The process dies and another one starts.
    Kill,
}

/// How the service reaches the vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    Direct,
    /// Over a connection that another delete has used before.
    Reused(Closing),
    /// Nobody listens.
    Nowhere,
}

pub(super) struct Row {
    /// The number in FAULTS.md's table.
    pub(super) number: u8,
    pub(super) vendor: Vendor,
    pub(super) name: String,
    /// The operation whose calls are counted and whose lane is looked at.
    pub(super) operation: &'static str,
    pub(super) targets: Vec<Value>,
    pub(super) rules: Vec<FaultRule>,
    pub(super) settings: Vec<fn(&mut Settings)>,
    pub(super) vendor_state: Vec<Change>,
    pub(super) wire: Wire,
    pub(super) scenes: Vec<Scene>,
    /// One per item, or one for all.
    pub(super) ends: Vec<End>,
    /// The first item's attempts: purpose and class.
    pub(super) trail: Vec<&'static str>,
    /// More attempts may follow those of the trail.
    pub(super) trail_goes_on: bool,
    /// Calls of the operation that the vendor received. With one target the trail says it.
    pub(super) calls: Option<RangeInclusive<usize>>,
    /// Deletes that truly worked. By default one for each item that is deleted.
    pub(super) worked: Option<usize>,
    /// The least time between two calls of the operation.
    pub(super) apart: Duration,
    pub(super) lane: Lane,
    /// Time that passes between the end and the look at the lane.
    pub(super) later: Duration,
    /// What must be true of the vendor's library at the end.
    pub(super) then: Vec<fn(&World) -> bool>,
    /// It waits for the machine's own clock for long.
    pub(super) is_slow: bool,
}

/// A row of one whole asset, with nothing that goes wrong and no expectation yet.
pub(super) fn row(number: u8, vendor: Vendor, name: impl Into<String>) -> Row {
    Row {
        number,
        vendor,
        name: name.into(),
        operation: vendor.delete(),
        targets: vec![media(&vendor.id(1))],
        rules: Vec::new(),
        settings: Vec::new(),
        vendor_state: Vec::new(),
        wire: Wire::Direct,
        scenes: Vec::new(),
        ends: Vec::new(),
        trail: Vec::new(),
        trail_goes_on: false,
        calls: None,
        worked: None,
        apart: Duration::ZERO,
        lane: Lane::Open,
        later: Duration::ZERO,
        then: Vec::new(),
        is_slow: false,
    }
}

impl Row {
    /// Deletes of this operation, of these targets, instead. Comes first: faults are for the operation.
    pub(super) fn asks(mut self, operation: &'static str, targets: Vec<Value>) -> Self {
        assert!(self.rules.is_empty(), "{} has a fault of another operation", self.name);
        (self.operation, self.targets) = (operation, targets);
        self
    }

    /// This goes wrong once, with the delete.
    pub(super) fn fault(self, fault: Fault) -> Self {
        let rule = FaultRule::once(fault).for_operation(self.operation);
        self.rule(rule)
    }

    pub(super) fn rule(mut self, rule: FaultRule) -> Self {
        self.rules.push(rule);
        self
    }

    pub(super) fn settings(mut self, change: fn(&mut Settings)) -> Self {
        self.settings.push(change);
        self
    }

    /// How the vendor stands before anything is asked.
    pub(super) fn given(mut self, change: Change) -> Self {
        self.vendor_state.push(change);
        self
    }

    pub(super) fn over(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }

    pub(super) fn scenes(mut self, scenes: &[Scene]) -> Self {
        self.scenes.extend_from_slice(scenes);
        self
    }

    pub(super) fn ends(mut self, end: End) -> Self {
        self.ends = vec![end];
        self
    }

    pub(super) fn ends_each(mut self, ends: Vec<End>) -> Self {
        self.ends = ends;
        self
    }

    pub(super) fn trail(mut self, trail: &[&'static str]) -> Self {
        self.trail = trail.to_vec();
        self
    }

    pub(super) fn trail_starts(mut self, trail: &[&'static str]) -> Self {
        self.trail_goes_on = true;
        self.trail(trail)
    }

    pub(super) fn calls(mut self, calls: RangeInclusive<usize>) -> Self {
        self.calls = Some(calls);
        self
    }

    pub(super) fn worked(mut self, deletes: usize) -> Self {
        self.worked = Some(deletes);
        self
    }

    pub(super) fn apart(mut self, time: Duration) -> Self {
        self.apart = time;
        self
    }

    pub(super) fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    pub(super) fn later(mut self, time: Duration) -> Self {
        self.later = time;
        self
    }

    pub(super) fn then(mut self, check: fn(&World) -> bool) -> Self {
        self.then.push(check);
        self
    }

    pub(super) fn slow(mut self) -> Self {
        self.is_slow = true;
        self
    }
}

// Targets. The account is filled in when the row is played.

pub(super) fn media(id: &str) -> Value {
    json!({"kind": "media", "id": id})
}

pub(super) fn source(id: &str) -> Value {
    json!({"kind": "source", "id": id})
}

/// The renditions of these definitions.
pub(super) fn renditions(id: &str, definitions: &[&str]) -> Value {
    json!({"kind": "renditions", "id": id, "definitions": definitions})
}

pub(super) fn snapshots(id: &str) -> Value {
    json!({"kind": "snapshots", "id": id, "types": ["cover"]})
}

pub(super) fn image(id: &str) -> Value {
    json!({"kind": "image", "id": id})
}

pub(super) fn attached(id: &str) -> Value {
    json!({"kind": "attached_media", "id": id})
}

/// The vendor's ordinary assets, from 1.
pub(super) fn many(vendor: Vendor, count: u32) -> Vec<Value> {
    (1..=count).map(|n| media(&vendor.id(n))).collect()
}

/// The same, with these in the place of some.
pub(super) fn many_but(vendor: Vendor, count: u32, others: &[(usize, &str)]) -> Vec<Value> {
    let mut targets = many(vendor, count);
    for (place, id) in others {
        targets[*place] = media(id);
    }
    targets
}

/// One end for all but some.
pub(super) fn all_but(count: usize, end: End, others: &[(usize, End)]) -> Vec<End> {
    let mut ends = vec![end; count];
    for (place, other) in others {
        ends[*place] = *other;
    }
    ends
}

/// An error in the vendor's envelope with the status that its page prints.
pub(super) fn error(code: &str) -> Fault {
    Fault::Error { status: None, code: code.to_owned(), message: None }
}

pub(super) fn error_after(code: &str) -> Fault {
    Fault::ErrorAfter { status: None, code: code.to_owned(), message: None }
}
