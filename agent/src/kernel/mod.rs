//! The only code that calls bpf(2).
//!
//! ```text
//! batch    a map of records, seen without system calls
//! btf      members of kernel structures, read off the running kernel's BTF in one pass
//! cgroup   where programs for all sockets are attached
//! excerpt  of those types, what the library needs to attach programs
//! globals  the values the objects' read-only globals take on this kernel
//! object   one embedded object: load it, load and attach each program on its own
//! objects  the embedded objects
//! refusal  why the kernel took one not
//! walker   an attached iterator, run once per cycle
//! memory   keeping the heap small
//! shared   an array map that programs and user space both write
//! swap_layout  what the swap programs need to know of pages and requests
//! table    a hash map that entries are taken out of
//! sys      the bpf(2) commands the library does not wrap
//! ```

mod batch;
pub mod btf;
mod cgroup;
mod excerpt;
mod globals;
mod memory;
mod object;
pub mod objects;
mod refusal;
mod shared;
mod swap_layout;
mod sys;
mod table;
mod walker;

pub use batch::Batch;
pub use cgroup::Cgroup;
pub use globals::{Globals, RssLayout};
pub use memory::{give_back, keep_small};
pub use object::{Hook, Kernel, KernelError, LoadedObject, ObjectSpec, ProgramSpec, RingBytes};
pub use shared::{SharedSlot, SharedSlots};
pub use table::Table;
pub use walker::{Target, WalkError, Walker, open_once};
