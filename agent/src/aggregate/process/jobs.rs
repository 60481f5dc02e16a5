//! Processes of one service or one session together, so that a pipeline reads as one thing.

use std::sync::Arc;

use hostlens_ebpf::wire::TaskFlags;
use rustc_hash::FxHashMap;

use super::{
    entry::{Change, Entry},
    table::ProcessTable,
};
use crate::{
    clock::Moment,
    model::{JobKey, JobRow, MemberRow, Memory, ProcessId, ProcessRates},
};

/// Age at which the session of a process is read for the last time, ns: `setsid(2)` is called right
/// after the start.
const SETTLED_NS: u64 = 2_000_000_000;
/// Names shown of one job.
const MOST_NAMES: usize = 6;
/// What starts others and is no part of what they do.
const SHELLS: [&str; 14] = [
    "sh", "bash", "dash", "zsh", "ksh", "ash", "fish", "sshd", "login", "su", "sudo", "cron",
    "crond", "tmux",
];

/// The session of a process, as far as it was read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Session {
    id: Option<u32>,
    /// At which execve it was read, and whether the process was old enough to have settled.
    read: Option<(u32, bool)>,
}

/// What processes did that ended since the last rows, by job.
pub(super) type EndedJobs = FxHashMap<JobKey, Change>;

/// What holds a process together with others; `None` for kernel threads, and as long as nothing is
/// known.
pub(super) fn job_of(entry: &Entry) -> Option<JobKey> {
    if entry.flags & TaskFlags::KERNEL_THREAD != 0 {
        return None;
    }
    if is_job(&entry.service) {
        return Some(JobKey::Service(Arc::clone(&entry.service)));
    }
    let session = entry.session.id.filter(|id| *id != 0)?;
    Some(JobKey::Session(session))
}

/// Whether the processes of a service do one thing: not those of a login or of all of a user.
fn is_job(service: &str) -> bool {
    !service.is_empty()
        && service != "session"
        && !service.starts_with("user@")
        && !service.ends_with(".slice")
}

impl ProcessTable {
    /// Living processes whose session is to be read, if details were asked for. `out` is cleared
    /// first.
    pub fn sessions_wanted(&self, at: Moment, out: &mut Vec<ProcessId>) {
        out.clear();
        if !self.config.details {
            return;
        }
        const NONE: u32 = TaskFlags::KERNEL_THREAD | TaskFlags::ZOMBIE;
        let wanted = self.entries.iter().filter(|(id, entry)| {
            let now = (entry.exec_id, settled(id, at));
            entry.flags & NONE == 0 && entry.session.read != Some(now)
        });
        out.extend(wanted.map(|(id, _)| *id));
    }

    /// Takes a session read at `at`; `None`: the process has gone.
    pub fn set_session(&mut self, id: ProcessId, session: Option<u32>, at: Moment) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.session = Session {
                id: session.or(entry.session.id),
                read: Some((entry.exec_id, settled(&id, at))),
            };
        }
    }

    /// Keeps what a process did that ended, for its job.
    pub(super) fn note_end(&mut self, entry: &Entry, change: &Change) {
        if self.config.details
            && let Some(job) = job_of(entry)
        {
            let ended = self.ended_jobs.entry(job).or_default();
            ended.cpu.user += change.cpu.user;
            ended.cpu.system += change.cpu.system;
            ended.counts += change.counts;
        }
    }

    /// Jobs of the `members` that [`ProcessTable::members`] gave in this cycle, heaviest first. To
    /// be called once per cycle.
    pub fn jobs(&mut self, members: &[MemberRow]) -> Vec<JobRow> {
        let ended = std::mem::take(&mut self.ended_jobs);
        let mut jobs: FxHashMap<JobKey, Vec<&MemberRow>> = FxHashMap::default();
        for member in members {
            if let Some(key) = &member.job {
                jobs.entry(key.clone()).or_default().push(member);
            }
        }
        let now = self.start_seconds(self.now.map_or(0, |now| now.boot_ns));
        let mut rows: Vec<JobRow> = jobs
            .into_iter()
            .map(|(key, members)| {
                let mut row = together(key, members, self.caps.disk);
                row.age_seconds = (now - row.start_seconds).max(0.0);
                if let Some(change) = ended.get(&row.key) {
                    add(&mut row.rates, &change.rates(self.seconds));
                }
                row
            })
            .collect();
        rows.sort_by(|one, other| {
            let cpu = other.rates.cpu.total_cmp(&one.rates.cpu);
            cpu.then_with(|| one.key.cmp(&other.key))
        });
        rows
    }
}

fn settled(id: &ProcessId, at: Moment) -> bool {
    at.boot_ns.saturating_sub(id.start_ns) >= SETTLED_NS
}

fn add(sum: &mut ProcessRates, more: &ProcessRates) {
    sum.cpu += more.cpu;
    sum.read_bytes += more.read_bytes;
    sum.write_bytes += more.write_bytes;
    sum.major_faults += more.major_faults;
    sum.run_delay += more.run_delay;
    sum.block_delay += more.block_delay;
}

fn together(key: JobKey, mut members: Vec<&MemberRow>, disk: bool) -> JobRow {
    members.sort_by(|one, other| {
        let start = one.start_seconds.total_cmp(&other.start_seconds);
        start.then(one.pid.cmp(&other.pid))
    });
    let mut row = JobRow {
        job: name(&members),
        user: join(&distinct(members.iter().map(|member| &*member.user)), ","),
        processes: members.len() as u64,
        threads: 0,
        cpu_ns: 0,
        memory: None,
        start_seconds: members.first().map_or(0.0, |first| first.start_seconds),
        age_seconds: 0.0,
        rates: ProcessRates::default(),
        disk,
        key,
    };
    for member in members {
        row.threads += u64::from(member.threads);
        row.cpu_ns += member.cpu_ns;
        add(&mut row.rates, &member.rates);
        if let Some(memory) = member.memory {
            let sum: &mut Memory = row.memory.get_or_insert_default();
            sum.anon += memory.anon;
            sum.swap += memory.swap;
            // Shared pages count in every process: the largest member stands for all.
            sum.file = sum.file.max(memory.file);
            sum.shmem = sum.shmem.max(memory.shmem);
        }
    }
    row
}

/// What runs, in the order of its start; shells only where nothing else does.
fn name(members: &[&MemberRow]) -> Arc<str> {
    let names = distinct(members.iter().map(|member| &*member.process));
    let mut working = names.clone();
    working.retain(|name| !SHELLS.contains(name));
    join(if working.is_empty() { &names } else { &working }, " | ")
}

fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
            if seen.len() > 4 * MOST_NAMES {
                break;
            }
        }
    }
    seen
}

fn join(names: &[&str], between: &str) -> Arc<str> {
    let shown = names.get(..MOST_NAMES).unwrap_or(names);
    let mut text = shown.join(between);
    if names.len() > shown.len() {
        text.push_str(between);
        text.push('…');
    }
    text.into()
}
