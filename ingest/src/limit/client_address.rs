//! Which address a request comes from, for limits only: it is never stored, logged or sent on.
//!
//! Without trusted proxies it is the connection's peer, whatever the headers claim. Behind them it is the right-most hop that is no
//! trusted proxy: everything left of that hop was written by the client and proves nothing.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::{FORWARDED, HeaderName};

/// An address as limits count it: an IPv4 address, or the /64 of an IPv6 address, which is what one customer has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientAddress(u128);

// Not even a debug line shows whose requests these are.
impl std::fmt::Debug for ClientAddress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("ClientAddress(***)")
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(address: IpAddr) -> ClientAddress {
        match address.to_canonical() {
            IpAddr::V4(address) => ClientAddress(u128::from(address.to_ipv6_mapped())),
            IpAddr::V6(address) => ClientAddress(u128::from(address) >> 64 << 64),
        }
    }
}

/// The other end of a connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

impl std::fmt::Debug for Peer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Peer(***)")
    }
}

/// A range of addresses such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: u128,
    bits: u32,
}

fn as_number(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

impl Network {
    fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(longest);
        (bits <= longest).then(|| Network { address: as_number(address), bits: bits + 128 - longest })
    }

    fn contains(self, address: IpAddr) -> bool {
        let differing = self.address ^ as_number(address);
        differing.checked_shr(128 - self.bits).unwrap_or(0) == 0
    }
}

/// Which header the trusted proxies write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ProxyHeader {
    /// `X-Forwarded-For: client, proxy`.
    List(HeaderName),
    /// RFC 7239: `Forwarded: for=client, for=proxy`.
    Forwarded,
}

/// The proxies whose word is taken.
#[derive(Clone, Debug)]
pub(crate) struct TrustedProxies {
    networks: Vec<Network>,
    header: ProxyHeader,
}

/// A setting of proxies cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProxyError {
    /// No network.
    #[error(
        "failed to use {0:?} of ingest.trusted_proxies: expected an address or a network such as 10.0.0.0/8"
    )]
    Network(String),
    /// No such header.
    #[error("failed to use ingest.proxy_header = {0:?}: expected x-forwarded-for or forwarded")]
    Header(String),
}

impl TrustedProxies {
    /// The proxies of the settings. Only one header is read: a client could write the other one itself.
    pub(crate) fn new(networks: &[String], header: &str) -> Result<TrustedProxies, ProxyError> {
        let header = match header.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => ProxyHeader::List(HeaderName::from_static("x-forwarded-for")),
            "forwarded" => ProxyHeader::Forwarded,
            _ => return Err(ProxyError::Header(header.to_owned())),
        };
        let parse =
            |text: &String| Network::parse(text.trim()).ok_or_else(|| ProxyError::Network(text.clone()));
        Ok(TrustedProxies { networks: networks.iter().map(parse).collect::<Result<_, _>>()?, header })
    }

    /// Whether this address is one of them.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(address))
    }

    /// Where a request comes from that arrived from `peer` with these headers.
    pub(crate) fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let name = match &self.header {
            ProxyHeader::List(name) => name,
            ProxyHeader::Forwarded => &FORWARDED,
        };
        let mut nearest = peer;
        if !self.trusts(peer) {
            return nearest;
        }
        // Several headers of one name are one list, in their order; the right-most hop was written last.
        let lines: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let address = match &self.header {
                ProxyHeader::List(_) => parse_hop(hop),
                ProxyHeader::Forwarded => parse_forwarded(hop),
            };
            // `unknown` and the like: whoever is behind it, this proxy is the last that is known.
            let Some(address) = address else { return nearest };
            nearest = address;
            if !self.trusts(address) {
                return nearest;
            }
        }
        nearest
    }
}

/// An address, with or without a port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim().trim_matches('"');
    if let Ok(address) = hop.parse::<IpAddr>() {
        return Some(address);
    }
    if let Ok(address) = hop.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    hop.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// The `for` of one element of RFC 7239.
fn parse_forwarded(element: &str) -> Option<IpAddr> {
    let mut pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    parse_hop(pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?.1)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn proxies(header: &str) -> TrustedProxies {
        let networks = ["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"].map(str::to_owned);
        TrustedProxies::new(&networks, header).expect("they are valid")
    }

    #[test]
    fn the_right_most_hop_that_is_not_trusted_counts() {
        let cases: &[(&str, &[&str], &str)] = &[
            // An untrusted peer claims what it likes.
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
            // The client wrote the first hop itself.
            ("10.0.0.1", &["1.2.3.4, 198.51.100.1"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["1.2.3.4", "198.51.100.1,10.9.9.9"], "198.51.100.1"),
            ("10.0.0.1", &["10.1.1.1, 10.2.2.2"], "10.1.1.1"),
            ("10.0.0.1", &["1.2.3.4, unknown, 10.2.2.2"], "10.2.2.2"),
            ("10.0.0.1", &["rubbish"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.1:4711"], "198.51.100.1"),
            ("2001:db8:1::5", &["[2001:db8:2::7]:4711"], "2001:db8:2::7"),
            ("::ffff:10.0.0.1", &["198.51.100.1"], "198.51.100.1"),
        ];
        let proxies = proxies("X-Forwarded-For");
        for (peer, lines, expected) in cases {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", HeaderValue::from_str(line).expect("a header"));
            }
            headers.insert(FORWARDED, HeaderValue::from_static("for=9.9.9.9"));
            let found = proxies.client_address(peer.parse().expect("an address"), &headers);
            assert_eq!(found, expected.parse::<IpAddr>().expect("an address"), "{peer} {lines:?}");
        }
    }

    #[test]
    fn rfc_7239_is_read_too() {
        let proxies = proxies("forwarded");
        let mut headers = HeaderMap::new();
        let value = "for=1.2.3.4, For=\"[2001:db8:2::7]:47011\";proto=https;by=10.0.0.3, for=10.0.0.2";
        headers.insert(FORWARDED, HeaderValue::from_static(value));
        let found = proxies.client_address("127.0.0.1".parse().expect("an address"), &headers);
        assert_eq!(found, "2001:db8:2::7".parse::<IpAddr>().expect("an address"));
    }

    #[test]
    fn limits_count_networks_of_one_customer_and_mistakes_name_themselves() {
        let address = |text: &str| ClientAddress::from(text.parse::<IpAddr>().expect("an address"));
        assert_eq!(address("2001:db8::1"), address("2001:db8::ffff:1"));
        assert_ne!(address("2001:db8::1"), address("2001:db8:0:1::1"));
        assert_ne!(address("192.0.2.1"), address("192.0.2.2"));
        assert_eq!(address("192.0.2.1"), address("::ffff:192.0.2.1"));
        assert!(!format!("{:?}", address("192.0.2.1")).contains("192"));
        for wrong in ["10.0.0.0/33", "10.0.0", "x", "::1/129"] {
            let error = TrustedProxies::new(&[wrong.to_owned()], "forwarded").expect_err("it is a mistake");
            assert!(error.to_string().contains(wrong), "{error}");
        }
        let everyone = TrustedProxies::new(&["0.0.0.0/0".to_owned()], "forwarded").expect("it is valid");
        assert!(everyone.trusts("8.8.8.8".parse().expect("an address")));
        assert!(!everyone.trusts("2001:db8::1".parse().expect("an address")));
    }
}
