//! The fault script: which calls go wrong, and how.
//!
//! Rules are tried in order for every call. A rule that matches first lets `skip` calls pass,
//! then fires `times` times (0: until the rules are replaced); the first rule that fires ends the
//! search, so later rules do not see that call. `after_effect` says whether the vendor did the
//! work before things went wrong; it is the difference between "not done" and "not told".
//!
//! Only the script is here; `server` acts it out, and a vendor writes its own envelopes.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::Peek;

/// Rules in a script at most.
const MAX_RULES: usize = 1_000;

/// A waiting fault waits no longer than this.
const MAX_DELAY_MS: u64 = 600_000;

/// The largest scripted body: it is made while it is sent, so only time is spent.
const MAX_HUGE_BYTES: u64 = 4 << 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Only calls of this operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// Only calls that carry this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Matching calls to let pass first.
    #[serde(default)]
    pub skip: u32,
    /// How often to fire; 0 means until the rules are replaced.
    #[serde(default)]
    pub times: u32,
    pub fault: Fault,
}

impl FaultRule {
    /// A rule for every call of every operation, until it is replaced.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self {
            operation: None,
            id: None,
            skip: 0,
            times: 0,
            fault,
        }
    }

    /// A rule for the next call only.
    #[must_use]
    pub fn once(fault: Fault) -> Self {
        Self {
            times: 1,
            ..Self::always(fault)
        }
    }

    #[must_use]
    pub fn for_operation(mut self, operation: &str) -> Self {
        self.operation = Some(operation.to_owned());
        self
    }

    #[must_use]
    pub fn for_id(mut self, id: &str) -> Self {
        self.id = Some(id.to_owned());
        self
    }

    #[must_use]
    pub fn skipping(mut self, calls: u32) -> Self {
        self.skip = calls;
        self
    }

    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = times;
        self
    }

    fn matches(&self, peek: &Peek) -> bool {
        self.operation
            .as_ref()
            .is_none_or(|operation| *operation == peek.operation)
            && self.id.as_ref().is_none_or(|id| peek.ids.contains(id))
    }
}

fn yes() -> bool {
    true
}

/// What goes wrong. In JSON the name is in `kind`: `{"kind": "reset", "after_effect": true}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The vendor's own throttling answer, without effect.
    Throttle {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Any error in the vendor's envelope, without effect.
    Error {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The call takes effect, and then this error is answered.
    ErrorAfter {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An error in the vendor's XML envelope although JSON was asked for, without effect.
    XmlError {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        code: String,
    },
    /// An error in the vendor's older envelope, without effect.
    LegacyError { code: String },
    /// An HTML page of a gateway in between.
    HttpError {
        status: u16,
        #[serde(default)]
        after_effect: bool,
    },
    /// The connection is reset instead of an answer.
    Reset {
        #[serde(default)]
        after_effect: bool,
    },
    /// The head promises the whole answer, the body stops before byte `at_byte`.
    Cut {
        at_byte: u64,
        #[serde(default = "yes")]
        after_effect: bool,
    },
    /// 200 with bytes that are no envelope.
    Garbage {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with no body.
    Empty {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with a web page.
    Html {
        #[serde(default)]
        after_effect: bool,
    },
    /// 200 with a body of this many bytes.
    Huge {
        bytes: u64,
        #[serde(default)]
        after_effect: bool,
    },
    /// 302 to `location`.
    Redirect {
        location: String,
        #[serde(default)]
        after_effect: bool,
    },
    /// The answer comes `ms` later. The effect comes at once, or with `late_effect` after the
    /// wait, even if the client is gone by then.
    Delay {
        ms: u64,
        #[serde(default)]
        late_effect: bool,
    },
    /// No answer at all until the client leaves or the simulator stops.
    Hang {
        #[serde(default)]
        after_effect: bool,
    },
    /// The true answer, labelled `text/plain`.
    WrongContentType {},
}

impl Fault {
    /// The name that JSON and the ledger use.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::Error { .. } => "error",
            Self::ErrorAfter { .. } => "error_after",
            Self::XmlError { .. } => "xml_error",
            Self::LegacyError { .. } => "legacy_error",
            Self::HttpError { .. } => "http_error",
            Self::Reset { .. } => "reset",
            Self::Cut { .. } => "cut",
            Self::Garbage { .. } => "garbage",
            Self::Empty { .. } => "empty",
            Self::Html { .. } => "html",
            Self::Huge { .. } => "huge",
            Self::Redirect { .. } => "redirect",
            Self::Delay { .. } => "delay",
            Self::Hang { .. } => "hang",
            Self::WrongContentType {} => "wrong_content_type",
        }
    }

    /// Whether the vendor does the work although things go wrong.
    #[must_use]
    pub fn takes_effect(&self) -> bool {
        match self {
            Self::Throttle { .. }
            | Self::Error { .. }
            | Self::XmlError { .. }
            | Self::LegacyError { .. } => false,
            Self::ErrorAfter { .. } | Self::Delay { .. } | Self::WrongContentType {} => true,
            Self::HttpError { after_effect, .. }
            | Self::Reset { after_effect }
            | Self::Cut { after_effect, .. }
            | Self::Garbage { after_effect }
            | Self::Empty { after_effect }
            | Self::Html { after_effect }
            | Self::Huge { after_effect, .. }
            | Self::Redirect { after_effect, .. }
            | Self::Hang { after_effect } => *after_effect,
        }
    }

    /// The refusal to ask the vendor for, if this fault speaks in the vendor's envelope.
    pub(super) fn refusal(&self) -> Option<VendorFault> {
        let blank = VendorFault {
            status: None,
            code: None,
            message: None,
            retry_after_ms: None,
            envelope: Envelope::Native,
        };
        match self {
            Self::Throttle {
                code,
                retry_after_ms,
            } => Some(VendorFault {
                code: code.clone(),
                retry_after_ms: *retry_after_ms,
                ..blank
            }),
            Self::Error {
                status,
                code,
                message,
            }
            | Self::ErrorAfter {
                status,
                code,
                message,
            } => Some(VendorFault {
                status: *status,
                code: Some(code.clone()),
                message: message.clone(),
                ..blank
            }),
            Self::XmlError { status, code } => Some(VendorFault {
                status: *status,
                code: Some(code.clone()),
                envelope: Envelope::Xml,
                ..blank
            }),
            Self::LegacyError { code } => Some(VendorFault {
                code: Some(code.clone()),
                envelope: Envelope::Legacy,
                ..blank
            }),
            Self::HttpError { .. }
            | Self::Reset { .. }
            | Self::Cut { .. }
            | Self::Garbage { .. }
            | Self::Empty { .. }
            | Self::Html { .. }
            | Self::Huge { .. }
            | Self::Redirect { .. }
            | Self::Delay { .. }
            | Self::Hang { .. }
            | Self::WrongContentType {} => None,
        }
    }

    fn check(&self) -> Result<(), String> {
        let fine_status = |status: Option<u16>| match status {
            Some(status) if !(200..=599).contains(&status) => {
                Err(format!("status {status} is not between 200 and 599"))
            }
            _ => Ok(()),
        };
        match self {
            Self::Error { status, code, .. }
            | Self::ErrorAfter { status, code, .. }
            | Self::XmlError { status, code } => {
                if code.is_empty() {
                    return Err("code is empty".to_owned());
                }
                fine_status(*status)
            }
            Self::LegacyError { code } if code.is_empty() => Err("code is empty".to_owned()),
            Self::HttpError { status, .. } => fine_status(Some(*status)),
            Self::Huge { bytes, .. } if *bytes > MAX_HUGE_BYTES => {
                Err(format!("bytes is above {MAX_HUGE_BYTES}"))
            }
            Self::Delay { ms, .. } if *ms > MAX_DELAY_MS => {
                Err(format!("ms is above {MAX_DELAY_MS}"))
            }
            Self::Redirect { location, .. }
                if http::HeaderValue::from_str(location).is_err() || location.is_empty() =>
            {
                Err("location cannot be sent as a header".to_owned())
            }
            Self::Throttle { .. }
            | Self::LegacyError { .. }
            | Self::Reset { .. }
            | Self::Cut { .. }
            | Self::Garbage { .. }
            | Self::Empty { .. }
            | Self::Html { .. }
            | Self::Huge { .. }
            | Self::Redirect { .. }
            | Self::Delay { .. }
            | Self::Hang { .. }
            | Self::WrongContentType {} => Ok(()),
        }
    }
}

/// Which of a vendor's envelopes a scripted error is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Envelope {
    /// The one the request asks for.
    Native,
    Xml,
    Legacy,
}

/// A scripted error for [`super::Vendor::refuse`]. No `code` means the vendor's usual throttling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VendorFault {
    /// None means the status the vendor's page prints for the code.
    pub status: Option<u16>,
    pub code: Option<String>,
    pub message: Option<String>,
    pub retry_after_ms: Option<u64>,
    pub envelope: Envelope,
}

/// Whether a script can work; the error names the rule by its place, from 0.
pub(super) fn check(rules: &[FaultRule]) -> Result<(), String> {
    if rules.len() > MAX_RULES {
        return Err(format!("at most {MAX_RULES} rules"));
    }
    for (place, rule) in rules.iter().enumerate() {
        rule.fault
            .check()
            .map_err(|why| format!("rule {place} ({}): {why}", rule.fault.kind()))?;
    }
    Ok(())
}

#[derive(Debug)]
struct Progress {
    rule: FaultRule,
    skipped: u32,
    fired: u32,
}

#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Progress>>);

impl Faults {
    fn locked(&self) -> MutexGuard<'_, Vec<Progress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replace(&self, rules: Vec<FaultRule>) {
        *self.locked() = rules
            .into_iter()
            .map(|rule| Progress {
                rule,
                skipped: 0,
                fired: 0,
            })
            .collect();
    }

    pub(super) fn rules(&self) -> Vec<FaultRule> {
        self.locked().iter().map(|step| step.rule.clone()).collect()
    }

    /// The fault for this call, counted as fired.
    pub(super) fn take(&self, peek: &Peek) -> Option<Fault> {
        for step in self.locked().iter_mut() {
            if !step.rule.matches(peek) || (step.rule.times > 0 && step.fired >= step.rule.times) {
                continue;
            }
            if step.skipped < step.rule.skip {
                step.skipped += 1;
                continue;
            }
            step.fired = step.fired.saturating_add(1);
            return Some(step.rule.fault.clone());
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str, id: &str) -> Peek {
        Peek {
            operation: operation.into(),
            ids: vec![id.into()],
            ..Peek::default()
        }
    }

    #[test]
    fn a_rule_skips_then_fires_its_times() {
        let faults = Faults::default();
        let rule = FaultRule::always(Fault::Garbage {
            after_effect: false,
        });
        faults.replace(vec![rule.for_operation("Op").skipping(1).times(2)]);
        let fired: Vec<bool> = (0..5)
            .map(|_| faults.take(&call("Op", "a")).is_some())
            .collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(faults.take(&call("Other", "a")).is_none());
    }

    #[test]
    fn a_rule_for_an_id_waits_for_a_call_that_carries_it() {
        let faults = Faults::default();
        faults.replace(vec![
            FaultRule::once(Fault::Reset { after_effect: true }).for_id("b"),
        ]);
        assert!(faults.take(&call("Op", "a")).is_none());
        assert!(faults.take(&call("Op", "b")).is_some());
        assert!(faults.take(&call("Op", "b")).is_none());
    }

    #[test]
    fn rules_are_read_as_the_document_writes_them() {
        let rules: Vec<FaultRule> = serde_json::from_str(
            r#"[{"operation":"Op","id":"a","skip":1,"times":2,"fault":{"kind":"throttle","retry_after_ms":50}},
                {"fault":{"kind":"cut","at_byte":40}},
                {"fault":{"kind":"wrong_content_type"}},
                {"fault":{"kind":"error_after","status":503,"code":"X"}}]"#,
        )
        .unwrap();
        assert!(
            rules[1].fault.takes_effect(),
            "a cut comes after the effect unless told otherwise"
        );
        for rule in &rules {
            let text = serde_json::to_value(&rule.fault).unwrap();
            assert_eq!(text["kind"], rule.fault.kind());
        }
        check(&rules).unwrap();
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for bad in [
            r#"{"fault":{"kind":"no_such"}}"#,
            r#"{"fault":{"kind":"reset","after":true}}"#,
            r#"{"fault":{"kind":"wrong_content_type","x":1}}"#,
            r#"{"fault":{"kind":"reset"},"time":1}"#,
        ] {
            assert!(serde_json::from_str::<FaultRule>(bad).is_err(), "{bad}");
        }
        let status = FaultRule::always(Fault::HttpError {
            status: 99,
            after_effect: false,
        });
        assert!(check(&[status]).unwrap_err().contains("rule 0"));
    }
}
