//! Chance, passed in.
//!
//! What is drawn at random goes through a `Chance`, so that a seeded run draws
//! the same again. Its own file because nothing else here needs a generator. What
//! must not be guessed (keys, nonces) does not come from here.

use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Where dice come from. Clones share the source.
#[derive(Debug, Clone)]
pub struct Chance(Option<Arc<Mutex<StdRng>>>);

impl Chance {
    /// The machine's own.
    #[must_use]
    pub fn system() -> Self {
        Self(None)
    }

    /// The same numbers in the same order, for one seed.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// A number, each as likely as any other.
    #[must_use]
    pub fn draw(&self) -> u32 {
        match &self.0 {
            None => rand::rng().random(),
            Some(seeded) => seeded.lock().unwrap_or_else(PoisonError::into_inner).random(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_again() {
        let draw = |seed| {
            let chance = Chance::seeded(seed);
            [chance.draw(), chance.clone().draw(), chance.draw()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let [first, second, third] = draw(7);
        assert!(first != second && second != third, "clones share the source");
    }
}
