//! bpf(2) for what only a benchmark needs: run statistics, and a program that does nothing.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::Context as _;

const BPF_PROG_LOAD: libc::c_int = 5;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_int = 17;
const BPF_ENABLE_STATS: libc::c_int = 32;
const BPF_STATS_RUN_TIME: u32 = 0;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// The kernel counts runs of all programs and their time while this lives (≥ 5.8).
pub struct Statistics(#[expect(dead_code, reason = "held open")] OwnedFd);

impl Statistics {
    /// Switches them on.
    ///
    /// # Errors
    /// Older kernel, or no CAP_SYS_ADMIN.
    pub fn enable() -> anyhow::Result<Self> {
        // SAFETY: `union bpf_attr`, member `enable_stats`: one number.
        let fd = unsafe { bpf(BPF_ENABLE_STATS, &BPF_STATS_RUN_TIME) };
        Ok(Self(fd.context("no run statistics")?))
    }
}

/// `union bpf_attr` for BPF_PROG_LOAD, as far as needed.
#[repr(C)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
}

/// `union bpf_attr`, member `raw_tracepoint`.
#[repr(C)]
struct Open {
    name: u64,
    prog_fd: u32,
    pad: u32,
}

/// A program that returns at once, run at the end of each process: what the statistics themselves
/// cost.
pub struct EmptyProgram {
    program: OwnedFd,
    _link: OwnedFd,
}

impl EmptyProgram {
    /// Loads and attaches it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn attach() -> anyhow::Result<Self> {
        // r0 = 0; exit
        let code: [u64; 2] = [0xb7, 0x95];
        let load = Load {
            prog_type: BPF_PROG_TYPE_RAW_TRACEPOINT,
            insn_cnt: 2,
            insns: code.as_ptr() as u64,
            license: c"MIT".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log_buf: 0,
        };
        // SAFETY: the attributes are those of this command, and their pointers outlive the call.
        let program = unsafe { bpf(BPF_PROG_LOAD, &load) }.context("no empty program")?;
        let open = Open {
            name: c"sched_process_exit".as_ptr() as u64,
            prog_fd: program.as_raw_fd() as u32,
            pad: 0,
        };
        // SAFETY: as above.
        let link =
            unsafe { bpf(BPF_RAW_TRACEPOINT_OPEN, &open) }.context("no tracepoint for it")?;
        Ok(Self {
            program,
            _link: link,
        })
    }

    /// Runs and ns so far.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn runs(&self) -> anyhow::Result<(u64, u64)> {
        let fd = self.program.as_raw_fd();
        let text = fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))?;
        let number = |key: &str| -> anyhow::Result<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(key));
            let number = line.with_context(|| format!("no {key} of a program"))?;
            Ok(number.trim().parse()?)
        };
        Ok((number("run_cnt:")?, number("run_time_ns:")?))
    }
}

/// # Safety
/// `attr` is the prefix of `union bpf_attr` that `command` reads, and its pointers are valid.
unsafe fn bpf<T>(command: libc::c_int, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: promised by the caller.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attr),
            size_of::<T>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: these commands return a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap_or(-1)) })
}
