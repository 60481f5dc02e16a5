//! Devices that have no requests, only bios.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::fs;

use hostlens_tests::{
    agent::Agent,
    deadline::PATIENCE,
    host::{AGENT, Need, Turn, offers},
    workload::{Names, Start},
};

const BLOCK: u64 = 4096;
const SIZE: u64 = 64 << 20;
/// Requests.
const COUNT: u64 = 60;

/// A disk in compressed memory, gone when dropped.
struct Zram(String);

impl Zram {
    fn new() -> Self {
        let number = fs::read_to_string("/sys/class/zram-control/hot_add").expect("a new device");
        let zram = Self(number.trim().to_owned());
        let size = format!("/sys/block/{}/disksize", zram.name());
        fs::write(size, SIZE.to_string()).expect("set its size");
        zram
    }

    fn name(&self) -> String {
        format!("zram{}", self.0)
    }
}

impl Drop for Zram {
    fn drop(&mut self) {
        let _ = fs::write(format!("/sys/block/{}/reset", self.name()), "1");
        if let Err(error) = fs::write("/sys/class/zram-control/hot_remove", &self.0) {
            eprintln!("{} stays: {error}", self.name());
        }
    }
}

/// A device that has no requests, only bios: every one of them is counted and timed.
#[test]
fn devices_without_requests_are_timed_by_their_bios() {
    let zram = Need::Path("/sys/class/zram-control/hot_add");
    if !offers(&[AGENT, &[zram]]) {
        return;
    }
    let _turn = Turn::take();
    let names = Names::new();
    let zram = Zram::new();
    let agent = Agent::start("--interval 500ms");
    // Watched from the cycle on that finds it.
    agent.await_cycles(1);
    let mut writer = Start::new(
        &names.workload("writer"),
        &format!("requests /dev/{} write {COUNT} {BLOCK}", zram.name()),
    )
    .spawn();
    writer.say("go");
    writer.reply();
    let name = zram.name();
    let labels = [("device", name.as_str()), ("op", "write")];
    let scrape = agent.await_scrape("all writes", PATIENCE, |scrape| {
        let timed = scrape.sum("hostlens_disk_io_seconds_count", &labels);
        let bytes = scrape.sum("hostlens_disk_io_bytes_total", &labels);
        let enough = timed >= COUNT as f64 * 0.9 && bytes == timed * BLOCK as f64;
        enough
            .then(|| scrape.clone())
            .ok_or_else(|| format!("{timed} timed, {bytes} bytes"))
    });
    let absent = scrape.series("hostlens_disk_service_seconds_count", &labels);
    assert!(absent.is_empty(), "{absent:?}");
    writer.finish();
}
