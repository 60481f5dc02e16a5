//! What the kernel says to whoever asks for a route (`RTM_GETROUTE`, rtnetlink(7)): the same errno
//! that `connect()` gave.

use std::{io, net::IpAddr};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustc_hash::FxHashMap;

use crate::collect::tcp::netns::{self, Namespace};

const NLMSG_ERROR: u16 = 2;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const NLM_F_REQUEST: u16 = 1;
const RTA_DST: u16 = 1;
/// `struct nlmsghdr` and `struct rtmsg`.
const HEADER: usize = 16;
const ROUTE_HEADER: usize = 12;
/// Place of `rtm_type` in an answer.
const KIND: usize = HEADER + 7;

/// A verdict holds for this long, ns: routes change.
const FRESH_NS: u64 = 1_000_000_000;
const VERDICTS: usize = 1024;

/// Verdicts on routes, remembered for a moment: who fails to connect tries again at once.
#[derive(Default)]
pub struct Routes {
    known: FxHashMap<(u32, IpAddr), (u16, u64)>,
}

impl Routes {
    /// The errno `connect()` gives for want of a route to `remote` in a namespace, 0 if there is
    /// a route by now. `None` if it is not remembered and may not be asked (`ask`), or could not
    /// be. Namespaces are tried in order.
    pub fn error(
        &mut self,
        inode: u32,
        remote: IpAddr,
        now_ns: u64,
        ask: bool,
        namespaces: &[Namespace],
    ) -> Option<u16> {
        let key = (inode, remote);
        if let Some((error, at_ns)) = self.known.get(&key)
            && now_ns.saturating_sub(*at_ns) < FRESH_NS
        {
            return Some(*error);
        }
        if !ask {
            return None;
        }
        let asked = namespaces
            .iter()
            .find_map(|namespace| netns::within(namespace, || verdict(remote)).ok());
        let error = asked?
            .inspect_err(|error| tracing::debug!("route to {remote}: {error}"))
            .ok()?;
        if self.known.len() >= VERDICTS {
            self.known.clear();
        }
        self.known.insert(key, (error, now_ns));
        Some(error)
    }
}

/// Asks in the namespace of the calling thread.
fn verdict(remote: IpAddr) -> io::Result<u16> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    // The kernel answers before the request returns.
    socket.set_non_blocking(true)?;
    socket.send_to(&request(remote), &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    error_of(&answer).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn request(remote: IpAddr) -> Vec<u8> {
    let (family, address) = match remote {
        IpAddr::V4(address) => (libc::AF_INET as u8, address.octets().to_vec()),
        IpAddr::V6(address) => (libc::AF_INET6 as u8, address.octets().to_vec()),
    };
    let attribute = 4 + address.len();
    let total = HEADER + ROUTE_HEADER + attribute;
    let mut bytes = Vec::with_capacity(total);
    bytes.extend((total as u32).to_ne_bytes());
    bytes.extend(RTM_GETROUTE.to_ne_bytes());
    bytes.extend(NLM_F_REQUEST.to_ne_bytes());
    bytes.extend([0; 8]);
    let mut route = [0; ROUTE_HEADER];
    route[0] = family;
    route[1] = (address.len() * 8) as u8;
    bytes.extend(route);
    bytes.extend((attribute as u16).to_ne_bytes());
    bytes.extend(RTA_DST.to_ne_bytes());
    bytes.extend(address);
    bytes
}

fn error_of(answer: &[u8]) -> Option<u16> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    match kind {
        NLMSG_ERROR => {
            let code = i32::from_ne_bytes(answer.get(HEADER..HEADER + 4)?.try_into().ok()?);
            u16::try_from(code.checked_neg()?).ok()
        }
        RTM_NEWROUTE => Some(match *answer.get(KIND)? {
            // tcp_v4_connect() and tcp_v6_connect() refuse all of these with one errno.
            libc::RTN_BROADCAST | libc::RTN_MULTICAST => libc::ENETUNREACH as u16,
            // fib_props[] in net/ipv4/fib_semantics.c, ip6_rt_init_dst() in net/ipv6/route.c.
            libc::RTN_BLACKHOLE => libc::EINVAL as u16,
            libc::RTN_UNREACHABLE => libc::EHOSTUNREACH as u16,
            libc::RTN_PROHIBIT => libc::EACCES as u16,
            _ => 0,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn loopback_has_a_route_and_multicast_is_none_for_tcp() {
        assert_eq!(verdict([127, 0, 0, 1].into()).unwrap(), 0);
        let broadcast = verdict([127, 255, 255, 255].into()).unwrap();
        assert!([0, libc::ENETUNREACH as u16].contains(&broadcast));
    }

    #[test]
    fn answers_that_are_none_are_refused() {
        assert_eq!(error_of(&[]), None);
        assert_eq!(error_of(&[0; 40]), None);
        let mut answer = vec![0; 20];
        answer[4] = NLMSG_ERROR as u8;
        answer[16..20].copy_from_slice(&(-libc::ENETUNREACH).to_ne_bytes());
        assert_eq!(error_of(&answer), Some(libc::ENETUNREACH as u16));
        answer[16..20].copy_from_slice(&i32::MIN.to_ne_bytes());
        assert_eq!(error_of(&answer), None);
    }

    #[test]
    fn a_verdict_is_remembered_for_a_moment() {
        let mut routes = Routes::default();
        let own = Namespace::own().unwrap();
        let host = [127, 0, 0, 1].into();
        assert_eq!(
            routes.error(own.inode, host, 5, false, std::slice::from_ref(&own)),
            None
        );
        assert_eq!(
            routes.error(own.inode, host, 5, true, std::slice::from_ref(&own)),
            Some(0)
        );
        assert_eq!(routes.error(own.inode, host, 6, false, &[]), Some(0));
        assert_eq!(
            routes.error(own.inode, host, 5 + FRESH_NS, false, &[]),
            None
        );
        assert_eq!(routes.error(1, host, 5, true, &[]), None, "no way in");
    }
}
