//! Descriptors by what they stand for: socket, file, pipe, …
//!
//! Each descriptor must be looked at, for 0.4 µs by a kernel program and 3 µs through
//! `/proc/PID/fd`. So this is done once in a while for the processes that hold most, a few
//! milliseconds at a time.

use std::{
    collections::VecDeque,
    ffi::CStr,
    fs::File,
    io::{self, Read as _},
    mem::MaybeUninit,
    time::{Duration, Instant},
};

use hostlens_ebpf::wire::FdType;
use rustix::fs::{Dir, readlinkat_raw};

use crate::{
    collect::proc_file::{ProcReader, proc_root},
    kernel::{self, Kernel, LoadedObject, Target, objects},
    model::{ProcessId, ProgramStatus},
};

/// Descriptors looked at in one step.
const STEP: usize = 1024;

/// Counts by [`FdType::ALL`].
pub type FdCounts = [u64; FdType::COUNT];

/// Counts descriptors of processes.
pub struct FdTypeReader {
    object: Option<LoadedObject>,
    /// Why no kernel program serves.
    degraded: Option<String>,
    proc: ProcReader,
    queue: VecDeque<ProcessId>,
    open: Option<Open>,
    buffer: Vec<u8>,
    failed: u64,
}

/// The process being looked at.
struct Open {
    id: ProcessId,
    walk: Walk,
    counts: FdCounts,
}

enum Walk {
    /// One byte per descriptor.
    Program(File),
    /// A link per descriptor.
    Folder(Dir),
}

impl FdTypeReader {
    /// Takes the better way where it is open.
    pub fn start(kernel: &Result<Kernel, String>) -> Self {
        let loaded = match kernel {
            Ok(kernel) => kernel
                .load(&objects::FDS, &[])
                .map_err(|error| error.to_string()),
            Err(why) => Err(why.clone()),
        };
        let (object, degraded) = match loaded {
            Ok(object) => {
                let why = object.refusal("fd_types");
                (Some(object), why)
            }
            Err(why) => (None, Some(why)),
        };
        Self {
            object,
            degraded,
            proc: ProcReader::new(&proc_root()),
            queue: VecDeque::new(),
            open: None,
            buffer: vec![0; STEP],
            failed: 0,
        }
    }

    /// Why kernel programs do not serve; `None` if they do.
    pub fn degraded(&self) -> Option<&str> {
        self.degraded.as_deref()
    }

    /// State of the program.
    pub fn programs(&self) -> Vec<ProgramStatus> {
        let object = self.object.as_ref();
        object.map(LoadedObject::programs).unwrap_or_default()
    }

    /// Processes that could not be looked at, ended ones among them.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Begins to look at these processes.
    pub fn begin(&mut self, ids: impl IntoIterator<Item = ProcessId>) {
        self.queue = ids.into_iter().collect();
        self.open = None;
    }

    /// Goes on for about `budget`, but one step at least; whether all are done.
    pub fn work_within(
        &mut self,
        budget: Duration,
        mut each: impl FnMut(ProcessId, FdCounts),
    ) -> bool {
        let start = Instant::now();
        loop {
            let Some(mut open) = self.open.take().or_else(|| self.next()) else {
                return true;
            };
            match open.step(&mut self.buffer) {
                Ok(true) => self.open = Some(open),
                Ok(false) => each(open.id, open.counts),
                Err(_) => self.failed += 1,
            }
            if start.elapsed() >= budget {
                return false;
            }
        }
    }

    /// Opens the next process that can be opened.
    fn next(&mut self) -> Option<Open> {
        while let Some(id) = self.queue.pop_front() {
            match self.walk(id.tgid) {
                Ok(walk) => {
                    return Some(Open {
                        id,
                        walk,
                        counts: FdCounts::default(),
                    });
                }
                Err(_) => self.failed += 1,
            }
        }
        None
    }

    fn walk(&mut self, pid: u32) -> io::Result<Walk> {
        let object = self.object.as_ref();
        if let Some(program) = object.and_then(|object| object.iterator("fd_types")) {
            let walk = kernel::open_once(program, Target::Process(pid))?;
            return Ok(Walk::Program(walk));
        }
        let folder = File::open(self.proc.path_of(pid, "fd"))?;
        Ok(Walk::Folder(Dir::new(folder)?))
    }
}

impl Open {
    /// Looks at some more; whether there may be others.
    fn step(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match &mut self.walk {
            Walk::Program(walk) => {
                let read = match walk.read(buffer) {
                    // A million objects in a row without a record, or a signal.
                    Err(error)
                        if error.kind() == io::ErrorKind::Interrupted
                            || error.raw_os_error() == Some(libc::EAGAIN) =>
                    {
                        return Ok(true);
                    }
                    read => read?,
                };
                for byte in buffer.iter().take(read) {
                    add(&mut self.counts, FdType::index(*byte));
                }
                Ok(read > 0)
            }
            Walk::Folder(folder) => {
                for _ in 0..STEP / 8 {
                    let Some(entry) = folder.read() else {
                        return Ok(false);
                    };
                    let entry = entry?;
                    // The two dots, or it was closed meanwhile.
                    if let Some(kind) = link_type(folder, entry.file_name()) {
                        add(&mut self.counts, FdType::index(kind as u8));
                    }
                }
                Ok(true)
            }
        }
    }
}

fn add(counts: &mut FdCounts, at: usize) {
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

/// The type of a descriptor by the link in `/proc/PID/fd`: named pipes pass for files.
fn link_type(folder: &Dir, name: &CStr) -> Option<FdType> {
    let mut target = [MaybeUninit::uninit(); 16];
    let (target, _) = readlinkat_raw(folder.fd().ok()?, name, &mut target).ok()?;
    Some(by_link(target))
}

fn by_link(target: &[u8]) -> FdType {
    let starts = |prefix: &[u8]| target.starts_with(prefix);
    if starts(b"socket:") {
        FdType::Socket
    } else if starts(b"pipe:") {
        FdType::Pipe
    } else if starts(b"anon_inode:") || starts(b"pidfd:") {
        FdType::Anon
    } else if starts(b"/dev/shm/") || (starts(b"/") && !starts(b"/dev/")) {
        FdType::File
    } else {
        FdType::Other
    }
}

#[cfg(test)]
#[path = "fd_types_tests.rs"]
mod tests;
