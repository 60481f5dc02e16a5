//! What descriptors stand for.

use crate::{
    offsets::at,
    probe::load::{member, pointer},
    wire::FdType,
};

/// The type of an open file.
///
/// # Safety
/// `file` is a `struct file` known to the verifier.
#[inline(always)]
pub unsafe fn of(file: *const u8) -> FdType {
    // SAFETY: promised by the caller.
    unsafe {
        let inode = pointer(file, &at::FILE_INODE);
        if inode.is_null() {
            return FdType::Other;
        }
        let filesystem = pointer(inode, &at::INODE_SB);
        FdType::of(
            member(inode, &at::INODE_MODE),
            member(filesystem, &at::SB_MAGIC),
        )
    }
}
