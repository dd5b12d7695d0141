//! Whether a deletion goes wrong in bulk, so that it is paused before all of it does. Pure.
//!
//! Two signs: over half of what was tried is not ok, and many in a row were
//! turned down with one vendor code that a repeat does not cure. Both are
//! counted from when the deletion was accepted or last resumed. Its own file
//! because it judges deletions, where everything else judges items; that a
//! pause follows is the caller's business.

use std::collections::BTreeMap;

use crate::journal::Touched;
use crate::types::deletion::{Counts, DeletionSeq};
use crate::types::lifecycle::PauseCode;
use crate::types::outcome::{Ending, Outcome};

/// So many must have been tried before their share of failures tells something.
pub const TRIED: u64 = 1_000;
/// So many in a row with one code are enough.
pub const IN_A_ROW: u32 = 20;
/// In a deletion of no more items than this nobody gains by a pause.
pub const SMALL: u64 = 20;
/// Most deletions that are watched for rows; the oldest is given up first.
const MOST_WATCHED: usize = 4_096;

/// Why a deletion should be paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable word.
    pub code: PauseCode,
    /// A sentence with the code and the numbers.
    pub why: String,
}

/// Whether over half of what was tried is not ok.
#[must_use]
pub fn mostly_failed(touched: &Touched) -> Option<Finding> {
    let since =
        |counts: fn(&Counts) -> u64| counts(&touched.counts).saturating_sub(counts(&touched.baseline));
    let (tried, bad) = (since(tried), since(not_ok));
    (tried >= TRIED && bad * 2 > tried).then(|| Finding {
        code: PauseCode::MostlyFailed,
        why: format!(
            "{bad} of {tried} items tried since it was accepted or last resumed are refused, busy, failed or unknown"
        ),
    })
}

fn sum(counts: &Counts, of: &[Outcome]) -> u64 {
    of.iter().map(|outcome| counts.of(*outcome)).sum()
}

fn not_ok(counts: &Counts) -> u64 {
    sum(counts, &[Outcome::Refused, Outcome::Busy, Outcome::Failed, Outcome::Unknown])
}

fn tried(counts: &Counts) -> u64 {
    not_ok(counts) + sum(counts, &[Outcome::Deleted, Outcome::Absent])
}

/// Rows of equal failures, by deletion.
#[derive(Debug, Default)]
pub struct Runs {
    of: BTreeMap<DeletionSeq, Run>,
}

#[derive(Debug)]
struct Run {
    vendor_code: String,
    length: u32,
}

impl Runs {
    /// An item of a deletion has ended.
    pub fn note(&mut self, touched: &Touched, ending: &Ending) {
        if touched.counts.total <= SMALL {
            return;
        }
        let Some(code) = permanent_code(ending) else {
            self.of.remove(&touched.seq);
            return;
        };
        match self.of.get_mut(&touched.seq) {
            Some(run) if run.vendor_code == code => run.length = run.length.saturating_add(1),
            Some(run) => *run = Run { vendor_code: code.to_owned(), length: 1 },
            None => {
                if self.of.len() >= MOST_WATCHED {
                    self.of.pop_first();
                }
                self.of.insert(touched.seq, Run { vendor_code: code.to_owned(), length: 1 });
            }
        }
    }

    /// Whether the row of a deletion is long enough.
    #[must_use]
    pub fn same_failure(&self, deletion: DeletionSeq) -> Option<Finding> {
        let run = self.of.get(&deletion).filter(|run| run.length >= IN_A_ROW)?;
        Some(Finding {
            code: PauseCode::SameFailure,
            why: format!("the last {} items in a row were turned down with {}", run.length, run.vendor_code),
        })
    }

    /// A deletion has ended, or was paused: the next row begins anew.
    pub fn forget(&mut self, deletion: DeletionSeq) {
        self.of.remove(&deletion);
    }
}

/// The vendor's code of an ending that a repeat has not cured or would not cure.
/// `busy` passes by itself, and `unknown` is no answer.
fn permanent_code(ending: &Ending) -> Option<&str> {
    let permanent = matches!(ending.outcome, Outcome::Refused | Outcome::Failed);
    ending.error.as_ref().filter(|_| permanent)?.vendor_code.as_deref()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::deletion::DeletionId;
    use crate::types::outcome::{ItemError, Reason};

    fn touched(counts: Counts, baseline: Counts) -> Touched {
        Touched { seq: 1, id: DeletionId::new(), counts, baseline, finished: false }
    }

    /// Counts in the order of the outcomes.
    fn counts(by_outcome: [u64; 7]) -> Counts {
        Counts { total: 1_000_000, by_outcome }
    }

    fn refused(code: &str) -> Ending {
        let error =
            ItemError { vendor_code: Some(code.to_owned()), ..ItemError::new(Reason::Forbidden, "no") };
        Ending::not_ok(Outcome::Refused, error)
    }

    #[test]
    fn half_is_not_over_half_and_999_tell_nothing() {
        let none = Counts::default();
        assert_eq!(mostly_failed(&touched(counts([500, 0, 500, 0, 0, 0, 0]), none)), None);
        assert_eq!(mostly_failed(&touched(counts([0, 0, 999, 0, 0, 0, 5_000]), none)), None);
        let found = mostly_failed(&touched(counts([400, 99, 101, 150, 150, 100, 0]), none)).unwrap();
        assert_eq!(found.code, PauseCode::MostlyFailed);
        assert!(found.why.starts_with("501 of 1000 items"), "{}", found.why);
    }

    #[test]
    fn after_a_resume_the_count_begins_anew() {
        let before = counts([0, 0, 5_000, 0, 0, 0, 0]);
        let after = counts([600, 0, 5_399, 0, 0, 0, 0]);
        assert_eq!(mostly_failed(&touched(after, before)), None);
    }

    #[test]
    fn twenty_in_a_row_with_one_code_are_enough_and_a_success_breaks_the_row() {
        let (mut runs, of) = (Runs::default(), touched(counts([0; 7]), Counts::default()));
        for _ in 0..19 {
            runs.note(&of, &refused("No.Way"));
        }
        assert_eq!(runs.same_failure(1), None);
        runs.note(&of, &Ending::deleted());
        for _ in 0..19 {
            runs.note(&of, &refused("No.Way"));
        }
        runs.note(&of, &refused("Other"));
        assert_eq!(runs.same_failure(1), None, "another code begins another row");
        for _ in 0..19 {
            runs.note(&of, &refused("Other"));
        }
        let found = runs.same_failure(1).unwrap();
        assert_eq!(found.code, PauseCode::SameFailure);
        assert!(found.why.contains("20") && found.why.contains("Other"), "{}", found.why);
        runs.forget(1);
        assert_eq!(runs.same_failure(1), None);
    }

    #[test]
    fn a_small_deletion_is_left_to_end() {
        let (mut runs, of) =
            (Runs::default(), touched(Counts { total: 20, ..Counts::default() }, Counts::default()));
        (0..40).for_each(|_| runs.note(&of, &refused("No.Way")));
        assert_eq!(runs.same_failure(1), None);
    }

    proptest! {
        /// Exactly the longest tail of one code counts, whatever came before.
        #[test]
        fn a_row_is_what_came_last_with_one_code(codes in proptest::collection::vec(0_u8..3, 0..80)) {
            let (mut runs, of) = (Runs::default(), touched(counts([0; 7]), Counts::default()));
            for code in &codes {
                // 0 is a success.
                runs.note(&of, &if *code == 0 { Ending::absent() } else { refused(&format!("C{code}")) });
            }
            let last = codes.last().copied().unwrap_or_default();
            let tail = codes.iter().rev().take_while(|code| **code == last && last != 0).count();
            prop_assert_eq!(runs.same_failure(1).is_some(), tail >= IN_A_ROW as usize);
        }

        /// A pause is proposed exactly when more is not ok than ok, of enough.
        #[test]
        fn over_half_of_enough(by_outcome in proptest::array::uniform7(0_u64..900)) {
            let [deleted, absent, refused, busy, failed, unknown, _] = by_outcome;
            let (ok, bad) = (deleted + absent, refused + busy + failed + unknown);
            let found = mostly_failed(&touched(counts(by_outcome), Counts::default()));
            prop_assert_eq!(found.is_some(), ok + bad >= TRIED && bad > ok);
        }
    }
}
