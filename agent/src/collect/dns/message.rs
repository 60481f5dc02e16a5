//! As much of a DNS message (RFC 1035 §4) as is wanted: its header and its question. Bytes come
//! from anywhere, so nothing here trusts them.

/// Longest name shown, characters.
const NAME: usize = 255;
/// Length of the header.
const HEADER: usize = 12;

/// The header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by the asker.
    pub id: u16,
    /// An answer, as opposed to a query.
    pub answer: bool,
    /// 0: a lookup.
    pub opcode: u8,
    /// Response code; without meaning in a query.
    pub rcode: u8,
    /// Number of questions; 1 in practice.
    pub questions: u16,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The name, printable and in lower case.
    pub name: String,
    /// Kind of record; `None` if it was not seen.
    pub kind: Option<u16>,
}

/// Reads the header.
pub fn header(message: &[u8]) -> Option<Header> {
    let &[
        id_high,
        id_low,
        flags,
        code,
        questions_high,
        questions_low,
        ..,
    ] = message.get(..HEADER)?
    else {
        return None;
    };
    Some(Header {
        id: u16::from_be_bytes([id_high, id_low]),
        answer: flags & 0x80 != 0,
        opcode: flags >> 3 & 15,
        rcode: code & 15,
        questions: u16::from_be_bytes([questions_high, questions_low]),
    })
}

/// Reads the first question of a message that may be cut off. `None` if that is none.
pub fn question(message: &[u8]) -> Option<Question> {
    let mut rest = message.get(HEADER..)?;
    let mut name = String::new();
    loop {
        let Some((&length, after)) = rest.split_first() else {
            return Some(cut(name));
        };
        rest = after;
        if length == 0 {
            break;
        }
        // Nothing comes before a first question that a pointer could point to.
        if length > 63 || name.len() > NAME {
            return None;
        }
        if !name.is_empty() {
            name.push('.');
        }
        let Some((label, after)) = rest.split_at_checked(usize::from(length)) else {
            push_label(&mut name, rest);
            return Some(cut(name));
        };
        push_label(&mut name, label);
        rest = after;
    }
    if name.is_empty() {
        name.push('.');
    }
    let kind = rest.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    Some(Question { name, kind })
}

fn cut(mut name: String) -> Question {
    name.push('…');
    Question { name, kind: None }
}

/// Characters that are not printable, or would look like something else, as `\DDD` (RFC 1035 §5.1).
fn push_label(name: &mut String, label: &[u8]) {
    for &byte in label {
        match byte {
            b'.' | b'\\' | b'"' => {
                name.push('\\');
                name.push(char::from(byte));
            }
            b'!'..=b'~' => name.push(char::from(byte.to_ascii_lowercase())),
            _ => {
                name.push('\\');
                for divisor in [100, 10, 1] {
                    name.push(char::from(b'0' + byte / divisor % 10));
                }
            }
        }
    }
}

/// The message in what TCP carried: after its length, or, where that came in a segment of its own,
/// all of it.
pub fn framed(bytes: &[u8], length: usize) -> &[u8] {
    if let Some((prefix, message)) = bytes.split_first_chunk() {
        let told = usize::from(u16::from_be_bytes(*prefix));
        // Several messages may follow each other, or the rest of this one in the next segment.
        if told >= HEADER && (told + 2 <= length || is_plausible(message)) {
            return message;
        }
    }
    bytes
}

fn is_plausible(message: &[u8]) -> bool {
    header(message).is_some_and(|header| header.opcode == 0 && header.questions == 1)
}

#[cfg(test)]
pub mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::*;

    /// A message with one question.
    pub fn message(id: u16, flags: [u8; 2], name: &str) -> Vec<u8> {
        let mut bytes = id.to_be_bytes().to_vec();
        bytes.extend(flags);
        bytes.extend([0, 1, 0, 0, 0, 0, 0, 0]);
        for label in name.split('.') {
            bytes.push(label.len() as u8);
            bytes.extend(label.as_bytes());
        }
        bytes.extend([0, 0, 28, 0, 1]);
        bytes
    }

    #[test]
    fn reads_header_and_question() {
        let bytes = message(0xABCD, [0x81, 0x83], "WWW.Example.org");
        let expected = Header {
            id: 0xABCD,
            answer: true,
            opcode: 0,
            rcode: 3,
            questions: 1,
        };
        assert_eq!(header(&bytes), Some(expected));
        let question = question(&bytes).unwrap();
        assert_eq!(question.name, "www.example.org");
        assert_eq!(question.kind, Some(28));
        assert_eq!(header(&bytes[..11]), None);
    }

    #[test]
    fn names_are_printable_and_cut_where_bytes_end() {
        let bytes = message(1, [1, 0], "a\u{1}b\\ \"c.d");
        assert_eq!(question(&bytes).unwrap().name, "a\\001b\\\\\\032\\\"c.d");
        let bytes = message(1, [1, 0], "long.example");
        assert_eq!(question(&bytes[..20]).unwrap().name, "long.ex…");
        assert_eq!(question(&bytes[..12]).unwrap().name, "…");
        let mut root = message(1, [1, 0], "x")[..12].to_vec();
        root.extend([0, 0, 2, 0, 1]);
        assert_eq!(question(&root).unwrap().name, ".");
        let mut pointer = root[..12].to_vec();
        pointer.extend([0xC0, 12]);
        assert_eq!(question(&pointer), None);
    }

    #[test]
    fn tcp_may_send_the_length_apart() {
        let message = message(7, [1, 0], "name");
        let mut whole = (message.len() as u16).to_be_bytes().to_vec();
        whole.extend(&message);
        assert_eq!(framed(&whole, whole.len()), message);
        assert_eq!(framed(&message, message.len()), message);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = header(&bytes);
            if let Some(question) = question(&bytes) {
                prop_assert!(!question.name.is_empty());
                prop_assert!(!question.name.chars().any(char::is_control));
                prop_assert!(question.name.len() < 8 * bytes.len().max(1));
            }
            let _ = framed(&bytes, bytes.len());
        }
    }
}
