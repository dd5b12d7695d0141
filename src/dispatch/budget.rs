//! The retry budget of one account. Pure.
//!
//! Retries help against single failures and feed an outage. Every success pays a
//! little in, every retry takes one out; while the account is overdrawn, retries
//! wait as long as the back-off allows instead of coming soon. Nothing is ever
//! failed for lack of budget.

/// Retries that may come at once after a quiet time.
const MOST: f64 = 100.0;
/// What a success pays in: one retry for each five successes in the long run.
const PER_SUCCESS: f64 = 0.2;

/// The budget.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    left: f64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: MOST }
    }
}

impl Budget {
    /// So many items succeeded.
    pub fn pay_in(&mut self, successes: usize) {
        for _ in 0..successes {
            self.left = (self.left + PER_SUCCESS).min(MOST);
        }
    }

    /// So many items are tried again.
    pub fn take(&mut self, retries: usize) {
        for _ in 0..retries {
            self.left = (self.left - 1.0).max(0.0);
        }
    }

    /// Whether a retry has to wait.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.left < 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_overdraws_and_successes_pay_back() {
        let mut budget = Budget::default();
        budget.take(99);
        assert!(!budget.is_overdrawn());
        budget.take(50);
        assert!(budget.is_overdrawn());
        budget.pay_in(5);
        assert!(!budget.is_overdrawn());
    }
}
