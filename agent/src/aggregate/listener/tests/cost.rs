//! What polling costs; printed, not judged (`cargo test --release -- --nocapture listener::tests::cost`).

use std::time::Instant;

use hostlens_ebpf::wire::ListenRecord;

use super::Host;

#[test]
fn a_second_of_polls_of_a_thousand_listeners() {
    const LISTENERS: u32 = 1_000;
    const POLLS: u32 = 12;
    for busy in [false, true] {
        let mut host = Host::new();
        let mut records: Vec<ListenRecord> = (1..=LISTENERS)
            .map(|number| Host::old(u64::from(number), number as u16))
            .collect();
        host.poll(&records);
        let start = Instant::now();
        for _ in 0..POLLS {
            for record in &mut records {
                record.established += u64::from(busy);
                record.high_water = u32::from(busy);
            }
            host.poll(&records);
        }
        let polls = start.elapsed();
        let start = Instant::now();
        let rows = host.finish();
        println!(
            "{LISTENERS} listeners, busy {busy}: {:.3} ms per second of {POLLS} polls, {:.3} ms \
             per cycle ({} rows)",
            polls.as_secs_f64() * 1e3,
            start.elapsed().as_secs_f64() * 1e3,
            rows.len()
        );
        assert_eq!(host.table.tracked(), u64::from(LISTENERS));
    }
}
