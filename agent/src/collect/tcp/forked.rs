//! A process for tests that shares some of this one's descriptors.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    io::Read as _,
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
};

/// Ends when told to, or when dropped.
pub(super) struct Forked {
    pid: libc::pid_t,
    /// Tells that the work is done; closing it ends the process.
    line: UnixStream,
}

impl Forked {
    /// Runs `work` in a copy of this process, which then stays until this is dropped. Of the
    /// descriptors it keeps `shared` alone: those of other tests have to end with them. Other
    /// threads do not exist there: `work` makes system calls and nothing else.
    pub fn run(shared: &impl AsRawFd, work: impl FnOnce(RawFd)) -> Self {
        let (line, theirs) = UnixStream::pair().unwrap();
        let mut kept = [2, shared.as_raw_fd(), theirs.as_raw_fd(), RawFd::MAX];
        kept.sort_unstable();
        // SAFETY: the child only makes system calls and ends without unwinding.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let fd = theirs.as_raw_fd();
            close_between(&kept);
            work(fd);
            let mut byte = [0u8; 1];
            // SAFETY: the buffers live until the calls return; the last one does not.
            unsafe {
                libc::write(fd, byte.as_ptr().cast(), 1);
                libc::read(fd, byte.as_mut_ptr().cast(), 1);
                libc::_exit(0);
            }
        }
        Self { pid, line }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Returns once its work is done.
    pub fn done(&mut self) {
        self.line.read_exact(&mut [0]).unwrap();
    }

    /// Its end of the line to this process.
    pub fn line(&self) -> &UnixStream {
        &self.line
    }

    /// Kills it, so that the kernel closes what it holds.
    pub fn kill(self) {
        // SAFETY: a child that was not reaped yet.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
    }
}

impl Drop for Forked {
    fn drop(&mut self) {
        let _ = self.line.shutdown(std::net::Shutdown::Both);
        let mut status = 0;
        // SAFETY: our own child, reaped once; the pointer is valid.
        unsafe { libc::waitpid(self.pid, &raw mut status, 0) };
    }
}

/// Closes all descriptors but these.
fn close_between(kept: &[RawFd]) {
    for pair in kept.windows(2) {
        if let &[before, after] = pair
            && after - before > 1
        {
            // SAFETY: three numbers; nothing of this process uses the descriptors any more.
            unsafe { libc::syscall(libc::SYS_close_range, before + 1, after - 1, 0) };
        }
    }
}

/// Reads once into a buffer of 4 KiB.
pub(super) fn read_some(fd: RawFd) -> isize {
    let mut buffer = [0u8; 4096];
    // SAFETY: the buffer lives until the call returns.
    unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) }
}

/// Sends a descriptor over a unix socket.
pub(super) fn send_descriptor(line: &UnixStream, fd: RawFd) {
    with_message(|message, slot| {
        *slot = fd;
        // SAFETY: the message and all it points to live until the call returns.
        assert_eq!(unsafe { libc::sendmsg(line.as_raw_fd(), message, 0) }, 1);
    });
}

/// Takes a descriptor that was sent; -1 if none was.
pub(super) fn receive_descriptor(line: RawFd) -> RawFd {
    let mut received = -1;
    with_message(|message, slot| {
        // SAFETY: as above.
        if unsafe { libc::recvmsg(line, message, 0) } == 1 {
            received = *slot;
        }
    });
    received
}

fn with_message(use_it: impl FnOnce(&mut libc::msghdr, &mut RawFd)) {
    #[repr(C)]
    struct Control {
        header: libc::cmsghdr,
        fd: RawFd,
        pad: u32,
    }
    let mut byte = [0u8; 1];
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: all-zero bytes are valid for both.
    let (mut control, mut message) = unsafe {
        (
            std::mem::zeroed::<Control>(),
            std::mem::zeroed::<libc::msghdr>(),
        )
    };
    control.header.cmsg_len = size_of::<libc::cmsghdr>() + size_of::<RawFd>();
    control.header.cmsg_level = libc::SOL_SOCKET;
    control.header.cmsg_type = libc::SCM_RIGHTS;
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>();
    let slot = &raw mut control.fd;
    // SAFETY: the place lives as long as `control`; the kernel writes it only during the call.
    use_it(&mut message, unsafe { &mut *slot });
}
