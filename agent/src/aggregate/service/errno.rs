//! Errors of the kernel that say how a connection ended; values of `asm-generic/errno.h`.

pub const EPERM: u16 = 1;
pub const EACCES: u16 = 13;
pub const EPIPE: u16 = 32;
pub const EADDRNOTAVAIL: u16 = 99;
pub const ENETUNREACH: u16 = 101;
pub const ECONNRESET: u16 = 104;
pub const ETIMEDOUT: u16 = 110;
pub const ECONNREFUSED: u16 = 111;
pub const EHOSTUNREACH: u16 = 113;
