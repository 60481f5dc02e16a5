//! What a first process owes its system.

use std::ffi::CStr;
use std::{fs, io, mem, ptr};

/// Kind of file system and where it goes. A kernel without one of the last four is still worth
/// a try: hostlens has to cope.
const MOUNTS: [(&CStr, &CStr, bool); 7] = [
    (c"proc", c"/proc", true),
    (c"sysfs", c"/sys", true),
    (c"devtmpfs", c"/dev", true),
    (c"tracefs", c"/sys/kernel/tracing", false),
    (c"bpf", c"/sys/fs/bpf", false),
    (c"cgroup2", c"/sys/fs/cgroup", false),
    (c"tmpfs", c"/tmp", false),
];

/// Mounts the usual file systems.
///
/// # Errors
/// One that must be there cannot be mounted.
pub fn mount_all() -> Result<(), String> {
    for (kind, folder, needed) in MOUNTS {
        let name = folder.to_string_lossy();
        // Some of these folders are made by the file system above them, and cannot be made.
        let _ = fs::create_dir_all(&*name);
        // SAFETY: the three strings are NUL-terminated and outlive the call; data may be null.
        let result = unsafe {
            libc::mount(
                kind.as_ptr(),
                folder.as_ptr(),
                kind.as_ptr(),
                0,
                ptr::null(),
            )
        };
        if result != 0 {
            let error = io::Error::last_os_error();
            if needed {
                return Err(format!("mount {name}: {error}"));
            }
            println!("NOTE init mount {name}: {error}");
        }
    }
    Ok(())
}

/// Keeps kernel messages out of the lines we write to the console.
pub fn silence_kernel() {
    const SYSLOG_ACTION_CONSOLE_LEVEL: i32 = 8;
    // SAFETY: this action takes a level as length and no buffer.
    unsafe { libc::klogctl(SYSLOG_ACTION_CONSOLE_LEVEL, ptr::null_mut(), 1) };
}

/// Brings the loopback interface up.
///
/// # Errors
/// The kernel refuses.
pub fn loopback_up() -> Result<(), String> {
    // SAFETY: an all-zero ifreq is a valid value of that plain structure.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: socket takes integers only.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which the pointer is valid for.
    let result = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS as _, &raw const request) };
    let error = io::Error::last_os_error();
    // SAFETY: the descriptor is ours and not used afterwards.
    unsafe { libc::close(socket) };
    if result == 0 {
        Ok(())
    } else {
        Err(format!("cannot bring up lo: {error}"))
    }
}

/// Ends the machine; the emulator is told to exit instead of booting again.
pub fn power_off() {
    // SAFETY: both take integers at most; what is on the console is written out before.
    unsafe {
        libc::sync();
        libc::reboot(libc::RB_AUTOBOOT);
    }
}
