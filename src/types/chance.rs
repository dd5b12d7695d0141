//! Chance, passed in.
//!
//! Whoever draws (the jitter of a back-off) draws from a `Chance`, so that a
//! simulation repeats a run from one number. What must be unguessable (keys,
//! nonces, names) is drawn from the machine where it is made and never from here.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// A source of chance.
#[derive(Debug, Clone)]
pub struct Chance {
    source: Arc<Mutex<StdRng>>,
}

impl Chance {
    /// Different in every process.
    #[must_use]
    pub fn of_the_machine() -> Self {
        Self::from_seed(rand::rng().random())
    }

    /// The same draws for the same seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        Self { source: Arc::new(Mutex::new(StdRng::seed_from_u64(seed))) }
    }

    /// Any number.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.source.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_machine_does_not() {
        let draw = |chance: &Chance| -> Vec<u32> { (0..8).map(|_| chance.number()).collect() };
        let seven = draw(&Chance::from_seed(7));
        assert_eq!(draw(&Chance::from_seed(7)), seven);
        assert_ne!(draw(&Chance::from_seed(8)), seven);
        assert_ne!(draw(&Chance::of_the_machine()), draw(&Chance::of_the_machine()));
    }
}
