#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

const SEQUENCE: u32 = 5;

fn message(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((HEADER_BYTES as u32 + payload.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(77u32.to_ne_bytes());
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn read(datagram: &[u8]) -> (Result<bool, DumpError>, DumpReport, Vec<Vec<u8>>) {
    let mut report = DumpReport::default();
    let mut answers = Vec::new();
    let result = read_datagram(datagram, SEQUENCE, &mut report, &mut |payload: &[u8]| {
        answers.push(payload.to_vec());
    });
    (result, report, answers)
}

#[test]
fn answers_up_to_the_end_mark() {
    let datagram = [
        message(SOCK_DIAG_BY_FAMILY, 2, SEQUENCE, b"one"),
        message(SOCK_DIAG_BY_FAMILY, 2, SEQUENCE - 1, b"left over"),
        message(SOCK_DIAG_BY_FAMILY, 2 | NLM_F_DUMP_INTR, SEQUENCE, b"four"),
    ]
    .concat();
    let (result, report, answers) = read(&datagram);
    assert!(!result.unwrap());
    assert_eq!(answers, [&b"one"[..], b"four"]);
    assert!(report.interrupted);
    assert_eq!(report.malformed, 0);
    let (result, _, answers) = read(&message(NLMSG_DONE, 2, SEQUENCE, &[0; 4]));
    assert!(result.unwrap());
    assert!(answers.is_empty());
}

#[test]
fn errors_carry_what_the_kernel_said() {
    for kind in [NLMSG_ERROR, NLMSG_DONE] {
        let refusal = message(kind, 0, SEQUENCE, &(-libc::ENOENT).to_ne_bytes());
        let (result, ..) = read(&refusal);
        let error = result.unwrap_err();
        assert!(
            matches!(&error, DumpError::Refused(io) if io.raw_os_error() == Some(libc::ENOENT)),
            "{error}"
        );
    }
}

#[test]
fn cut_off_messages_are_counted() {
    let whole = [
        message(SOCK_DIAG_BY_FAMILY, 2, SEQUENCE, b"payload!"),
        message(SOCK_DIAG_BY_FAMILY, 2, SEQUENCE, b"payload!"),
    ]
    .concat();
    for cut in 1..whole.len() {
        let (result, report, answers) = read(&whole[..cut]);
        assert!(!result.unwrap());
        assert_eq!(answers.len(), cut / 24);
        assert_eq!(report.malformed, u64::from(cut % 24 != 0), "cut at {cut}");
    }
    for len in [0u32, 1, 15, u32::MAX] {
        let mut bad = whole.clone();
        bad[..4].copy_from_slice(&len.to_ne_bytes());
        let (result, report, answers) = read(&bad);
        assert!(!result.unwrap());
        assert_eq!((report.malformed, answers.len()), (1, 0));
    }
}

#[test]
fn a_dump_of_this_kernel_ends_and_can_be_repeated() {
    let mut socket = DiagSocket::open().unwrap();
    let mut buffer = DumpBuffer::default();
    let _listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        let mut answers = 0;
        let request = Request {
            v6: false,
            states: StateFlags::LISTEN,
            extensions: ExtensionFlags::empty(),
        };
        let report = socket
            .dump(&request, &mut buffer, |_| answers += 1)
            .unwrap();
        assert!(answers >= 1);
        assert_eq!(report.malformed, 0);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
    }

    #[test]
    fn any_payloads_are_survived(
        kind in 0u16..32,
        payload in proptest::collection::vec(any::<u8>(), 0..64),
    ) {
        let _ = read(&message(kind, 0, SEQUENCE, &payload));
    }
}
