//! Name resolution: chooses the source, matches answers with queries, aggregates.

use std::time::Duration;

use super::{options::EngineOptions, part::Part};
use crate::{
    aggregate::{DnsConfig, DnsTable, Owners},
    clock::Moment,
    collect::dns::{Lookup, Matcher, af_packet::AfPacket, bpf, bpf::DnsBpf},
    kernel::Kernel,
    model::{BirthGate, Budget, DnsRow, Lost, MapFill, ProgramStatus, SourceStatus, budget},
};

/// Window of the quantiles.
const WINDOW: Duration = Duration::from_secs(60);

enum Source {
    /// Programs at the root cgroup.
    Bpf(Box<DnsBpf>),
    /// A packet socket in our own namespace.
    Packet(AfPacket),
    /// None.
    Absent,
}

/// The name resolution part of a cycle.
pub struct DnsStage {
    source: Source,
    /// Why a better source is not used, or what this one does not see.
    degraded: Option<String>,
    /// Programs that were tried and not used.
    refused: Vec<ProgramStatus>,
    matcher: Matcher,
    table: DnsTable,
}

impl DnsStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let (source, degraded, refused) = choose(kernel, options);
        if let Some(why) = &degraded {
            options.ebpf.announce("dns", why);
        }
        Self {
            source,
            degraded,
            refused,
            matcher: Matcher::default(),
            table: DnsTable::new(DnsConfig {
                budget: options.label_sets(budget::ASKERS),
                window: WINDOW,
                retention: options.retention,
            }),
        }
    }

    /// Takes over what passed since the last call.
    pub fn drain(&mut self, owners: &dyn Owners) {
        // Whatever was asked before this instant and answered in time is in the buffers now.
        let now = Moment::now();
        let Self {
            source,
            matcher,
            table,
            ..
        } = self;
        let mut done = |lookup: Lookup| table.lookup(lookup, owners);
        match source {
            Source::Bpf(source) => source.drain(|packet| matcher.take(packet, &mut done)),
            Source::Packet(source) => source.drain(|packet| matcher.take(packet, &mut done)),
            Source::Absent => {}
        }
        matcher.expire(now.mono_ns, &mut done);
    }

    /// Ends a cycle, all processes alive being known. Lookups that ended since the walk over them
    /// wait for the next one: their asker may have executed another program in between.
    pub fn cycle(&mut self, owners: &dyn Owners) {
        self.table.finish(Moment::now(), owners);
    }

    /// Groups of lookups.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<DnsRow> {
        self.table.rows(sequence, gate)
    }
}

impl Part for DnsStage {
    fn sources(&self) -> Vec<SourceStatus> {
        vec![SourceStatus {
            signal: "dns",
            source: match &self.source {
                Source::Bpf(_) => "bpf_cgroup_skb",
                Source::Packet(_) => "af_packet",
                Source::Absent => "absent",
            },
            degraded: self.degraded.clone(),
        }]
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        let mut programs = match &self.source {
            Source::Bpf(source) => source.programs(),
            _ => Vec::new(),
        };
        programs.extend(self.refused.iter().cloned());
        programs
    }

    fn lost(&self) -> Vec<Lost> {
        let (packets, malformed) = match &self.source {
            Source::Bpf(source) => (source.lost(), source.malformed()),
            Source::Packet(source) => (source.dropped(), source.malformed()),
            Source::Absent => (0, 0),
        };
        let mut lost = self.table.lost_detail();
        let counts = [
            ("dns_packet", packets),
            ("dns_pending", self.matcher.dropped()),
            ("malformed", malformed),
        ];
        lost.extend(counts.map(|(what, count)| Lost { what, count }));
        lost
    }

    fn maps(&self) -> Vec<MapFill> {
        let mut maps = vec![MapFill {
            map: "dns_pending",
            used: self.matcher.waiting() as u64,
            capacity: Matcher::capacity() as u64,
        }];
        if let Source::Bpf(source) = &self.source {
            maps.push(source.fill());
        }
        maps
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}

fn choose(
    kernel: &Result<Kernel, String>,
    options: &EngineOptions,
) -> (Source, Option<String>, Vec<ProgramStatus>) {
    let ring = options.ring_bytes.unwrap_or(bpf::RING_BYTES);
    let (why, refused) = match kernel {
        Ok(kernel) => match DnsBpf::start(kernel, ring) {
            Ok(source) => {
                let partial = source.partial().map(str::to_owned);
                return (Source::Bpf(Box::new(source)), partial, Vec::new());
            }
            Err(refusal) => refusal,
        },
        Err(why) => (why.clone(), Vec::new()),
    };
    match AfPacket::open() {
        Ok(source) => {
            let missing = format!(
                "only our own network namespace, askers unknown, and a clone of each packet sent: \
                 {why}"
            );
            (Source::Packet(source), Some(missing), refused)
        }
        Err(error) => {
            let both = format!("no packet socket ({error}; needs CAP_NET_RAW); {why}");
            (Source::Absent, Some(both), refused)
        }
    }
}
