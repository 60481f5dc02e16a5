//! bpf(2) commands the library does not wrap: links to iterators over one map, files of a link
//! that stays, and entries taken out of a map.

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use hostlens_ebpf::wire::Record;

use super::Target;

const BPF_MAP_DELETE_ELEM: libc::c_int = 3;
const BPF_MAP_LOOKUP_AND_DELETE_ELEM: libc::c_int = 21;
const BPF_LINK_CREATE: libc::c_int = 28;
const BPF_ITER_CREATE: libc::c_int = 33;
const BPF_TRACE_ITER: u32 = 28;

/// `union bpf_attr`, member `link_create`, as far as iterators need it.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    iter_info: u64,
    iter_info_len: u32,
    pad: u32,
}

/// `union bpf_attr`, member `iter_create`.
#[repr(C)]
#[derive(Default)]
struct IterCreate {
    link_fd: u32,
    flags: u32,
}

/// `union bpf_attr`, members for single elements.
#[repr(C)]
#[derive(Default)]
struct Element {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `union bpf_iter_link_info`: member `map` has the descriptor first; `task` the ids of a thread
/// and of a process, then the descriptor of a process.
type IterInfo = [u32; 4];

/// Links an iterator program to what it is to walk.
pub fn link_iterator(program: BorrowedFd<'_>, target: Target<'_>) -> io::Result<OwnedFd> {
    let info: Option<IterInfo> = match target {
        Target::All => None,
        Target::Map(map) => Some([map.as_raw_fd() as u32, 0, 0, 0]),
        Target::Process(pid) => Some([0, pid, 0, 0]),
    };
    let mut attr = LinkCreate {
        prog_fd: program.as_raw_fd() as u32,
        attach_type: BPF_TRACE_ITER,
        ..LinkCreate::default()
    };
    if let Some(info) = &info {
        attr.iter_info = std::ptr::from_ref(info) as u64;
        attr.iter_info_len = size_of::<IterInfo>() as u32;
    }
    // SAFETY: `attr` and `info` live until the call returns, and the kernel only reads them.
    unsafe { descriptor(BPF_LINK_CREATE, &attr) }
}

/// Opens one walk of a linked iterator; it sees the namespaces of the thread that opens it.
pub fn open_walk(link: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let attr = IterCreate {
        link_fd: link.as_raw_fd() as u32,
        flags: 0,
    };
    // SAFETY: `attr` lives until the call returns, and the kernel only reads it.
    unsafe { descriptor(BPF_ITER_CREATE, &attr) }
}

/// Removes an element; the key is as large as the map's keys.
pub fn delete_element<K: Record>(map: BorrowedFd<'_>, key: &K) -> io::Result<()> {
    let attr = Element {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        ..Element::default()
    };
    // SAFETY: `attr` and `key` live until the call returns, and the kernel only reads them.
    unsafe { bpf(BPF_MAP_DELETE_ELEM, &attr) }.map(drop)
}

/// Removes an element and gives its value; both are as large as the map's.
pub fn take_element<K: Record, V: Record>(
    map: BorrowedFd<'_>,
    key: &K,
    value: &mut V,
) -> io::Result<()> {
    let attr = Element {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        value: std::ptr::from_mut(value) as u64,
        ..Element::default()
    };
    // SAFETY: all three live until the call returns; the kernel writes one value of the map, for
    // which any bytes are valid.
    unsafe { bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, &attr) }.map(drop)
}

/// # Safety
/// As for [`bpf`], and the command returns a new descriptor.
unsafe fn descriptor<T>(command: libc::c_int, attr: &T) -> io::Result<OwnedFd> {
    // SAFETY: promised by the caller: the descriptor is new and nobody else owns it.
    unsafe { Ok(OwnedFd::from_raw_fd(bpf(command, attr)?)) }
}

/// # Safety
/// `attr` is the prefix of `union bpf_attr` that `command` reads, and its pointers are valid.
unsafe fn bpf<T>(command: libc::c_int, attr: &T) -> io::Result<i32> {
    // SAFETY: promised by the caller.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attr),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result as i32)
}
