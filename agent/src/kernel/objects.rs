//! The embedded objects and what each of their programs needs.

use aya::programs::CgroupSkbAttachType;

use super::object::{Hook, ObjectSpec, ProgramSpec};

macro_rules! embedded {
    ($name:literal) => {
        aya::include_bytes_aligned!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../ebpf/prebuilt/",
            $name,
            ".o"
        ))
    };
}

mod swap;
mod tcp;

pub use swap::SWAP;
pub use tcp::{TCP, TCP_HASH};

/// Members without which a process record would say something wrong.
const TASK: &[&str] = &[
    "TASK_PID",
    "TASK_TGID",
    "TASK_START_BOOTTIME",
    "TASK_REAL_CRED",
    "TASK_COMM",
    "TASK_FLAGS",
    "TASK_EXIT_CODE",
    "TASK_SIGNAL",
    "TASK_RUNTIME",
    "TASK_UTIME",
    "TASK_STIME",
    "TASK_MIN_FLT",
    "TASK_MAJ_FLT",
    "TASK_NVCSW",
    "TASK_NIVCSW",
    "SIG_RUNTIME",
    "SIG_UTIME",
    "SIG_STIME",
    "SIG_MIN_FLT",
    "SIG_MAJ_FLT",
    "SIG_NVCSW",
    "SIG_NIVCSW",
    "SIG_NR_THREADS",
    "SIG_NOFILE",
    "CRED_EUID",
];

/// Members a walk needs beside [`TASK`].
const TASK_WALK: &[&str] = &[
    "TASK_FILES",
    "FILES_FDT",
    "FDT_MAX_FDS",
    "FDT_OPEN_FDS",
    "TASK_EXIT_STATE",
    "TASK_REAL_PARENT",
];

/// Processes.
pub const TASKS: ObjectSpec = ObjectSpec {
    name: "task",
    bytes: embedded!("task"),
    programs: &[
        ProgramSpec {
            name: "task_walk",
            hook: Hook::Iterator("task"),
            needs: TASK_WALK,
        },
        ProgramSpec {
            name: "task_freed",
            hook: Hook::Tracepoint("sched_process_free", 1),
            needs: TASK,
        },
        ProgramSpec {
            name: "task_executed",
            hook: Hook::Tracepoint("sched_process_exec", 1),
            needs: &["TASK_MM", "MM_ARG_START", "MM_ARG_END"],
        },
    ],
};

/// Members that tell who is at work.
const CURRENT: &[&str] = &[
    "TASK_PID",
    "TASK_TGID",
    "TASK_FLAGS",
    "TASK_GROUP_LEADER",
    "TASK_START_BOOTTIME",
    "TASK_RUNTIME",
];

/// Attempts to connect that fail before anything is sent. Where an attempt is struck out comes
/// first: without that, each one would look like a failure.
pub const CONNECT: ObjectSpec = ObjectSpec {
    name: "connect",
    bytes: embedded!("connect"),
    programs: &[
        ProgramSpec {
            name: "connect_begun",
            hook: Hook::Tracepoint("inet_sock_set_state", 3),
            needs: &[],
        },
        ProgramSpec {
            name: "connect_v4",
            hook: Hook::CgroupConnect("connect4"),
            needs: CURRENT,
        },
        ProgramSpec {
            name: "connect_v6",
            hook: Hook::CgroupConnect("connect6"),
            needs: CURRENT,
        },
    ],
};

/// Name resolution.
pub const DNS: ObjectSpec = ObjectSpec {
    name: "dns",
    bytes: embedded!("dns"),
    programs: &[
        ProgramSpec {
            name: "dns_out",
            hook: Hook::CgroupSkb(CgroupSkbAttachType::Egress),
            needs: CURRENT,
        },
        ProgramSpec {
            name: "dns_in",
            hook: Hook::CgroupSkb(CgroupSkbAttachType::Ingress),
            needs: &[],
        },
    ],
};

/// Descriptors by type. A kernel that cannot walk those of one process would walk all.
pub const FDS: ObjectSpec = ObjectSpec {
    name: "fd",
    bytes: embedded!("fd"),
    programs: &[ProgramSpec {
        name: "fd_types",
        hook: Hook::Iterator("task_file"),
        needs: &[
            "FILE_INODE",
            "INODE_MODE",
            "INODE_SB",
            "SB_MAGIC",
            "ITER_TASK",
        ],
    }],
};

/// Members without which what is said of a request to a disk would be wrong.
const REQUEST: &[&str] = &[
    "RQ_QUEUE",
    "RQ_CMD_FLAGS",
    "RQ_FLAGS",
    "RQ_DATA_LEN",
    "RQ_BIO",
    "RQ_START",
    "RQ_IO_START",
    "DISK_MAJOR",
    "DISK_FIRST_MINOR",
];

/// Members without which what is said of a bio would be wrong.
const BIO: &[&str] = &[
    "BIO_BDEV",
    "BIO_OPF",
    "BIO_SIZE",
    "BIO_STATUS",
    "BDEV_DISK",
    "DISK_QUEUE",
    "QUEUE_MQ_OPS",
    "DISK_MAJOR",
    "DISK_FIRST_MINOR",
];

/// Disks.
pub const BLOCK: ObjectSpec = ObjectSpec {
    name: "block",
    bytes: embedded!("block"),
    programs: &[
        ProgramSpec {
            name: "disk_done",
            hook: Hook::Tracepoint("block_rq_complete", 3),
            needs: REQUEST,
        },
        ProgramSpec {
            name: "bio_queued",
            hook: Hook::LateTracepoint("block_bio_queue", 1),
            needs: BIO,
        },
        ProgramSpec {
            name: "bio_done",
            hook: Hook::LateTracepoint("block_bio_complete", 2),
            needs: BIO,
        },
        ProgramSpec {
            name: "disk_done_for",
            hook: Hook::LateTracepoint("block_rq_complete", 3),
            needs: REQUEST,
        },
        ProgramSpec {
            name: "disk_started",
            hook: Hook::LateTracepoint("block_io_start", 1),
            needs: CURRENT,
        },
    ],
};

/// All of them.
pub const ALL: &[&ObjectSpec] = &[&TCP, &TCP_HASH, &TASKS, &CONNECT, &DNS, &FDS, &BLOCK, &SWAP];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::kernel::{Kernel, Target, Walker};

    #[test]
    fn everything_loads_here() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0
            || !std::path::Path::new(crate::kernel::btf::Btf::PATH).exists()
        {
            println!("SKIP: loading programs needs root and BTF");
            return;
        }
        let kernel = Kernel::probe(false).unwrap();
        for spec in ALL {
            let object = kernel.load(spec, &[]).unwrap();
            for program in spec.programs {
                assert_eq!(object.refusal(program.name), None);
            }
        }
    }

    #[test]
    fn the_task_walk_finds_this_process() {
        // SAFETY: no arguments.
        if unsafe { libc::geteuid() } != 0 {
            println!("SKIP: loading programs needs root");
            return;
        }
        let kernel = Kernel::probe(false).unwrap();
        let object = kernel.load(&TASKS, &[]).unwrap();
        let mut walker = Walker::link(object.iterator("task_walk").unwrap(), Target::All).unwrap();
        let mut found = None;
        walker
            .walk(|bytes| {
                let mut at = 0;
                while let Some(kind) = hostlens_ebpf::wire::read_kind(&bytes[at..]) {
                    if kind == hostlens_ebpf::wire::TaskKind::Thread as u32 {
                        at += size_of::<hostlens_ebpf::wire::ThreadRecord>();
                    } else {
                        let record: hostlens_ebpf::wire::TaskRecord =
                            hostlens_ebpf::wire::read(&bytes[at..]).unwrap();
                        if record.tgid == std::process::id() {
                            found = Some(record);
                        }
                        at += size_of::<hostlens_ebpf::wire::TaskRecord>();
                    }
                }
                at
            })
            .unwrap();
        println!("{found:?}");
        assert!(found.is_some_and(|record| record.counters.runtime_ns > 0 && record.threads > 0));
    }
}
