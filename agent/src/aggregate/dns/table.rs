//! All lookups and their groups.

use std::collections::VecDeque;

use super::{
    DnsConfig,
    account::{AskerKey, DnsAccount},
};
use crate::{
    aggregate::{Owners, birth::View, group::Groups},
    clock::Moment,
    collect::dns::{Lookup, Outcome},
    model::{BirthGate, Budget, DnsKey, DnsRow, Lost, Owner},
};

/// Complete cycles a lookup waits for its asker to become known: one that lived briefly is known
/// once its final record came.
const PATIENCE: u8 = 2;
/// Lookups that wait for that at most.
const WAITING: usize = 4096;

#[derive(Debug)]
struct Waiting {
    lookup: Lookup,
    cycles: u8,
}

/// Turns lookups into counters by who asked whom. Lookups may come at any time.
#[derive(Debug)]
pub struct DnsTable {
    config: DnsConfig,
    groups: Groups<AskerKey, DnsAccount>,
    waiting: VecDeque<Waiting>,
    /// Lookups booked to nobody, as too many waited.
    unnamed: u64,
    began: Option<Moment>,
    now: Option<Moment>,
    seconds: f64,
}

impl DnsTable {
    /// An empty table.
    pub fn new(config: DnsConfig) -> Self {
        Self {
            groups: Groups::new(config.budget, config.retention),
            config,
            waiting: VecDeque::new(),
            unnamed: 0,
            began: None,
            now: None,
            seconds: 0.0,
        }
    }

    /// Takes a lookup that is over. It waits for the next walk over processes: one that has just
    /// executed another program would be named by what it was before.
    pub fn lookup(&mut self, lookup: Lookup, owners: &dyn Owners) {
        if lookup.tgid == 0 {
            self.book(&lookup, Owner::unknown());
        } else if self.waiting.len() < WAITING {
            self.waiting.push_back(Waiting { lookup, cycles: 0 });
        } else if let Some(owner) = owners.owner(lookup.tgid, lookup.start_ns) {
            self.book(&lookup, owner);
        } else {
            self.unnamed += 1;
            self.book(&lookup, Owner::unknown());
        }
    }

    /// A cycle is over at `at`, and all processes alive are known.
    pub fn finish(&mut self, at: Moment, owners: &dyn Owners) {
        for mut waiting in std::mem::take(&mut self.waiting) {
            let lookup = &waiting.lookup;
            waiting.cycles += 1;
            match owners.owner(lookup.tgid, lookup.start_ns) {
                Some(owner) => self.book(lookup, owner),
                None if waiting.cycles > PATIENCE => self.book(lookup, Owner::unknown()),
                None => self.waiting.push_back(waiting),
            }
        }
        self.seconds = self
            .began
            .map_or(0.0, |before| at.since(before).as_secs_f64());
        self.began = Some(at);
        self.now = Some(at);
    }

    fn book(&mut self, lookup: &Lookup, owner: Owner) {
        let key = AskerKey {
            owner,
            resolver: lookup.resolver,
        };
        // A group has members only while lookups are under way: nothing of it is a gauge.
        let group = self.groups.join(key);
        let weight = match lookup.outcome {
            Outcome::Answer { rcode: 0, .. } => 1.0,
            // What fails is what one looks for.
            Outcome::Answer { .. } | Outcome::Timeout => 4.0,
        };
        self.groups.cycle(group, weight).add(lookup);
        self.groups.leave(group);
    }

    /// The rows of the snapshot with this sequence: heaviest first, all folded groups last. To be
    /// called once after each `finish`: it also decides who keeps a name. Empty before the first.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<DnsRow> {
        let Some(now) = self.now else {
            return Vec::new();
        };
        self.groups.arrange(&View {
            sequence,
            gate,
            now,
            seconds: self.seconds,
            window_ns: u64::try_from(self.config.window.as_nanos()).unwrap_or(u64::MAX),
        });
        // No number of a group is kept here.
        let _ = self.groups.compact();
        let rows = self.groups.rows().into_iter();
        rows.map(|view| DnsRow {
            key: match view.key {
                Some(key) => DnsKey::Asker {
                    owner: key.owner.clone(),
                    resolver: key.resolver,
                },
                None => DnsKey::Folded,
            },
            held: view.held,
            seconds: view.account.seconds.clone(),
            responses: view.account.responses,
            timeouts: view.account.timeouts,
            rate: view.account.rate,
            failure_rate: view.account.failure_rate,
            quantiles: view.account.quantiles(),
            failing: view.account.failing(),
        })
        .collect()
    }

    /// State of the budget.
    pub fn budgets(&self) -> Vec<Budget> {
        vec![self.groups.budget("dns")]
    }

    /// Label sets shown as 0 until scrapers have seen their birth.
    pub fn held(&self) -> u64 {
        self.groups.held()
    }

    /// Lookups whose asker was not waited for.
    pub fn lost_detail(&self) -> Vec<Lost> {
        vec![Lost {
            what: "dns_asker",
            count: self.unnamed,
        }]
    }
}
