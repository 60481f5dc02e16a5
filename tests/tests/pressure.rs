//! What the tasks of a unit lost to waiting is what the kernel counts for its cgroup.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::{fs, path::Path};

use hostlens_tests::{
    agent::Agent,
    cgroup::{self, Cgroup},
    deadline::PATIENCE,
    host::{AGENT, Turn, offers},
    scrape::Scrape,
    workload::{Names, Start, rounds},
};

const UNIT: &str = "hostlens-queue.service";
const FAMILY: &str = "hostlens_service_pressure_waiting_seconds_total";

fn seen(scrape: &Scrape) -> Result<f64, String> {
    let labels = [("service", UNIT), ("resource", "cpu"), ("type", "some")];
    scrape.value(FAMILY, &labels)
}

fn truth(directory: &Path) -> f64 {
    let text = fs::read_to_string(directory.join("cpu.pressure")).expect("read the pressure");
    let some = text.lines().find(|line| line.starts_with("some ")).unwrap();
    let total = some.split("total=").nth(1).unwrap();
    total.parse::<f64>().unwrap() / 1e6
}

#[test]
fn waiting_of_a_unit_is_that_of_its_cgroup() {
    if !offers(&[AGENT]) {
        return;
    }
    let counted = |root: &Path| fs::read(root.join("cgroup.controllers")).is_ok();
    if !cgroup::mount("").is_some_and(|root| counted(&root))
        || fs::read("/proc/pressure/cpu").is_err()
    {
        println!("SKIP: no v2 hierarchy, or a kernel that does not count pressure");
        return;
    }
    let _turn = Turn::take();
    // Where v1 has one for names, that is the one units are known by.
    let mut hierarchies = vec![""];
    hierarchies.extend(cgroup::mount("name=systemd").map(|_| "name=systemd"));
    let unit = Cgroup::new(&hierarchies, &format!("system.slice/{UNIT}"));
    let directory = unit.directories().next().unwrap();
    let names = Names::new();
    let agent = Agent::start("--ebpf on");
    let queue = names.workload("unitqueue");
    let script = names.script(
        "begin",
        &format!(
            "#!/bin/sh\n{}read line\nexec {} queue 3 {}\n",
            unit.enter(),
            queue.display(),
            rounds(300)
        ),
    );
    let mut work = Start::new(&script, "").spawn();
    agent.await_scrape("the unit", PATIENCE, seen);
    agent.await_cycles(2);
    // It waits for a line, so nothing is added from here until it has one.
    let (before, began) = (truth(directory), seen(&agent.scrape()).unwrap());
    work.say("go");
    work.reply();
    agent.await_scrape("what the unit lost", PATIENCE, |scrape| {
        let (now, waited) = (seen(scrape)? - began, truth(directory) - before);
        println!("{now} s, its cgroup {waited} s");
        (waited > 0.3 && (now - waited).abs() < 0.005)
            .then_some(())
            .ok_or_else(|| format!("{now} s of {waited} s"))
    });
    work.finish();
}
