//! What procfs says of a process: the reference for memory, descriptors and disk bytes.

use std::{collections::BTreeMap, fs};

/// `key: number …` lines of `/proc/PID/<file>`; sizes in kB become bytes.
///
/// # Panics
/// When the file cannot be read.
pub fn numbers(pid: u32, file: &str) -> BTreeMap<String, u64> {
    parse(&format!("/proc/{pid}/{file}"))
}

/// The same of `/proc/<file>`, as `meminfo`.
///
/// # Panics
/// When the file cannot be read.
pub fn host_numbers(file: &str) -> BTreeMap<String, u64> {
    parse(&format!("/proc/{file}"))
}

fn parse(path: &str) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    text.lines()
        .filter_map(|line| {
            let (key, value) = line.split_once(':')?;
            let mut words = value.split_whitespace();
            let number: u64 = words.next()?.parse().ok()?;
            let unit = if words.next() == Some("kB") { 1024 } else { 1 };
            Some((key.to_owned(), number * unit))
        })
        .collect()
}

/// Number of open descriptors.
///
/// # Panics
/// When they cannot be listed.
pub fn descriptors(pid: u32) -> u64 {
    fs::read_dir(format!("/proc/{pid}/fd"))
        .expect("list descriptors")
        .count() as u64
}

/// Soft limit of open descriptors.
///
/// # Panics
/// When it cannot be read or is unlimited.
pub fn descriptor_limit(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/limits")).expect("read limits");
    text.lines()
        .find_map(|line| line.strip_prefix("Max open files"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .expect("a limit of open files")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_its_own_files() {
        let pid = std::process::id();
        assert!(numbers(pid, "status")["VmRSS"] > 100_000);
        assert!(numbers(pid, "io").contains_key("read_bytes"));
        assert!(descriptors(pid) >= 3);
        assert!(descriptor_limit(pid) > 3);
    }
}
