//! Of the kernel's types, the few the library looks up when it attaches a program, under their own
//! ids. It asks for nothing but the id of a name; parsing all types as objects would take 25 MB
//! at start.

use anyhow::Context as _;
use aya::{Btf as AyaBtf, Endianness};

use super::{
    btf::{Btf, KIND_FUNC, KIND_FWD, KIND_TYPEDEF},
    object::Hook,
};

const MAGIC: u16 = 0xEB9F;
const VERSION: u8 = 1;
const HEADER: u32 = 24;
const RECORD: u32 = 12;

/// The types these hooks are found by; those this kernel lacks are left out.
///
/// # Errors
/// The library does not take them.
pub fn of(btf: &Btf, hooks: impl Iterator<Item = Hook>) -> anyhow::Result<AyaBtf> {
    let mut wanted: Vec<(u32, u32, String)> = hooks
        .filter_map(|hook| {
            let (kind, name) = match hook {
                Hook::Tracepoint(name, _) | Hook::LateTracepoint(name, _) => {
                    (KIND_TYPEDEF, format!("btf_trace_{name}"))
                }
                Hook::Iterator(name) => (KIND_FUNC, format!("bpf_iter_{name}")),
                Hook::CgroupSkb(_) | Hook::CgroupConnect(_) => return None,
            };
            Some((btf.id(kind, &name)?, kind, name))
        })
        .collect();
    wanted.sort();
    wanted.dedup();
    AyaBtf::parse(&encode(&wanted), Endianness::default())
        .context("cannot parse an excerpt of the kernel's type information")
}

/// Raw BTF of the wanted types, sorted by id, with placeholders before and between them.
fn encode(wanted: &[(u32, u32, String)]) -> Vec<u8> {
    let last = wanted.last().map_or(0, |(id, ..)| *id);
    // The empty name comes first.
    let mut strings = vec![0];
    let mut types = Vec::with_capacity((last * RECORD) as usize);
    let mut record = |name: u32, kind: u32| {
        for word in [name, kind << 24, 0] {
            types.extend(word.to_ne_bytes());
        }
    };
    let mut next = 1;
    for (id, kind, name) in wanted {
        for _ in next..*id {
            record(0, KIND_FWD);
        }
        record(strings.len() as u32, *kind);
        strings.extend(name.as_bytes());
        strings.push(0);
        next = id + 1;
    }
    let types_len = types.len() as u32;
    let mut data = Vec::with_capacity(HEADER as usize + types.len() + strings.len());
    data.extend(MAGIC.to_ne_bytes());
    data.extend([VERSION, 0]);
    for word in [HEADER, 0, types_len, types_len, strings.len() as u32] {
        data.extend(word.to_ne_bytes());
    }
    data.extend(types);
    data.extend(strings);
    data
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn keeps_ids_and_names() {
        let wanted = [
            (3, KIND_FUNC, "bpf_iter_task".to_owned()),
            (4, KIND_TYPEDEF, "btf_trace_sched_process_exec".to_owned()),
            (9, KIND_FUNC, "bpf_iter_tcp".to_owned()),
        ];
        let excerpt = Btf::parse(encode(&wanted)).unwrap();
        for (id, kind, name) in &wanted {
            assert_eq!(excerpt.id(*kind, name), Some(*id), "{name}");
        }
        assert_eq!(excerpt.id(KIND_TYPEDEF, "bpf_iter_task"), None);
        assert!(AyaBtf::parse(&encode(&wanted), Endianness::default()).is_ok());
    }

    #[test]
    fn nothing_wanted_is_fine() {
        assert!(AyaBtf::parse(&encode(&[]), Endianness::default()).is_ok());
    }
}
