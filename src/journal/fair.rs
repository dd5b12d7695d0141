//! Whose turn it is in a lane, as arithmetic.
//!
//! Start-time fair queueing, twice: callers take turns in a lane, and deletions
//! take turns within their caller. Each has a tag, the start of its next item on
//! a clock that counts service, not time; the lowest tag is next and moves on by
//! one an item. Who comes new, or comes back, starts at what was served last: it
//! neither waits behind what others have had nor gets what it did not use. So a
//! single item goes with the next call, however long the deletions beside it are.
//! Every store shares this file; how tags are kept is its own business.

/// A deletion with items that could go now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Its caller's number.
    pub caller: i64,
    /// Its own number; of equal tags the older goes first.
    pub deletion: i64,
    /// Its tag within its caller.
    pub tag: i64,
    /// How many of its items could go.
    pub ready: usize,
}

/// A caller and its tag in the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its number.
    pub caller: i64,
    /// Its tag in the lane.
    pub tag: i64,
    /// The tag of its deletions that was served last.
    pub served: i64,
}

/// Who goes with a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shared {
    /// The deletions, in the order in which they came to their turn first, and how many items each sends.
    pub taken: Vec<(i64, usize)>,
    /// The callers' tag that was served last; `None` if nothing was taken.
    pub served: Option<i64>,
}

/// Shares up to `max` places among `flows`, and moves on the tags of those who got some.
pub fn share(turns: &mut [Turn], flows: &mut [Flow], max: usize) -> Shared {
    let mut shared = Shared::default();
    for _ in 0..max {
        let next_turn = turns
            .iter_mut()
            .filter(|turn| flows.iter().any(|flow| flow.caller == turn.caller && flow.ready > 0))
            .min_by_key(|turn| (turn.tag, turn.caller));
        let Some(turn) = next_turn else { break };
        let next_flow = flows
            .iter_mut()
            .filter(|flow| flow.caller == turn.caller && flow.ready > 0)
            .min_by_key(|flow| (flow.tag, flow.deletion));
        let Some(flow) = next_flow else { break };
        shared.served = Some(turn.tag);
        turn.served = flow.tag;
        turn.tag += 1;
        flow.tag += 1;
        flow.ready -= 1;
        match shared.taken.iter_mut().find(|(deletion, _)| *deletion == flow.deletion) {
            Some((_, items)) => *items += 1,
            None => shared.taken.push((flow.deletion, 1)),
        }
    }
    shared
}

/// The tag of one that comes new or comes back: what was served last, unless it is ahead of that already.
#[must_use]
pub fn enter(own: Option<i64>, served: i64) -> i64 {
    own.map_or(served, |own| own.max(served))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flow(caller: i64, deletion: i64, tag: i64, ready: usize) -> Flow {
        Flow { caller, deletion, tag, ready }
    }

    fn turn(caller: i64, tag: i64) -> Turn {
        Turn { caller, tag, served: 0 }
    }

    #[test]
    fn a_single_item_goes_with_the_next_call_beside_a_long_deletion() {
        let mut turns = [turn(1, 40)];
        let mut flows = [flow(1, 7, 40, 50_000)];
        let first = share(&mut turns, &mut flows, 1);
        // It comes while the long one is at 41.
        let mut flows = [flows[0], flow(1, 8, enter(None, turns[0].served), 1)];
        let second = share(&mut turns, &mut flows, 1);
        assert_eq!((first.taken, second.taken), (vec![(7, 1)], vec![(8, 1)]));
    }

    #[test]
    fn of_two_callers_each_gets_half_however_many_deletions_it_has() {
        let mut turns = [turn(1, 0), turn(2, 0)];
        let mut flows = [flow(1, 1, 0, 99), flow(1, 2, 0, 99), flow(1, 3, 0, 99), flow(2, 4, 0, 99)];
        let shared = share(&mut turns, &mut flows, 60);
        let of = |deletion| shared.taken.iter().find(|(one, _)| *one == deletion).map(|(_, n)| *n);
        assert_eq!([of(1), of(2), of(3), of(4)], [Some(10), Some(10), Some(10), Some(30)]);
    }

    proptest! {
        /// Nobody is left behind: of those who have enough, no two differ by more than one item.
        #[test]
        fn places_are_shared_evenly(
            ready in proptest::collection::vec((0_i64..3, 0_usize..40), 1..8),
            max in 1_usize..60,
        ) {
            let mut turns: Vec<Turn> = (0..3).map(|caller| turn(caller, 0)).collect();
            let mut flows: Vec<Flow> =
                (0_i64..).zip(&ready).map(|(n, (caller, items))| flow(*caller, n, 0, *items)).collect();
            let before = flows.clone();
            let shared = share(&mut turns, &mut flows, max);
            let all: usize = ready.iter().map(|(_, items)| items).sum();
            let taken: usize = shared.taken.iter().map(|(_, items)| items).sum();
            prop_assert_eq!(taken, all.min(max));
            for (was, is) in before.iter().zip(&flows) {
                let got = was.ready - is.ready;
                prop_assert_eq!(i64::try_from(got).unwrap(), is.tag);
                let siblings = flows.iter().filter(|other| other.caller == is.caller && other.ready > 0);
                for other in siblings {
                    prop_assert!(is.tag <= other.tag + 1, "{:?} got more than {:?}", is, other);
                }
            }
        }
    }
}
