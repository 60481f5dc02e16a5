//! The server: one thread takes requests from the kernel as they come, several answer them.

use std::{
    collections::VecDeque,
    fs::File,
    io::{ErrorKind, Read, Write},
    mem,
    os::{fd::FromRawFd, unix::fs::FileExt},
    sync::{Condvar, Mutex},
    time::Instant,
};

use super::{
    Room,
    pace::{Brake, Done},
    wire::{FILE, Op, REQUEST_BYTES, ROOT, Reply, Request},
};

/// Name of the one file.
pub(super) const NAME: &str = "disk";

/// The served file and everything about it that threads share.
#[derive(Debug)]
pub(super) struct Server {
    device: File,
    contents: File,
    size: u64,
    pub brake: Brake,
    room: Mutex<Room>,
    queue: Mutex<Queue>,
    came: Condvar,
    done: Mutex<Vec<Done>>,
}

#[derive(Debug, Default)]
struct Queue {
    requests: VecDeque<(Request, Instant)>,
    /// Kinds of what is being answered.
    served: Vec<(u64, Op)>,
    number: u64,
    closed: bool,
}

impl Server {
    pub fn new(device: File, size: u64) -> Self {
        // SAFETY: plain system call with a string that ends with 0.
        let memory = unsafe { libc::memfd_create(c"slow-file".as_ptr(), libc::MFD_CLOEXEC) };
        assert!(memory >= 0, "memfd_create");
        // SAFETY: the call above made this descriptor, and nobody else knows it.
        let contents = unsafe { File::from_raw_fd(memory) };
        contents.set_len(size).expect("size of the file");
        Self {
            device,
            contents,
            size,
            brake: Brake::default(),
            room: Mutex::new(Room {
                blocks: 1 << 20,
                free: 1 << 19,
                files: 1 << 16,
                files_free: 1 << 15,
            }),
            queue: Mutex::default(),
            came: Condvar::new(),
            done: Mutex::default(),
        }
    }

    pub fn set_room(&self, room: Room) {
        *self.room.lock().unwrap() = room;
    }

    pub fn waiting(&self) -> Vec<Op> {
        let queue = self.queue.lock().unwrap();
        let served = queue.served.iter().map(|(_, op)| *op);
        let queued = queue.requests.iter().map(|(request, _)| request.op);
        served.chain(queued).collect()
    }

    pub fn take_done(&self) -> Vec<Done> {
        mem::take(&mut *self.done.lock().unwrap())
    }

    /// Lets all threads run out.
    pub fn close(&self) {
        self.brake.close();
        self.queue.lock().unwrap().closed = true;
        self.came.notify_all();
    }

    /// Takes requests in until the filesystem is unmounted.
    pub fn take_in(&self) {
        let mut buffer = vec![0; REQUEST_BYTES];
        loop {
            let length = match (&self.device).read(&mut buffer) {
                Ok(length) => length,
                // ENOENT: the request was withdrawn while it was being handed over.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::NotFound) =>
                {
                    continue;
                }
                Err(_) => break,
            };
            let came = Instant::now();
            let Some(request) = Request::parse(&buffer[..length]) else {
                continue;
            };
            let mut queue = self.queue.lock().unwrap();
            queue.requests.push_back((request, came));
            self.came.notify_one();
        }
        self.close();
    }

    /// Answers requests until there will be no more.
    pub fn serve(&self) {
        while let Some((number, request, came)) = self.next() {
            let bytes = match request.op {
                Op::Read | Op::Write => request.extent().1,
                _ => 0,
            };
            if request.op != Op::Init {
                self.brake.hold(request.op, bytes);
            }
            let answer = request.answer(self.reply(&request));
            let at = Instant::now();
            let mut queue = self.queue.lock().unwrap();
            queue.served.retain(|(other, _)| *other != number);
            drop(queue);
            self.done.lock().unwrap().push(Done {
                op: request.op,
                bytes,
                took: at - came,
                at,
            });
            // Fails where the asker gave up meanwhile.
            let _ = (&self.device).write(&answer);
        }
    }

    fn next(&self) -> Option<(u64, Request, Instant)> {
        let queue = self.queue.lock().unwrap();
        let mut queue = self
            .came
            .wait_while(queue, |queue| queue.requests.is_empty() && !queue.closed)
            .unwrap();
        let (request, came) = queue.requests.pop_front()?;
        queue.number += 1;
        let number = queue.number;
        queue.served.push((number, request.op));
        Some((number, request, came))
    }

    fn reply(&self, request: &Request) -> Result<Reply, i32> {
        match request.op {
            Op::Init => Ok(request.init()),
            Op::Lookup if request.node == ROOT && request.name() == NAME.as_bytes() => {
                Ok(Reply::entry(self.size))
            }
            Op::Lookup => Err(libc::ENOENT),
            // The size is what it is: truncating is without effect.
            Op::Getattr | Op::Setattr => Ok(Reply::attr(request.node, self.size)),
            Op::Open | Op::Opendir => Ok(Reply::opened()),
            Op::Read => {
                let (offset, length) = request.extent();
                let left = self.size.saturating_sub(offset).min(u64::from(length));
                let mut data = vec![0; left as usize];
                self.contents
                    .read_exact_at(&mut data, offset)
                    .map_err(|_| libc::EIO)?;
                Ok(Reply::bytes(data))
            }
            Op::Write => {
                let (offset, length) = request.extent();
                if offset + u64::from(length) > self.size {
                    return Err(libc::ENOSPC);
                }
                self.contents
                    .write_all_at(request.data(), offset)
                    .map_err(|_| libc::EIO)?;
                Ok(Reply::default().u32s(&[length, 0]))
            }
            Op::Statfs => {
                let room = *self.room.lock().unwrap();
                Ok(Reply::default()
                    .u64s(&[room.blocks, room.free, room.free])
                    .u64s(&[room.files, room.files_free])
                    .u32s(&[4096, 255, 4096, 0])
                    .u32s(&[0; 6]))
            }
            Op::Fsync if request.node != FILE => Err(libc::EINVAL),
            Op::Release | Op::Releasedir | Op::Fsync | Op::Flush | Op::Readdir => {
                Ok(Reply::default())
            }
            Op::Other => Err(libc::ENOSYS),
        }
    }
}
