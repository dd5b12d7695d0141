//! The fault script: which calls go wrong.
//!
//! Rules are tried in order for every call. A rule that matches first lets `skip` calls pass,
//! then fires `times` times (0: until the rules are replaced); the first rule that fires ends the
//! search, so later rules do not see that call. Apart from `fault`, so that what can go wrong and
//! when it does can each be read alone. Knows a call only by its `Peek`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::{Fault, Peek};

/// Rules in a script at most.
const MAX_RULES: usize = 1_000;

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
        Self { operation: None, id: None, skip: 0, times: 0, fault }
    }

    /// A rule for the next call only.
    #[must_use]
    pub fn once(fault: Fault) -> Self {
        Self { times: 1, ..Self::always(fault) }
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
        self.operation.as_ref().is_none_or(|operation| *operation == peek.operation)
            && self.id.as_ref().is_none_or(|id| peek.ids.contains(id))
    }
}

/// Whether a script can work; the error names the rule by its place, from 0.
pub(super) fn check(rules: &[FaultRule]) -> Result<(), String> {
    if rules.len() > MAX_RULES {
        return Err(format!("at most {MAX_RULES} rules"));
    }
    for (place, rule) in rules.iter().enumerate() {
        rule.fault.check().map_err(|why| format!("rule {place} ({}): {why}", rule.fault.kind()))?;
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
        *self.locked() = rules.into_iter().map(|rule| Progress { rule, skipped: 0, fired: 0 }).collect();
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
        Peek { operation: operation.into(), ids: vec![id.into()], ..Peek::default() }
    }

    #[test]
    fn a_rule_skips_then_fires_its_times() {
        let faults = Faults::default();
        let rule = FaultRule::always(Fault::Garbage { after_effect: false });
        faults.replace(vec![rule.for_operation("Op").skipping(1).times(2)]);
        let fired: Vec<bool> = (0..5).map(|_| faults.take(&call("Op", "a")).is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(faults.take(&call("Other", "a")).is_none());
    }

    #[test]
    fn a_rule_for_an_id_waits_for_a_call_that_carries_it() {
        let faults = Faults::default();
        faults.replace(vec![FaultRule::once(Fault::Reset { after_effect: true }).for_id("b")]);
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
        assert!(rules[1].fault.takes_effect(), "a cut comes after the effect unless told otherwise");
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
        let status = FaultRule::always(Fault::HttpError { status: 99, after_effect: false });
        assert!(check(&[status]).unwrap_err().contains("rule 0"));
    }
}
