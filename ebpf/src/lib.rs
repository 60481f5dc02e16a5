//! What kernel programs and user space share: wire records, the bucket scheme and the table of
//! structure offsets. `no_std`, and unit-tested on the host.
//!
//! ```text
//! bucket   one latency scheme from the kernel to PromQL (Prometheus native histogram, schema 3)
//! offsets  where the running kernel keeps each structure member we read
//! turn     who asks, who answers, and how long that took
//! wire     fixed records written by iterators and ring buffers
//! ```
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod bucket;
pub mod offsets;
#[cfg(target_arch = "bpf")]
pub mod probe;
pub mod turn;
pub mod wire;
