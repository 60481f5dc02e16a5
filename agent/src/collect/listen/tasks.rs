//! What the threads that accept do with their time.

use std::{
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;

use super::{Holders, TaskUse};
use crate::{
    clock::Moment,
    collect::proc_file::{leading_number, proc_root},
    model::ProcessId,
};

/// Threads of one process looked at, at most.
const THREADS: usize = 512;

/// Time of a thread, ns, from its `schedstat`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Time {
    /// On a CPU (`sum_exec_runtime`).
    running: u64,
    /// Runnable without a CPU (`sched_info.run_delay`).
    waiting: u64,
}

/// The last look at one process.
#[derive(Debug)]
struct Look {
    at: Moment,
    /// Number of the pass.
    pass: u64,
    threads: FxHashMap<u32, Time>,
    /// What it did since the look before.
    used: Option<TaskUse>,
}

/// Looks at threads, once a second while a queue stands, within a budget of time.
#[derive(Debug)]
pub struct TaskSampler {
    root: PathBuf,
    looks: FxHashMap<ProcessId, Look>,
    pass: u64,
    /// Where the next pass begins: a budget that is too small must not starve the same ones.
    cursor: usize,
    left_out: u64,
}

impl Default for TaskSampler {
    fn default() -> Self {
        Self::new(&proc_root())
    }
}

impl TaskSampler {
    /// Reads below `root` (`/proc`, or a fixture).
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            looks: FxHashMap::default(),
            pass: 0,
            cursor: 0,
            left_out: 0,
        }
    }

    /// Looks at the holders of each socket, as far as `budget` allows, and hands on what they did
    /// since the look before. The first look at a process tells nothing yet.
    pub fn sample_within(
        &mut self,
        watched: &[(u64, Holders)],
        at: Moment,
        budget: Duration,
        mut each: impl FnMut(u64, TaskUse),
    ) {
        let start = Instant::now();
        self.pass += 1;
        let first = self.cursor.checked_rem(watched.len()).unwrap_or(0);
        self.cursor = 0;
        let (before, from) = watched.split_at(first);
        for (done, (id, holders)) in from.iter().chain(before).enumerate() {
            if done > 0 && start.elapsed() >= budget {
                self.cursor = first + done;
                self.left_out += (watched.len() - done) as u64;
                break;
            }
            let mut sum = TaskUse::default();
            for (process, _) in &holders.processes {
                if let Some(used) = self.look(*process, at) {
                    sum.processes += 1;
                    sum.threads += used.threads;
                    sum.seconds = sum.seconds.max(used.seconds);
                    sum.running += used.running;
                    sum.waiting += used.waiting;
                }
            }
            if sum.processes > 0 {
                each(*id, sum);
            }
        }
        // Those left out keep their look; those no longer watched do not.
        let (pass, cut) = (self.pass, self.cursor != 0);
        self.looks.retain(|_, look| cut || look.pass == pass);
    }

    /// Looks at one process, once per pass.
    fn look(&mut self, id: ProcessId, at: Moment) -> Option<TaskUse> {
        let before = self.looks.get(&id);
        if let Some(look) = before
            && look.pass == self.pass
        {
            return look.used;
        }
        let threads = read(&self.root, id.tgid);
        let used = before.map(|look| used(look, &threads, at));
        let look = Look {
            at,
            pass: self.pass,
            threads,
            used,
        };
        self.looks.insert(id, look);
        used
    }

    /// Sockets whose tasks were not looked at, over all passes, as time was up.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

fn used(before: &Look, threads: &FxHashMap<u32, Time>, at: Moment) -> TaskUse {
    let mut sum = Time::default();
    for (tid, now) in threads {
        // A thread that was not there has begun since.
        let then = before.threads.get(tid).copied().unwrap_or_default();
        sum.running += now.running.saturating_sub(then.running);
        sum.waiting += now.waiting.saturating_sub(then.waiting);
    }
    TaskUse {
        processes: 1,
        threads: threads.len() as u32,
        seconds: at.since(before.at).as_secs_f64(),
        running: sum.running as f64 / 1e9,
        waiting: sum.waiting as f64 / 1e9,
    }
}

/// The times of a process's threads; those that end meanwhile or cannot be read are left out.
fn read(root: &Path, pid: u32) -> FxHashMap<u32, Time> {
    let dir = root.join(pid.to_string()).join("task");
    let mut threads = FxHashMap::default();
    let mut buffer = [0; 128];
    let Ok(entries) = fs::read_dir(&dir) else {
        return threads;
    };
    for entry in entries.take(THREADS).filter_map(Result::ok) {
        let tid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(tid) = tid else {
            continue;
        };
        let read =
            File::open(entry.path().join("schedstat")).and_then(|mut file| file.read(&mut buffer));
        if let Ok(len) = read
            && let Some(time) = buffer.get(..len).and_then(parse)
        {
            threads.insert(tid, time);
        }
    }
    threads
}

/// `running waiting slices`, ns, ns and a count.
fn parse(text: &[u8]) -> Option<Time> {
    let mut fields = text.split(|byte| *byte == b' ');
    Some(Time {
        running: leading_number(fields.next()?)?,
        waiting: leading_number(fields.next()?)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    fn write(root: &Path, pid: u32, tid: u32, text: &str) {
        let dir = root.join(format!("{pid}/task/{tid}"));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("schedstat"), text).unwrap();
    }

    fn holders(pids: &[u32]) -> Holders {
        let process = |pid: &u32| {
            let id = ProcessId {
                tgid: *pid,
                start_ns: 1,
            };
            (id, 1)
        };
        Holders {
            processes: pids.iter().map(process).collect(),
            parent: false,
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment {
            mono_ns: seconds * 1_000_000_000,
            boot_ns: 0,
            wall: std::time::UNIX_EPOCH,
        }
    }

    #[test]
    fn sums_what_threads_did_since_the_last_look() {
        let root = std::env::temp_dir().join(format!("hostlens-{}-tasks", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        write(&root, 7, 7, "1000000000 500000000 12\n");
        write(&root, 7, 8, "0 0 0\n");
        write(&root, 9, 9, "5 6 7\n");
        let (one, both) = (holders(&[7]), holders(&[7, 9]));
        let watched = [(1, one), (2, both)];
        let mut sampler = TaskSampler::new(&root);
        let mut seen = Vec::new();
        sampler.sample_within(&watched, at(1), LONG, |id, used| seen.push((id, used)));
        assert!(seen.is_empty(), "the first look tells nothing");
        write(&root, 7, 7, "1500000000 750000000 13\n");
        write(&root, 7, 8, "garbage\n");
        write(&root, 7, 10, "250000000 0 1\n");
        write(&root, 9, 9, "1000000005 6 7\n");
        sampler.sample_within(&watched, at(3), LONG, |id, used| seen.push((id, used)));
        let first = TaskUse {
            processes: 1,
            threads: 2,
            seconds: 2.0,
            running: 0.75,
            waiting: 0.25,
        };
        let second = TaskUse {
            processes: 2,
            threads: 3,
            running: 1.75,
            ..first
        };
        assert_eq!(seen, [(1, first), (2, second)]);
        sampler.sample_within(&watched[..1], at(4), LONG, |_, _| ());
        assert_eq!(sampler.looks.len(), 1, "those not watched are forgotten");
        fs::remove_dir_all(&root).unwrap();
        sampler.sample_within(&watched[..1], at(5), LONG, |_, used| {
            assert_eq!((used.threads, used.running), (0, 0.0));
        });
    }

    #[test]
    fn a_budget_leaves_out_and_starts_with_those_next_time() {
        let (one, other) = (holders(&[u32::MAX]), holders(&[u32::MAX - 1]));
        let watched = [(1, one), (2, other)];
        let mut sampler = TaskSampler::default();
        let mut seen = Vec::new();
        for second in 0..4 {
            sampler.sample_within(&watched, at(second), Duration::ZERO, |id, _| seen.push(id));
        }
        assert_eq!(seen, [1, 2], "each was looked at twice");
        assert_eq!(sampler.left_out(), 4);
    }
}
