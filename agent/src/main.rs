//! hostlens.
fn main() {}
