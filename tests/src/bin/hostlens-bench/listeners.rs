//! The poll of listening sockets alone, as it is made ten times a second; and the one walk over
//! all descriptors that finds the owners of older sockets.

use std::{net::TcpListener, time::Duration};

use anyhow::Context as _;
use hostlens::{
    collect::{
        DoorSink,
        tcp::{bpf::TcpBpf, ends::RING_BYTES},
    },
    kernel::Kernel,
};
use hostlens_ebpf::wire::{ListenRecord, RefusedKey};

use super::{
    cpu,
    report::{Report, Verdict, short},
    stats::Samples,
};

/// Listening sockets.
const LISTENERS: usize = 1_000;
/// Polls of one sample.
const POLLS: usize = 20;
/// Polls a second.
const RATE: f64 = 10.0;
/// CPU time of one poll, ms: 0.1 and 0.2 µs a listener.
const TARGET: f64 = 0.3;

/// Measures.
pub fn measure(passes: usize, report: &mut Report) -> anyhow::Result<()> {
    let setting = "1k listeners";
    eprintln!("{setting}");
    let held: Vec<TcpListener> = (0..LISTENERS)
        .map(|_| TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<_, _>>()
        .context("cannot listen")?;
    let kernel = Kernel::probe(false)?;
    let mut source = match TcpBpf::start(&kernel, RING_BYTES) {
        Ok(source) => source,
        Err((why, _)) => {
            report.unknown(setting, "poll", "", why);
            return Ok(());
        }
    };
    let (owners, cost) = cpu::own(|| source.seed_owners())?;
    match owners {
        Ok(sockets) => report.info(
            setting,
            "owners of older sockets, once",
            format!("{} ms ({sockets} sockets)", short(cost.millis())),
        ),
        Err(why) => report.unknown(setting, "owners of older sockets", "", why),
    }
    let mut seen = Count(0);
    let mut samples = Samples::default();
    for _ in 0..passes {
        let (polled, cost) = cpu::own(|| {
            (0..POLLS).try_for_each(|_| {
                seen.0 = 0;
                source.poll_listeners(&mut seen)?;
                source.take_refused(&mut seen)
            })
        })?;
        polled.map_err(anyhow::Error::msg)?;
        samples.push(cost.millis() / POLLS as f64);
        std::thread::sleep(Duration::from_millis(50));
    }
    let share = samples.median() * RATE / 10.0;
    report.judged(
        setting,
        "poll, listeners alone",
        format!(
            "{} ms ({} seen); at {RATE} Hz {} % of a CPU",
            short(samples.median()),
            seen.0,
            short(share)
        ),
        &format!("≤ {TARGET} ms"),
        if seen.0 < LISTENERS {
            Verdict::Unknown("some were not seen".into())
        } else {
            Verdict::of(samples.median() <= TARGET)
        },
    );
    drop(held);
    Ok(())
}

struct Count(usize);

impl DoorSink for Count {
    fn listener(&mut self, record: &ListenRecord) {
        self.0 += usize::from(record.ended == 0);
    }

    fn refused(&mut self, _key: &RefusedKey, _more: u64) {}

    fn refused_elsewhere(&mut self, _more: u64) {}
}
