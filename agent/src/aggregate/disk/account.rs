//! The counters of one row, by operation.

use std::sync::Arc;

use hostlens_ebpf::wire::DiskOp;

use crate::{
    aggregate::{
        birth::{Birth, View},
        group::{Account, GroupKey},
        window::Window,
    },
    collect::disk::{DiskSample, OPS},
    model::{BusySeconds, DiskOpRow, Histogram, SampleCounts},
};

/// A disk or a service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NameKey(pub Arc<str>);

impl GroupKey for NameKey {}

/// Increments of one operation in one cycle.
#[derive(Debug, Default)]
pub(super) struct OpCycle {
    io: SampleCounts,
    service: SampleCounts,
    pub bytes: u64,
    pub requests: u64,
    errors: u64,
}

impl OpCycle {
    fn is_empty(&self) -> bool {
        self.bytes == 0 && self.requests == 0 && self.errors == 0 && self.io.is_empty()
    }
}

/// Increments of one cycle.
#[derive(Debug, Default)]
pub(super) struct DiskCycle {
    pub ops: [OpCycle; OPS],
    pub busy_ms: u64,
}

impl DiskCycle {
    /// Adds what a program saw: times if they can be trusted, bytes and requests if nobody else
    /// counts them.
    pub fn add(&mut self, sample: &DiskSample, timed: bool, counts: bool) {
        let Some(op) = self.ops.get_mut(sample.key.op as usize) else {
            return;
        };
        op.errors += sample.errors;
        if timed {
            op.io.merge(&sample.io);
            op.service.merge(&sample.service);
        }
        if counts {
            op.bytes += sample.bytes;
            op.requests += sample.io.count() + sample.untimed;
        }
    }
}

/// Counters of one operation since it was first seen.
#[derive(Debug)]
struct OpAccount {
    birth: Birth,
    io: Arc<Histogram>,
    service: Arc<Histogram>,
    bytes: u64,
    requests: u64,
    errors: u64,
    byte_rate: f64,
    request_rate: f64,
    io_window: Window,
    service_window: Window,
}

impl OpAccount {
    fn new(view: &View) -> Self {
        Self {
            birth: Birth::new(view),
            io: Arc::default(),
            service: Arc::default(),
            bytes: 0,
            requests: 0,
            errors: 0,
            byte_rate: 0.0,
            request_rate: 0.0,
            io_window: Window::default(),
            service_window: Window::default(),
        }
    }

    fn book(&mut self, cycle: &mut OpCycle, view: &View) {
        self.bytes += cycle.bytes;
        self.requests += cycle.requests;
        self.errors += cycle.errors;
        self.byte_rate = view.rate(cycle.bytes);
        self.request_rate = view.rate(cycle.requests);
        for (histogram, samples) in [
            (&mut self.io, &cycle.io),
            (&mut self.service, &cycle.service),
        ] {
            if !samples.is_empty() {
                Arc::make_mut(histogram).add(samples);
            }
        }
        let (now, length) = (view.now.mono_ns, view.window_ns);
        self.io_window.push(now, length, &mut cycle.io, 0, 0);
        self.service_window
            .push(now, length, &mut cycle.service, 0, 0);
        *cycle = OpCycle::default();
    }
}

/// Counters since the appearance of a row began.
#[derive(Debug, Default)]
pub(super) struct DiskAccount {
    ops: [Option<OpAccount>; OPS],
    busy_ms: u64,
}

impl DiskAccount {
    /// The operations seen so far; `held`: the whole row is.
    pub fn ops(&self, held: bool) -> Vec<DiskOpRow> {
        let ops = DiskOp::ALL.into_iter().zip(&self.ops);
        ops.filter_map(|(op, account)| {
            let account = account.as_ref()?;
            Some(DiskOpRow {
                op,
                held: held || account.birth.held(),
                io: Arc::clone(&account.io),
                service: Arc::clone(&account.service),
                bytes: account.bytes,
                requests: account.requests,
                errors: account.errors,
                byte_rate: account.byte_rate,
                request_rate: account.request_rate,
                io_quantiles: account.io_window.quantiles(),
                service_quantiles: account.service_window.quantiles(),
            })
        })
        .collect()
    }

    /// Busy time.
    pub fn busy(&self, held: bool) -> BusySeconds {
        BusySeconds {
            seconds: self.busy_ms as f64 / 1e3,
            held,
        }
    }
}

impl Account for DiskAccount {
    type Cycle = DiskCycle;

    fn merge(into: &mut DiskCycle, from: DiskCycle) {
        for (mine, theirs) in into.ops.iter_mut().zip(from.ops) {
            mine.io.merge(&theirs.io);
            mine.service.merge(&theirs.service);
            mine.bytes += theirs.bytes;
            mine.requests += theirs.requests;
            mine.errors += theirs.errors;
        }
        into.busy_ms += from.busy_ms;
    }

    fn book(&mut self, cycle: &mut DiskCycle, view: &View) -> bool {
        let mut moved = cycle.busy_ms > 0;
        self.busy_ms += std::mem::take(&mut cycle.busy_ms);
        for (mine, op) in self.ops.iter_mut().zip(&mut cycle.ops) {
            let any = !op.is_empty();
            moved |= any;
            if any {
                mine.get_or_insert_with(|| OpAccount::new(view));
            }
            if let Some(mine) = mine {
                mine.book(op, view);
            }
        }
        moved
    }

    fn show(&mut self, view: &View) -> bool {
        let opened = self.ops.iter_mut().flatten();
        let opened = opened.map(|op| op.birth.show(view));
        opened.fold(false, |any, opened| any | opened)
    }
}
