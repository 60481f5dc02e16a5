//! Which remote addresses are shown by themselves.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::model::Remote;

/// The own networks: addresses outside them share one label value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Networks {
    nets: Vec<IpNet>,
}

/// An `--own-network` value that is neither a network nor `none`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkError {
    value: String,
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is not a network: write an address with a prefix length, such as 10.1.0.0/16 or \
             fd00::/8, or \"none\"",
            self.value
        )
    }
}

impl std::error::Error for NetworkError {}

impl Default for Networks {
    /// Private, link-local, loopback, unique-local and carrier-grade NAT ranges.
    fn default() -> Self {
        let v4 = |a, b, prefix| {
            Ipv4Net::new(std::net::Ipv4Addr::new(a, b, 0, 0), prefix)
                .ok()
                .map(IpNet::from)
        };
        let v6 = |high, low: u16, prefix| {
            let address = std::net::Ipv6Addr::new(high, 0, 0, 0, 0, 0, 0, low);
            Ipv6Net::new(address, prefix).ok().map(IpNet::from)
        };
        let nets = [
            v4(10, 0, 8),
            v4(172, 16, 12),
            v4(192, 168, 16),
            v4(169, 254, 16),
            v4(127, 0, 8),
            v4(100, 64, 10),
            v6(0, 1, 128),
            v6(0xfe80, 0, 10),
            v6(0xfc00, 0, 7),
        ];
        Self {
            nets: nets.into_iter().flatten().collect(),
        }
    }
}

/// One `--own-network` value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnNetwork {
    /// Adds a network.
    Add(IpNet),
    /// `none`: clears what came before it.
    Clear,
}

impl FromStr for OwnNetwork {
    type Err = NetworkError;

    /// A network, whose host bits are cut off; an address, which is a network of one; or `none`.
    fn from_str(value: &str) -> Result<Self, NetworkError> {
        let value = value.trim();
        if value == "none" {
            return Ok(Self::Clear);
        }
        if let Ok(net) = value.parse::<IpNet>() {
            return Ok(Self::Add(net.trunc()));
        }
        match value.parse::<IpAddr>() {
            Ok(address) => Ok(Self::Add(IpNet::from(address.to_canonical()))),
            Err(_) => Err(NetworkError {
                value: value.to_owned(),
            }),
        }
    }
}

impl Networks {
    /// The default networks, changed by `options` in their order.
    pub fn from_options(options: &[OwnNetwork]) -> Self {
        let mut networks = Self::default();
        for option in options {
            match option {
                OwnNetwork::Add(net) => networks.nets.push(*net),
                OwnNetwork::Clear => networks.nets.clear(),
            }
        }
        networks
    }

    /// The default networks and those of `values`, in their order.
    ///
    /// # Errors
    /// A value that is neither a network, an address nor `none`.
    pub fn parse<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Result<Self, NetworkError> {
        let options: Result<Vec<OwnNetwork>, _> = values
            .into_iter()
            .map(|value| value.as_ref().parse())
            .collect();
        Ok(Self::from_options(&options?))
    }

    /// The own networks.
    pub fn nets(&self) -> &[IpNet] {
        &self.nets
    }

    /// Whether `address` belongs to the own networks. IPv4-mapped addresses count as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.nets.iter().any(|net| net.contains(&address))
    }

    /// How a remote address is shown.
    pub fn remote(&self, address: IpAddr) -> Remote {
        let address = address.to_canonical();
        if self.contains(address) {
            Remote::Ip(address)
        } else {
            Remote::Other
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn default_is_what_nobody_can_route() {
        let own = Networks::default();
        for inside in [
            "10.255.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.3.4",
            "169.254.169.254",
            "127.8.9.1",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fe80::1",
            "fd12::5",
            "::ffff:10.0.0.1",
        ] {
            assert!(own.contains(ip(inside)), "{inside}");
        }
        for outside in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "2001:db8::1",
            "::2",
            "::ffff:8.8.8.8",
        ] {
            assert!(!own.contains(ip(outside)), "{outside}");
            assert_eq!(own.remote(ip(outside)), Remote::Other);
        }
        assert_eq!(
            own.remote(ip("::ffff:10.0.0.1")),
            Remote::Ip(ip("10.0.0.1"))
        );
    }

    #[test]
    fn values_add_and_none_clears() {
        let own = Networks::parse(["203.0.113.7/24"]).unwrap();
        assert!(own.contains(ip("203.0.113.200")) && own.contains(ip("10.0.0.1")));
        let own = Networks::parse(["none", "2001:db8::/32", "198.51.100.1"]).unwrap();
        assert!(own.contains(ip("2001:db8::9")) && own.contains(ip("198.51.100.1")));
        assert!(!own.contains(ip("10.0.0.1")) && !own.contains(ip("198.51.100.2")));
        assert!(
            !Networks::parse(["10.0.0.0/8", "none"])
                .unwrap()
                .contains(ip("10.0.0.1"))
        );
    }

    #[test]
    fn nonsense_is_named_in_one_line() {
        for bad in ["10.0.0.0/33", "ten/8", "", "10.0.0/8", "None"] {
            let error = Networks::parse([bad]).unwrap_err().to_string();
            assert!(
                error.contains(&format!("{bad:?}")) && !error.contains('\n'),
                "{error}"
            );
        }
    }
}
