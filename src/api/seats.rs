//! Seats for answers that are streamed: so many in all, so many for one caller.
//!
//! A stream holds a connection for as long as somebody reads it, so one caller
//! must not take them all. Its own file because it only counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::problem::Problem;

/// When to ask again for a seat: streams end when they end.
const LOOK_AGAIN_S: u64 = 5;

/// How many streams there are.
#[derive(Debug)]
pub struct Seats {
    all: usize,
    per_caller: usize,
    taken: Mutex<HashMap<String, usize>>,
}

impl Seats {
    /// So many in all and for one caller.
    #[must_use]
    pub fn new(all: usize, per_caller: usize) -> Arc<Self> {
        Arc::new(Self { all, per_caller, taken: Mutex::default() })
    }

    /// A seat for this caller, until it is dropped.
    pub fn take(self: &Arc<Self>, caller: &str) -> Result<Seat, Problem> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // At most as many callers as seats: a sum of a few numbers.
        if taken.values().sum::<usize>() >= self.all {
            let detail = format!("{} streams are open already", self.all);
            return Err(Problem::new("overloaded", detail).retry_after(LOOK_AGAIN_S));
        }
        let mine = taken.entry(caller.to_owned()).or_default();
        if *mine >= self.per_caller {
            let detail = format!("this caller has {} streams open already", self.per_caller);
            return Err(Problem::new("too_many_streams", detail).retry_after(LOOK_AGAIN_S));
        }
        *mine += 1;
        Ok(Seat { seats: Arc::clone(self), caller: caller.to_owned() })
    }
}

/// One seat that is taken.
#[derive(Debug)]
pub struct Seat {
    seats: Arc<Seats>,
    caller: String,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = taken.get_mut(&self.caller) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_are_bounded_in_all_and_for_each_and_come_back() {
        let seats = Seats::new(3, 2);
        let status = |caller: &str| seats.take(caller).map_err(|problem| problem.status().as_u16());
        let (first, second) = (status("a").unwrap(), status("a").unwrap());
        assert_eq!(status("a").unwrap_err(), 429);
        let third = status("b").unwrap();
        assert_eq!(status("c").unwrap_err(), 503);
        drop(second);
        assert!(status("c").is_ok());
        drop((first, third));
        assert!(seats.taken.lock().unwrap().is_empty());
    }
}
