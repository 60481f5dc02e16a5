//! Swap I/O: charges it while there is swap, aggregates, compares with the kernel's sums.

use super::{options::EngineOptions, part::Part, swap_rates};
use crate::{
    aggregate::{ProcessTable, SwapBalance, SwapConfig, SwapTable},
    clock::Moment,
    collect::{
        cgroup::Cgroups,
        swap::{
            SwapParty, SwapTransfer,
            areas::SwapWatch,
            bpf::{OutFrom, SwapBpf},
            totals,
        },
    },
    kernel::Kernel,
    model::{
        BirthGate, Budget, Lost, MapFill, MemberRow, ProcessId, ProcessRow, ProgramStatus,
        SourceStatus, SwapMeasure, SwapRow, SwapUnattributed, budget,
    },
};

/// Bytes the kernel must have written to swap before it is judged whether requests show it.
const JUDGED: u64 = 1000 * 4096;

enum Source {
    /// Kernel programs.
    Bpf(Box<SwapBpf>),
    /// Net changes of `VmSwap`.
    Net,
}

/// The swap part of a cycle.
pub struct SwapStage {
    source: Source,
    /// Why kernel programs are not used.
    degraded: Option<String>,
    /// Programs that were tried and not used.
    refused: Vec<ProgramStatus>,
    watch: Option<SwapWatch>,
    /// Why the programs are not attached though there is swap.
    detached: Option<String>,
    attached: bool,
    /// Swap has been there since we are.
    ever: bool,
    table: SwapTable,
    balance: SwapBalance,
    /// Bytes written since writes were last judged: charged, and counted by the kernel.
    judged: (u64, u64),
    /// Why what is written is told otherwise than by requests.
    reclaim: Option<String>,
    zswap_bytes: u64,
}

impl SwapStage {
    /// Takes the best source there is.
    pub fn start(kernel: &Result<Kernel, String>, options: &EngineOptions) -> Self {
        let loaded = match kernel {
            Ok(kernel) => SwapBpf::load(kernel),
            Err(why) => Err((why.clone(), Vec::new())),
        };
        let (source, degraded, refused) = match loaded {
            Ok(source) => (Source::Bpf(Box::new(source)), None, Vec::new()),
            Err((why, refused)) => {
                options.ebpf.announce("swap I/O", &why);
                let what = "net changes of VmSwap instead of what was read and written";
                (Source::Net, Some(format!("{what}: {why}")), refused)
            }
        };
        let config = SwapConfig {
            budget: options.label_sets(budget::SWAPPERS),
            retention: options.retention,
            service_label: options.service_label,
            details: options.details,
        };
        let measure = match source {
            Source::Bpf(_) => SwapMeasure::Moved,
            Source::Net => SwapMeasure::Net,
        };
        let mut stage = Self {
            source,
            degraded,
            refused,
            watch: SwapWatch::open()
                .map_err(|error| tracing::info!("no /proc/swaps: {error}"))
                .ok(),
            detached: None,
            attached: false,
            ever: false,
            table: SwapTable::new(config, measure),
            balance: SwapBalance::default(),
            judged: (0, 0),
            reclaim: None,
            zswap_bytes: 0,
        };
        stage.follow();
        stage
    }

    /// Attaches the programs once there is swap, and detaches them once there is none.
    pub fn poll(&mut self) {
        let changed = self.watch.as_mut().map(SwapWatch::changed);
        match changed {
            Some(Ok(true)) => self.follow(),
            Some(Err(error)) => tracing::debug!("/proc/swaps: {error}"),
            Some(Ok(false)) | None => {}
        }
    }

    fn follow(&mut self) {
        let (Source::Bpf(source), Some(watch)) = (&mut self.source, &self.watch) else {
            return;
        };
        self.detached = None;
        if watch.areas().is_empty() {
            // What is in its map is read by the next cycle.
            source.detach();
            (self.attached, self.judged, self.reclaim) = (false, (0, 0), None);
            return;
        }
        match source.attach(watch.areas().devices()) {
            Ok(()) => {
                (self.attached, self.ever) = (true, true);
                if let Some(kernel) = totals::read() {
                    self.balance.begin(kernel);
                }
            }
            Err(error) => {
                let why = format!("{error:#}");
                tracing::warn!("swap I/O is not charged: {why}");
                self.detached = Some(why);
            }
        }
    }

    /// Takes over what was moved since the last call, and tells the processes what of their reads
    /// was from swap. To be called after a walk over them and before what it found is booked.
    pub fn collect(&mut self, processes: &mut ProcessTable) {
        let Source::Bpf(source) = &mut self.source else {
            return;
        };
        if !self.ever {
            return;
        }
        let kernel = totals::read();
        let (mut read, mut written) = (0, 0);
        let table = &mut self.table;
        source.read(|transfer: SwapTransfer| {
            read += transfer.in_bytes;
            written += transfer.out_bytes;
            if let (SwapParty::Process { tgid, start_ns }, 1..) =
                (transfer.party, transfer.in_bytes)
            {
                processes.swapped_in(ProcessId { tgid, start_ns }, transfer.in_bytes);
            }
            table.transfer(transfer);
        });
        let Some(kernel) = kernel else { return };
        let before = self.balance.written();
        self.zswap_bytes = self.balance.compare(kernel, read, written);
        let after = self.balance.written();
        if self.attached {
            self.judged.0 += after.0 - before.0;
            self.judged.1 += after.1 - before.1;
            self.judge();
        } else {
            self.balance.end();
        }
    }

    /// Swap in memory was written without requests up to 6.2.
    fn judge(&mut self) {
        let Source::Bpf(source) = &mut self.source else {
            return;
        };
        let (ours, kernel) = self.judged;
        if kernel < JUDGED || source.out_from() == OutFrom::Reclaim {
            return;
        }
        self.judged = (0, 0);
        if ours >= kernel / 2 || self.reclaim.is_some() {
            return;
        }
        let missing = format!("requests show {ours} of {kernel} bytes written to swap");
        let why = match source.watch_reclaim() {
            Ok(()) => format!(
                "{missing}: told by reclaim instead, with pages that zswap takes and such of \
                 zeros"
            ),
            Err(error) => format!("{missing}, and reclaim does not tell: {error:#}"),
        };
        tracing::warn!("swap I/O: {why}");
        self.reclaim = Some(why);
    }

    /// Takes net changes of `VmSwap`, where nothing better is had: process, bytes before and now.
    pub fn changes(&mut self, changes: &[(ProcessId, u64, u64)]) {
        if let Source::Bpf(_) = self.source {
            return;
        }
        for &(id, before, now) in changes {
            self.table.transfer(SwapTransfer {
                party: SwapParty::Process {
                    tgid: id.tgid,
                    start_ns: id.start_ns,
                },
                in_bytes: before.saturating_sub(now),
                out_bytes: now.saturating_sub(before),
            });
        }
    }

    /// Ends a cycle, all processes alive being known.
    pub fn cycle(&mut self, (owners, cgroups): (&ProcessTable, &mut Cgroups)) {
        let zswap = std::mem::take(&mut self.zswap_bytes);
        let mut service = |cgroup| cgroups.service_in("memory", cgroup);
        self.table
            .finish(Moment::now(), zswap, owners, &mut service);
    }

    /// Groups of swap I/O.
    pub fn rows(&mut self, sequence: u64, gate: BirthGate) -> Vec<SwapRow> {
        self.table.rows(sequence, gate)
    }

    /// Tells groups and processes what they swapped in the last cycle, while that is charged.
    pub fn tell(&self, rows: &[SwapRow], processes: &mut [ProcessRow], members: &mut [MemberRow]) {
        if self.attached {
            swap_rates::tell(rows, self.table.single(), processes, members);
        }
    }

    /// What the kernel counted and nobody was charged with; `None` if nothing ever was charged.
    pub fn unattributed(&self) -> Option<SwapUnattributed> {
        self.ever.then(|| self.balance.unattributed())
    }

    /// Bytes charged and counted by the kernel, for the cross-check: read, then written.
    pub fn balance(&self) -> Option<[(u64, u64); 2]> {
        self.ever
            .then(|| [self.balance.read(), self.balance.written()])
    }
}

impl Part for SwapStage {
    fn sources(&self) -> Vec<SourceStatus> {
        let (source, degraded) = match &self.source {
            Source::Net => ("procfs_vmswap", &self.degraded),
            Source::Bpf(source) => match (source.out_from(), &self.detached) {
                (_, Some(_)) => ("absent", &self.detached),
                (OutFrom::Requests, None) => ("bpf_block_bio_queue", &self.reclaim),
                (OutFrom::Reclaim, None) => ("bpf_mm_vmscan_write_folio", &self.reclaim),
            },
        };
        vec![SourceStatus {
            signal: "swap_io",
            source,
            degraded: degraded.clone(),
        }]
    }

    fn programs(&self) -> Vec<ProgramStatus> {
        let mut programs = match &self.source {
            Source::Bpf(source) => source.programs(),
            Source::Net => Vec::new(),
        };
        programs.extend(self.refused.iter().cloned());
        programs
    }

    fn lost(&self) -> Vec<Lost> {
        let Source::Bpf(source) = &self.source else {
            return Vec::new();
        };
        let (read, written) = source.lost();
        [
            ("swap_in_bytes", read),
            ("swap_out_bytes", written),
            ("malformed", source.malformed()),
        ]
        .map(|(what, count)| Lost { what, count })
        .into()
    }

    fn maps(&self) -> Vec<MapFill> {
        match &self.source {
            Source::Bpf(source) => vec![source.fill()],
            Source::Net => Vec::new(),
        }
    }

    fn budgets(&self) -> Vec<Budget> {
        self.table.budgets()
    }

    fn held(&self) -> u64 {
        self.table.held()
    }
}
