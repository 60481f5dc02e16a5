//! Lookups through programs at the root cgroup: all network namespaces, with the asker.

use std::net::Ipv6Addr;

use aya::maps::{MapData, PerCpuArray, RingBuf};
use hostlens_ebpf::wire::{self, DnsRecord, DnsWay};

use super::Packet;
use crate::{
    kernel::{Kernel, LoadedObject, RingBytes, objects},
    model::{MapFill, ProgramStatus},
};

/// Packets in flight: enough for 1,300 between two polls.
pub const RING_BYTES: u32 = 1 << 18;
const RING: &str = "DNS_PACKETS";

/// The source.
pub struct DnsBpf {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
    malformed: u64,
    fill: MapFill,
    partial: Option<String>,
    // Last: programs stay attached until everything that uses them is gone.
    object: LoadedObject,
}

impl DnsBpf {
    /// Loads and attaches the programs.
    ///
    /// # Errors
    /// One line saying what this kernel lacks or refused, and the programs' states.
    pub fn start(kernel: &Kernel, ring_bytes: u32) -> Result<Self, (String, Vec<ProgramStatus>)> {
        let rings = [RingBytes {
            map: RING,
            bytes: ring_bytes,
        }];
        let mut object = kernel
            .load(&objects::DNS, &rings)
            .map_err(|error| (error.to_string(), Vec::new()))?;
        for program in ["dns_out", "dns_in"] {
            if let Some(why) = object.refusal(program) {
                return Err((why, object.programs()));
            }
        }
        let maps = object
            .ring(RING)
            .and_then(|ring| Ok((ring, object.per_cpu("DNS_LOST")?)));
        match maps {
            Ok((ring, lost)) => Ok(Self {
                ring,
                lost,
                malformed: 0,
                fill: MapFill {
                    map: RING,
                    used: 0,
                    capacity: u64::from(ring_bytes),
                },
                partial: kernel.partial_cgroup().map(str::to_owned),
                object,
            }),
            Err(error) => Err((format!("{error:#}"), object.programs())),
        }
    }

    /// Hands over what came in since the last call.
    pub fn drain(&mut self, mut take: impl FnMut(&Packet<'_>)) {
        let mut used = 0;
        while let Some(item) = self.ring.next() {
            used += item.len() as u64 + 8;
            let Some(record) = wire::read::<DnsRecord>(&item) else {
                self.malformed += 1;
                continue;
            };
            let copied = usize::from(record.copied).min(record.bytes.len());
            take(&Packet {
                time_ns: record.time_ns,
                socket: record.cookie,
                owner: (record.owner_tgid, record.owner_start_ns),
                resolver: Ipv6Addr::from(record.resolver).to_canonical(),
                query: record.way == DnsWay::Query as u8,
                tcp: record.tcp == 1,
                length: record.length as usize,
                bytes: record.bytes.get(..copied).unwrap_or_default(),
            });
        }
        self.fill.used = used;
        self.object.flush_log();
    }

    /// Packets that found no room.
    pub fn lost(&self) -> u64 {
        let counts = self.lost.get(&0, 0);
        counts.map_or(0, |counts| counts.iter().sum())
    }

    /// Records that could not be decoded.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Bytes found in the ring buffer at the last call.
    pub fn fill(&self) -> MapFill {
        self.fill
    }

    /// Why not all sockets of the host are seen; `None` if they are.
    pub fn partial(&self) -> Option<&str> {
        self.partial.as_deref()
    }

    /// State of the programs.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        self.object.programs()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::{
        io::{Read as _, Write as _},
        net::{IpAddr, TcpListener, TcpStream, UdpSocket},
        time::{Duration, Instant},
    };

    use super::*;
    use crate::collect::dns::message::tests::message;

    /// UDP and TCP, IPv4 and IPv6, on the loopback device where every packet passes twice: one
    /// query and one answer of the asker's socket each, and nothing of the resolver's.
    #[test]
    fn asker_and_answer_are_told_by_the_same_socket() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 || crate::kernel::Cgroup::root().is_err() {
            println!("SKIP: needs root and a cgroup2 mount");
            return;
        }
        let kernel = Kernel::probe(false).unwrap();
        let mut source =
            DnsBpf::start(&kernel, RING_BYTES).unwrap_or_else(|(why, _)| unreachable!("{why}"));
        for (number, host) in ["127.8.8.8", "::1"].into_iter().enumerate() {
            let host: IpAddr = host.parse().unwrap();
            let (Ok(udp), Ok(tcp)) = (UdpSocket::bind((host, 53)), TcpListener::bind((host, 53)))
            else {
                println!("SKIP: no port 53 on {host}");
                continue;
            };
            let id = 100 + number as u16;
            let question = message(id, [1, 0], "loop.test");
            let mut bytes = [0; 512];
            let asker =
                UdpSocket::bind((if host.is_ipv4() { "127.0.0.1" } else { "::1" }, 0)).unwrap();
            asker.connect((host, 53)).unwrap();
            asker.send(&question).unwrap();
            let (length, from) = udp.recv_from(&mut bytes).unwrap();
            udp.send_to(&bytes[..length], from).unwrap();
            asker.recv(&mut bytes).unwrap();

            let mut asker = TcpStream::connect((host, 53)).unwrap();
            let (mut server, _) = tcp.accept().unwrap();
            let mut framed = (question.len() as u16).to_be_bytes().to_vec();
            framed.extend(&question);
            asker.write_all(&framed).unwrap();
            server.read_exact(&mut bytes[..framed.len()]).unwrap();
            server.write_all(&framed).unwrap();
            asker.read_exact(&mut bytes[..framed.len()]).unwrap();

            let mut seen = Vec::new();
            let begun = Instant::now();
            while seen.len() < 4 && begun.elapsed() < Duration::from_secs(10) {
                source.drain(|packet| {
                    // Others on this machine may be looking up names.
                    if packet.bytes.ends_with(&question) && packet.resolver == host {
                        seen.push((packet.query, packet.tcp, packet.socket, packet.owner));
                    }
                });
            }
            println!("{seen:?}");
            assert_eq!(seen.len(), 4);
            for pair in seen.chunks(2) {
                let [
                    (true, tcp, socket, owner),
                    (false, answer_tcp, answer_socket, nobody),
                ] = pair
                else {
                    unreachable!("{pair:?}");
                };
                assert_eq!((tcp, socket), (answer_tcp, answer_socket));
                assert_eq!(owner.0, std::process::id());
                assert!(owner.1 > 0);
                assert_eq!(*nobody, (0, 0));
            }
            assert_ne!(seen[0].2, seen[2].2);
        }
        assert_eq!((source.lost(), source.malformed()), (0, 0));
    }
}
