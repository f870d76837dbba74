//! Open connections by client address: one client cannot take all places.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::client_address::ClientAddress;

/// Counts open connections; never holds more addresses than there are connections.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionCounts {
    open: Arc<Mutex<HashMap<ClientAddress, usize>>>,
    most: usize,
}

impl ConnectionCounts {
    /// At most this many a client; 0: no limit.
    pub(crate) fn new(most: usize) -> ConnectionCounts {
        ConnectionCounts { open: Arc::default(), most: if most == 0 { usize::MAX } else { most } }
    }

    /// A place for one more connection from here, if there is one.
    pub(crate) fn enter(&self, address: IpAddr) -> Option<Place> {
        let address = ClientAddress::from(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(address).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Place { open: Arc::clone(&self.open), address })
    }
}

/// One connection's place; free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    open: Arc<Mutex<HashMap<ClientAddress, usize>>>,
    address: ClientAddress,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = open.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_by_address_and_come_free_again() {
        let counts = ConnectionCounts::new(2);
        let [one, other]: [IpAddr; 2] =
            ["192.0.2.1", "192.0.2.2"].map(|text| text.parse().expect("an address"));
        let first = counts.enter(one).expect("there is room");
        let _second = counts.enter(one).expect("there is room");
        assert!(counts.enter(one).is_none());
        assert!(counts.enter(other).is_some());
        drop(first);
        assert!(counts.enter(one).is_some());
        assert_eq!(counts.open.lock().expect("no one panicked").len(), 1, "nobody is remembered");
    }
}
