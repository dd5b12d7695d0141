//! Bad credentials, counted by the address that sent them.
//!
//! A key cannot be guessed, but who tries should not be answered at full speed. Only
//! bad ones are counted, so a good key from the same address always passes, and a
//! stranger behind the same address locks nobody out. Takes the time as a value and
//! keeps a bounded number of addresses.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

/// The time over which they are counted, from the first on.
pub const WINDOW: Duration = Duration::from_mins(1);
/// Most addresses that are remembered; about 1 MiB. One more, and the oldest is forgotten.
pub const MAX_ADDRESSES: usize = 10_000;

/// Who sent bad credentials lately.
#[derive(Debug)]
pub struct BadKeys {
    /// How many are answered as what they are.
    patience: u32,
    most: usize,
    by_address: HashMap<IpAddr, Tries>,
    /// The addresses by the begin of their window, oldest first.
    order: VecDeque<(Duration, IpAddr)>,
}

#[derive(Debug, Clone, Copy)]
struct Tries {
    since: Duration,
    count: u32,
}

impl BadKeys {
    /// Lets an address send so many within [`WINDOW`].
    #[must_use]
    pub fn new(patience: u32) -> Self {
        Self::bounded(patience, MAX_ADDRESSES)
    }

    fn bounded(patience: u32, most: usize) -> Self {
        Self { patience, most, by_address: HashMap::new(), order: VecDeque::new() }
    }

    /// Counts one; how long to stay away, if there were too many.
    pub fn count(&mut self, address: IpAddr, now: Duration) -> Option<Duration> {
        self.forget(now);
        let address = network(address);
        if !self.by_address.contains_key(&address) {
            if self.by_address.len() >= self.most
                && let Some((_, oldest)) = self.order.pop_front()
            {
                self.by_address.remove(&oldest);
            }
            self.order.push_back((now, address));
        }
        let tries = self.by_address.entry(address).or_insert(Tries { since: now, count: 0 });
        tries.count = tries.count.saturating_add(1);
        (tries.count > self.patience).then(|| (tries.since + WINDOW).saturating_sub(now))
    }

    /// Drops the windows that are over.
    fn forget(&mut self, now: Duration) {
        while let Some((since, address)) = self.order.front().copied()
            && since + WINDOW <= now
        {
            self.order.pop_front();
            self.by_address.remove(&address);
        }
    }
}

/// What one party can be expected to hold: an IPv4 address, or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn address(n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    #[test]
    fn the_eleventh_in_a_minute_has_to_wait_for_the_next_minute() {
        let mut bad = BadKeys::new(10);
        for n in 0..10 {
            assert_eq!(bad.count(address(1), SECOND * n), None, "{n}");
        }
        assert_eq!(bad.count(address(1), SECOND * 20), Some(SECOND * 40));
        assert_eq!(bad.count(address(2), SECOND * 20), None, "others are not meant");
        assert_eq!(bad.count(address(1), SECOND * 59), Some(SECOND));
        assert_eq!(bad.count(address(1), SECOND * 60), None);
    }

    #[test]
    fn the_table_is_bounded_and_forgets_the_oldest() {
        let mut bad = BadKeys::bounded(1, 3);
        for n in 0..3 {
            assert_eq!(bad.count(address(n), SECOND), None);
        }
        assert!(bad.count(address(0), SECOND).is_some());
        assert_eq!(bad.count(address(3), SECOND), None);
        assert_eq!((bad.by_address.len(), bad.order.len()), (3, 3));
        assert_eq!(bad.count(address(0), SECOND), None, "it was the oldest");
        assert!(bad.count(address(2), SECOND).is_some());
        bad.forget(SECOND * 100);
        assert_eq!((bad.by_address.len(), bad.order.len()), (0, 0));
    }

    #[test]
    fn a_neighbour_in_the_same_ipv6_network_is_the_same() {
        let mut bad = BadKeys::new(1);
        let v6 = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(bad.count(v6("2001:db8:1:2::1"), SECOND), None);
        assert!(bad.count(v6("2001:db8:1:2:ffff::9"), SECOND).is_some());
        assert_eq!(bad.count(v6("2001:db8:1:3::1"), SECOND), None);
        assert_eq!(bad.count(v6("::ffff:192.0.2.7"), SECOND), None);
        assert!(bad.count(address(7), SECOND).is_some());
    }
}
