//! Failed authentications by client address: guessing keys becomes slow, at a bounded cost of memory.
//!
//! Promise: a client that has failed too often hears 429 for every key that could be guessed, right or wrong, so that it learns
//! nothing. Keys made by `key create` have 256 random bits and go on working: somebody else behind the same address
//! (an office, a telephone network) is not locked out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::bucket::{Bucket, Rate};
use super::client_address::ClientAddress;

/// Addresses in one generation; two of them take about 4 MB.
const GENERATION: usize = 32_768;

#[derive(Debug, Default)]
struct Generations {
    newer: HashMap<ClientAddress, Bucket>,
    older: HashMap<ClientAddress, Bucket>,
}

impl Generations {
    fn find(&self, address: ClientAddress) -> Option<Bucket> {
        self.newer.get(&address).or_else(|| self.older.get(&address)).copied()
    }

    /// Keeps a bucket; whoever did not fail lately is forgotten first.
    fn keep(&mut self, address: ClientAddress, bucket: Bucket) {
        if self.newer.len() >= GENERATION && !self.newer.contains_key(&address) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(address, bucket);
    }
}

/// Who failed lately, and how often.
#[derive(Debug)]
pub(crate) struct Failures {
    rate: Option<Rate>,
    table: Mutex<Generations>,
}

impl Failures {
    /// At most this many failures a minute and address, also at once; 0: no limit.
    pub(crate) fn new(per_minute: u64) -> Failures {
        // In sixtieths of a failure, so that the rate is one of whole units a second.
        Failures { rate: Rate::new(per_minute, Duration::from_secs(60)), table: Mutex::default() }
    }

    /// How long this address has to wait, if it has.
    pub(crate) fn wait(&self, address: ClientAddress, now: Duration) -> Option<Duration> {
        let rate = self.rate?;
        let bucket = self.table.lock().unwrap_or_else(PoisonError::into_inner).find(address)?;
        bucket.look(rate, now, UNITS).err()
    }

    /// Notes a failure.
    pub(crate) fn note(&self, address: ClientAddress, now: Duration) {
        let Some(rate) = self.rate else { return };
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bucket = table.find(address).unwrap_or_default();
        if bucket.look(rate, now, UNITS).is_ok() {
            bucket.take(rate, now, UNITS);
        }
        table.keep(address, bucket);
    }
}

/// Units of one failure: the bucket gains `per_minute` units a second.
const UNITS: u64 = 60;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv6Addr};

    use super::*;

    fn address(number: u128) -> ClientAddress {
        ClientAddress::from(IpAddr::V6(Ipv6Addr::from(number << 64)))
    }

    #[test]
    fn an_address_may_fail_so_often_a_minute_and_memory_stays_bounded() {
        let failures = Failures::new(30);
        let now = Duration::from_secs(1);
        for _ in 0..30 {
            assert_eq!(failures.wait(address(1), now), None);
            failures.note(address(1), now);
        }
        assert_eq!(failures.wait(address(1), now), Some(Duration::from_secs(2)));
        failures.note(address(1), now);
        assert_eq!(
            failures.wait(address(1), now),
            Some(Duration::from_secs(2)),
            "waiting is not made longer"
        );
        assert_eq!(failures.wait(address(2), now), None);
        assert_eq!(failures.wait(address(1), now + Duration::from_secs(2)), None);

        for number in 0..3 * u128::try_from(GENERATION).expect("small") {
            failures.note(address(number), now);
        }
        let table = failures.table.lock().expect("no one panicked");
        assert!(table.newer.len() + table.older.len() <= 2 * GENERATION);
    }
}
