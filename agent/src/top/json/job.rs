//! Processes that were started together.

use serde::Serialize;

use crate::model::{JobKey, JobRow};

use super::fields::MemoryBytes;

#[derive(Serialize)]
pub struct Job<'a> {
    pub job: &'a str,
    pub user: &'a str,
    pub service: Option<&'a str>,
    pub session: Option<u32>,
    pub processes: u64,
    pub threads: u64,
    pub cpu: f64,
    pub cpu_seconds: f64,
    pub memory_bytes: Option<MemoryBytes>,
    pub read_bytes_per_second: Option<f64>,
    pub write_bytes_per_second: Option<f64>,
    pub start_seconds: f64,
}

impl<'a> Job<'a> {
    pub(super) fn new(row: &'a JobRow) -> Self {
        let (service, session) = match &row.key {
            JobKey::Service(service) => (Some(&**service), None),
            JobKey::Session(session) => (None, Some(*session)),
        };
        Self {
            job: &row.job,
            user: &row.user,
            service,
            session,
            processes: row.processes,
            threads: row.threads,
            cpu: row.rates.cpu,
            cpu_seconds: row.cpu_ns as f64 / 1e9,
            memory_bytes: row.memory.map(MemoryBytes::from),
            read_bytes_per_second: row.disk.then_some(row.rates.read_bytes),
            write_bytes_per_second: row.disk.then_some(row.rates.write_bytes),
            start_seconds: row.start_seconds,
        }
    }
}
