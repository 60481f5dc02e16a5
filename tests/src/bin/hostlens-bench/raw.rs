//! The lower bound: the kernel programs walk, user space copies and throws away.

use anyhow::Context as _;
use hostlens::kernel::{Batch, Kernel, LoadedObject, Target, Walker, objects};
use hostlens_ebpf::wire::{SOCK_BATCH, SockRecord};

/// Iterators without anything behind them.
pub struct Raw {
    sockets: Walker,
    batch: Batch,
    tasks: Walker,
    // Last: the walkers are of these.
    _objects: [LoadedObject; 2],
}

impl Raw {
    /// Loads the programs and gives every socket of this namespace its storage.
    pub fn start() -> anyhow::Result<Self> {
        let kernel = Kernel::probe(false)?;
        let tcp = kernel.load(&objects::TCP, &[])?;
        let task = kernel.load(&objects::TASKS, &[])?;
        let storage = tcp.map("SOCKETS").context("no socket storage")?;
        let sockets = Walker::link(program(&tcp, "tcp_walk")?, Target::Map(storage))?;
        let batch = tcp.map("SOCKET_BATCH").context("no map of records")?;
        let batch = Batch::map(batch, SOCK_BATCH, size_of::<SockRecord>())?;
        let tasks = Walker::link(program(&task, "task_walk")?, Target::All)?;
        let mut seeder = Walker::link(program(&tcp, "tcp_seed")?, Target::All)?;
        seeder.walk(<[u8]>::len)?;
        Ok(Self {
            sockets,
            batch,
            tasks,
            _objects: [tcp, task],
        })
    }

    /// Walks all sockets; bytes copied.
    pub fn sockets(&mut self) -> anyhow::Result<usize> {
        let mut copy = Vec::new();
        let mut total = 0;
        self.sockets.walk_batches(&self.batch, |bytes| {
            copy.clear();
            copy.extend_from_slice(bytes);
            total += copy.len();
        })?;
        Ok(total)
    }

    /// Walks all tasks; bytes copied.
    pub fn tasks(&mut self) -> anyhow::Result<usize> {
        let mut total = 0;
        self.tasks.walk(|bytes| {
            total += bytes.len();
            bytes.len()
        })?;
        Ok(total)
    }
}

fn program<'a>(
    object: &'a LoadedObject,
    name: &str,
) -> anyhow::Result<std::os::fd::BorrowedFd<'a>> {
    object.iterator(name).with_context(|| {
        object
            .refusal(name)
            .unwrap_or_else(|| format!("no program {name}"))
    })
}
