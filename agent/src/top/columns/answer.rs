//! Columns of times to first byte, in the views of peers and of listeners.

use hostlens_ebpf::wire::Direction;

use crate::top::{
    answers::{Answer, MANY, P50, P95, Turns},
    stack::Part,
};

use super::{
    Column, Item, Shade, Unit, Value, Width,
    peer::key,
    short::{number, text},
};

/// Cells of a bar.
const BAR: Width = Width::Stretch(8, 20);

/// What there is of a peer's answers; nothing while nobody watches.
fn answer(item: Item<'_>, read: fn(&Answer<'_>) -> Option<f64>) -> Value<'_> {
    match item {
        Item::Peer(_, answer) | Item::Answers(_, answer) if answer.watched => {
            Value::number(read(&answer))
        }
        _ => Value::Blank,
    }
}

/// The same of answers that peers give: of others there is no such thing.
fn outbound(item: Item<'_>, read: fn(&Answer<'_>) -> Option<f64>) -> Value<'_> {
    match key(item).map(|key| key.direction()) {
        Some(Direction::Outbound) => answer(item, read),
        _ => Value::Blank,
    }
}

/// What there is of a listener's answers.
fn turns(item: Item<'_>, read: fn(&Turns<'_>) -> Option<f64>) -> Value<'_> {
    match item {
        Item::Listener(_, turns) | Item::Turns(_, turns) if turns.watched => {
            Value::number(read(&turns))
        }
        _ => Value::Blank,
    }
}

fn stack(item: Item<'_>, at: usize) -> Value<'_> {
    let stack = match item {
        Item::Peer(_, answer) | Item::Answers(_, answer) if answer.watched => answer.stack(at),
        Item::Listener(_, turns) | Item::Turns(_, turns) if turns.watched => turns.stack(at),
        _ => return Value::Blank,
    };
    stack.map_or(Value::Absent, Value::Stack)
}

const fn time(
    id: &'static str,
    header: &'static str,
    help: &'static str,
    rank: u8,
    value: for<'a> fn(Item<'a>) -> Value<'a>,
) -> Column {
    Column {
        optional: true,
        ..number(
            id,
            header,
            help,
            Unit::Latency,
            if header.len() > 6 { 7 } else { 6 },
            rank,
            value,
        )
    }
}

const fn bar(
    id: &'static str,
    header: &'static str,
    help: &'static str,
    rank: u8,
    value: for<'a> fn(Item<'a>) -> Value<'a>,
) -> Column {
    Column {
        unit: Unit::Stack,
        optional: true,
        ..text(id, header, help, BAR, rank, value)
    }
}

pub(super) const RESP50: Column = time(
    "resp50",
    "RESP50",
    "Time to first byte, median: `out` for us, `in` made others wait",
    2,
    |item| answer(item, |answer| answer.response(P50)),
);

pub(super) const RESP95: Column = time(
    "resp95",
    "RESP95",
    "95 % of first bytes came, or left, within this",
    1,
    |item| answer(item, |answer| answer.response(P95)),
);

pub(super) const PEER50: Column = time(
    "peer50",
    "PEER50",
    "Of that, what the peer took itself: median",
    4,
    |item| outbound(item, |answer| answer.peer(P50)),
);

pub(super) const PEER95: Column = time(
    "peer95",
    "PEER95",
    "95 % took the peer itself at most this",
    3,
    |item| outbound(item, |answer| answer.peer(P95)),
);

pub(super) const NETWORK: Column = Column {
    optional: true,
    ..number(
        "net",
        "NET%",
        "Share of the network in what whoever asked waited for, at p95",
        Unit::Percent,
        5,
        4,
        |item| {
            answer(item, |answer| {
                let share = answer.stack(P95)?.share(Part::Network)?;
                Some(share * 100.0)
            })
        },
    )
};

pub(super) const ANSWERS: Column = Column {
    optional: true,
    ..number(
        "answers",
        "ANSW/s",
        "Answers timed per second",
        Unit::PerSecond,
        6,
        5,
        |item| match item {
            Item::Peer(..) | Item::Answers(..) => {
                answer(item, |answer| answer.row.map(|row| row.rate))
            }
            _ => turns(item, |turns| turns.row.map(|row| row.rate)),
        },
    )
};

pub(super) const EXCLUDED: Column = Column {
    optional: true,
    shade: Shade::Limits(MANY * 100.0, 90.0),
    ..number(
        "excl",
        "EXCL%",
        "Turns left out: overlapping, pushed, retransmitted, closed; percent",
        Unit::Percent,
        5,
        3,
        |item| {
            answer(item, |answer| {
                answer.excluded_ratio().map(|ratio| ratio * 100.0)
            })
        },
    )
};

pub(super) const WHERE50: Column = bar(
    "where50",
    "WHERE50",
    "What the median is made of; sorted by its length in time",
    2,
    |item| stack(item, P50),
);

pub(super) const WHERE95: Column = bar(
    "where95",
    "WHERE95",
    "What the 95th percentile is made of; sorted by its length in time",
    1,
    |item| stack(item, P95),
);

pub(super) const NET95: Column = time(
    "net95",
    "NET95",
    "Round-trip time to its clients: 95 % at most this",
    3,
    |item| turns(item, |turns| turns.way(P95)),
);

pub(super) const WAIT50: Column = time(
    "wait50",
    "WAIT50",
    "Arrived and not read yet: median",
    3,
    |item| turns(item, |turns| turns.wait(P50)),
);

pub(super) const WAIT95: Column = time(
    "wait95",
    "WAIT95",
    "95 % of questions waited at most this to be read",
    1,
    |item| turns(item, |turns| turns.wait(P95)),
);

pub(super) const SERVE50: Column = time(
    "serve50",
    "SERVE50",
    "From reading the question to the answer's first byte: median",
    3,
    |item| turns(item, |turns| turns.serve(P50)),
);

pub(super) const SERVE95: Column = time(
    "serve95",
    "SERVE95",
    "95 % of answers began at most this after their question was read",
    1,
    |item| turns(item, |turns| turns.serve(P95)),
);
