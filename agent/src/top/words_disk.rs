//! What the line of a disk, or of a service at disks, means in words.

use std::fmt::Write;

use hostlens_ebpf::wire::DiskOp;

use crate::model::{DiskOpRow, DiskRow, DiskUser, DiskVerdict, ServiceDiskRow};

use super::human::{bytes, latency};

/// A disk this much slower from queued to done than at the device is waited for in its queue.
const QUEUED: f64 = 2.0;

/// The words for a disk; `None` where its cells say it all.
pub fn disk(row: &DiskRow) -> Option<String> {
    let mut words = String::new();
    if let (Some(verdict), Some(busy), Some(now), Some(best)) = (
        row.verdict,
        row.busy_ratio,
        row.throughput,
        row.best_throughput,
    ) {
        // Writing to a String cannot fail.
        let _ = write!(
            words,
            "Busy {:.0} % of the time for {} a second; it moved {} in the last hours. ",
            busy * 100.0,
            bytes(now),
            bytes(best)
        );
        words.push_str(match verdict {
            DiskVerdict::Slow => {
                "Fewer requests too: the disk or array is slow by itself. Rebuild or scrub under \
                 way (cat /proc/mdstat), a failed member or cache battery, a disk near its end \
                 (smartctl -a), a throttled volume? "
            }
            DiskVerdict::Scattered => {
                "As many requests as ever: small ones, all over the disk, or each waited for. "
            }
        });
    }
    let errors: u64 = row.ops.iter().map(|op| op.errors).sum();
    if errors > 0 {
        let _ = write!(words, "{errors} requests failed: see dmesg. ");
    }
    if row.live && !row.timed && row.counted {
        words.push_str(
            "No times of requests: its statistics are off (queue/iostats), or programs do not run. ",
        );
    } else if row.timed {
        row.ops.iter().for_each(|op| waits(op, &mut words));
    }
    let words = words.trim_end().to_owned();
    (!words.is_empty()).then_some(words)
}

/// `Writes take 40 ms, of which 5 ms at the disk: they queue. `; nothing if they do not.
fn waits(op: &DiskOpRow, words: &mut String) {
    let (Some([_, _, io, ..]), Some([_, _, service, ..])) = (op.io_quantiles, op.service_quantiles)
    else {
        return;
    };
    let what = match op.op {
        DiskOp::Read => "Reads",
        DiskOp::Write => "Writes",
        DiskOp::Flush | DiskOp::Discard => return,
    };
    if io > service * QUEUED && io > 0.001 {
        let _ = write!(
            words,
            "{what} (95 %) take {}, of which {} at the disk: they queue. ",
            latency(io),
            latency(service)
        );
    }
}

/// The words for a service; `None` where its cells say it all.
pub fn user(row: &ServiceDiskRow) -> Option<String> {
    match &row.user {
        DiskUser::Writeback => Some(
            "Written by the kernel some time after the write, for whoever made the pages dirty: \
             cgroup v1 does not remember who. The process view counts it when it is written."
                .into(),
        ),
        DiskUser::Service(name) if name.is_empty() => Some(
            "What belongs to no container or unit, the journals of filesystems included.".into(),
        ),
        _ => None,
    }
}
