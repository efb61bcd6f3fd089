//! How many connections there may be from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// The connections of each address. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct ConnectionLimits {
    most: u32,
    taken: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

/// One connection's place, given back when this goes.
#[derive(Debug)]
pub(crate) struct ConnectionPermit {
    of: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, u32>>>,
}

// === impl ConnectionLimits ===

impl ConnectionLimits {
    pub(crate) fn new(most: u32) -> Self {
        Self { most, taken: Arc::default() }
    }

    /// None where this address has all it may have.
    pub(crate) fn take(&self, address: IpAddr) -> Option<ConnectionPermit> {
        let of = one_caller(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(of).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(ConnectionPermit { of, taken: Arc::clone(&self.taken) })
    }
}

/// A whole network of IPv6 is commonly one machine's.
fn one_caller(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

// === impl ConnectionPermit ===

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_so_many_places_and_a_network_of_ipv6_is_one() {
        let places = ConnectionLimits::new(2);
        let take = |address: &str| places.take(address.parse().expect("an address"));
        let (first, second) = (take("192.0.2.1"), take("::ffff:192.0.2.1"));
        assert!(first.is_some() && second.is_some() && take("192.0.2.1").is_none());
        assert!(take("192.0.2.2").is_some(), "another's are its own");
        drop(first);
        assert!(take("192.0.2.1").is_some());
        let _both = [take("2001:db8::1"), take("2001:db8::2")];
        assert!(take("2001:db8::3").is_none() && take("2001:db8:0:1::3").is_some());
        drop(second);
        assert_eq!(places.taken.lock().expect("a lock").len(), 1, "nothing is kept of those who are gone");
    }
}
