//! Where the running kernel keeps structure members: `/sys/kernel/btf/vmlinux`, read in one pass.
//!
//! A general BTF library builds every type as an object (tens of MB for a kernel); only a few
//! dozen of 140,000 types are wanted, so this keeps the raw bytes and one index of positions.

use std::{collections::HashMap, fs, io, path::Path};

const MAGIC: u16 = 0xEB9F;
const KIND_INT: u32 = 1;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
pub(super) const KIND_FWD: u32 = 7;
pub(super) const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
pub(super) const KIND_FUNC: u32 = 12;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;
const KIND_PTR: u32 = 2;
const KIND_MAX: u32 = 19;

/// Why type information could not be had.
#[derive(Debug)]
pub enum BtfError {
    /// The file could not be read.
    Read(io::Error),
    /// The bytes are not BTF, or not whole.
    Malformed(&'static str),
}

impl std::fmt::Display for BtfError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Read(error) => {
                write!(
                    f,
                    "{}: {error} (kernel built without CONFIG_DEBUG_INFO_BTF?)",
                    Btf::PATH
                )
            }
            Self::Malformed(what) => write!(f, "{}: malformed BTF: {what}", Btf::PATH),
        }
    }
}

impl std::error::Error for BtfError {}

/// Raw type information with an index of named structures and functions.
pub struct Btf {
    data: Vec<u8>,
    /// Position of each type's record in `data`; type ids start at 1.
    types: Vec<u32>,
    strings: usize,
    structs: HashMap<Box<[u8]>, u32>,
}

#[derive(Clone, Copy)]
struct Type {
    at: usize,
    kind: u32,
    vlen: usize,
    kind_flag: bool,
    size_or_type: u32,
}

impl Btf {
    /// Where kernels since 5.4 expose their types.
    pub const PATH: &'static str = "/sys/kernel/btf/vmlinux";

    /// Reads the running kernel's types.
    ///
    /// # Errors
    /// The file is absent (no `CONFIG_DEBUG_INFO_BTF`) or malformed.
    pub fn of_kernel() -> Result<Self, BtfError> {
        Self::parse(fs::read(Path::new(Self::PATH)).map_err(BtfError::Read)?)
    }

    /// Indexes raw BTF of this machine's byte order.
    ///
    /// # Errors
    /// A header, record or section does not fit.
    pub fn parse(data: Vec<u8>) -> Result<Self, BtfError> {
        let header = |at: usize| u32_at(&data, at).ok_or(BtfError::Malformed("header"));
        if header(0)? as u16 != MAGIC {
            return Err(BtfError::Malformed("magic"));
        }
        let base = header(4)? as usize;
        let type_start = base.saturating_add(header(8)? as usize);
        let type_end = type_start.saturating_add(header(12)? as usize);
        let strings = base.saturating_add(header(16)? as usize);
        if type_end > data.len() || strings > data.len() {
            return Err(BtfError::Malformed("sections beyond the end"));
        }
        let mut btf = Self {
            data,
            types: Vec::new(),
            strings,
            structs: HashMap::new(),
        };
        btf.index(type_start, type_end)?;
        Ok(btf)
    }

    fn index(&mut self, start: usize, end: usize) -> Result<(), BtfError> {
        let mut at = start;
        while at < end {
            let found = self.record(at).ok_or(BtfError::Malformed("type record"))?;
            let extra = match found.kind {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => found.vlen * 12,
                KIND_ENUM | KIND_FUNC_PROTO => found.vlen * 8,
                kind if kind == 0 || kind > KIND_MAX => return Err(BtfError::Malformed("kind")),
                _ => 0,
            };
            self.types.push(at as u32);
            if found.kind == KIND_STRUCT && found.vlen > 0 {
                let id = self.types.len() as u32;
                let name = self.name(at).unwrap_or_default();
                if !name.is_empty() {
                    // The first definition counts; modules and duplicates follow.
                    self.structs.entry(name.into()).or_insert(id);
                }
            }
            at += 12 + extra;
        }
        Ok(())
    }

    /// Byte offset of a member; the path may lead through nested, also anonymous, structures.
    /// `None` if this kernel has no such structure or member, or if it is a bit-field.
    pub fn offset(&self, structure: &str, path: &str) -> Option<u32> {
        let (bits, _) = self.find(structure, path)?;
        (bits % 8 == 0).then_some(bits / 8)
    }

    /// Size in bytes of the type of a member; for an array, of one element.
    pub fn element_size(&self, structure: &str, path: &str) -> Option<u32> {
        let (_, member) = self.find(structure, path)?;
        let found = self.resolve(member)?;
        if found.kind == KIND_ARRAY {
            let element = self.resolve(u32_at(&self.data, found.at + 12)?)?;
            return Some(element.size_or_type);
        }
        Some(found.size_or_type)
    }

    /// Whether a member is an array.
    pub fn is_array(&self, structure: &str, path: &str) -> Option<bool> {
        let (_, member) = self.find(structure, path)?;
        Some(self.resolve(member)?.kind == KIND_ARRAY)
    }

    /// Value of an enumerator of any (also anonymous) enum.
    pub fn enumerator(&self, name: &str) -> Option<u32> {
        let wanted = name.as_bytes();
        self.types
            .iter()
            .filter_map(|&at| self.record(at as usize))
            .find_map(|found| {
                (found.kind == KIND_ENUM).then_some(())?;
                (0..found.vlen)
                    .map(|n| found.at + 12 + n * 8)
                    .find_map(|at| {
                        (self.name(at)? == wanted)
                            .then(|| u32_at(&self.data, at + 4))
                            .flatten()
                    })
            })
    }

    /// Number of arguments of a tracepoint (`btf_trace_NAME`, its context pointer not counted);
    /// `None` if the kernel has no such tracepoint.
    pub fn tracepoint_args(&self, name: &str) -> Option<usize> {
        let pointer = self.resolve(self.id(KIND_TYPEDEF, &format!("btf_trace_{name}"))?)?;
        let prototype = self.resolve(pointer.size_or_type)?;
        (prototype.kind == KIND_FUNC_PROTO).then(|| prototype.vlen.saturating_sub(1))
    }

    /// Id of the first type of this kind and name; `None` if the kernel has none.
    pub(super) fn id(&self, kind: u32, name: &str) -> Option<u32> {
        let wanted = |&at: &u32| {
            let found = self.record(at as usize);
            found.is_some_and(|found| found.kind == kind)
                && self.name(at as usize) == Some(name.as_bytes())
        };
        let index = self.types.iter().position(wanted)?;
        u32::try_from(index + 1).ok()
    }

    fn find(&self, structure: &str, path: &str) -> Option<(u32, u32)> {
        let mut id = *self.structs.get(structure.as_bytes())?;
        let mut bits = 0;
        for part in path.split('.') {
            let (offset, member) = self.member(id, part.as_bytes(), 0)?;
            bits += offset;
            id = member;
        }
        Some((bits, id))
    }

    /// Bit offset and type of a member, anonymous members looked through.
    fn member(&self, id: u32, wanted: &[u8], depth: u32) -> Option<(u32, u32)> {
        let found = self.resolve(id)?;
        if !matches!(found.kind, KIND_STRUCT | KIND_UNION) || depth > 8 {
            return None;
        }
        for at in (0..found.vlen).map(|n| found.at + 12 + n * 12) {
            let member = u32_at(&self.data, at + 4)?;
            let raw = u32_at(&self.data, at + 8)?;
            let (bits, width) = if found.kind_flag {
                (raw & 0x00FF_FFFF, raw >> 24)
            } else {
                (raw, 0)
            };
            let name = self.name(at)?;
            if name == wanted {
                // A bit-field has no byte address.
                return (width == 0).then_some((bits, member));
            }
            if name.is_empty()
                && let Some((inner, member)) = self.member(member, wanted, depth + 1)
            {
                return Some((bits + inner, member));
            }
        }
        None
    }

    /// The type behind typedefs and qualifiers.
    fn resolve(&self, mut id: u32) -> Option<Type> {
        for _ in 0..32 {
            let at = *self.types.get(id.checked_sub(1)? as usize)?;
            let found = self.record(at as usize)?;
            match found.kind {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = found.size_or_type;
                }
                KIND_PTR | KIND_FUNC => return Some(found),
                _ => return Some(found),
            }
        }
        None
    }

    fn record(&self, at: usize) -> Option<Type> {
        let info = u32_at(&self.data, at + 4)?;
        Some(Type {
            at,
            kind: (info >> 24) & 0x1F,
            vlen: (info & 0xFFFF) as usize,
            kind_flag: info >> 31 == 1,
            size_or_type: u32_at(&self.data, at + 8)?,
        })
    }

    /// Name of a type or member: both start with its place among the strings.
    fn name(&self, at: usize) -> Option<&[u8]> {
        let start = self.strings.checked_add(u32_at(&self.data, at)? as usize)?;
        let rest = self.data.get(start..)?;
        rest.split(|&byte| byte == 0).next()
    }
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use hostlens_ebpf::offsets::TABLE;
    use proptest::prelude::*;

    use super::*;

    struct Bytes(Vec<u8>);

    impl btfparse::Readable for Bytes {
        fn read(&self, offset: u64, buffer: &mut [u8]) -> btfparse::Result<()> {
            let at = usize::try_from(offset).unwrap();
            buffer.copy_from_slice(&self.0[at..at + buffer.len()]);
            Ok(())
        }
    }

    #[test]
    fn agrees_with_an_independent_parser() {
        let Ok(ours) = Btf::of_kernel() else {
            println!("SKIP: no {} here", Btf::PATH);
            return;
        };
        let bytes = fs::read(Btf::PATH).unwrap();
        let theirs = btfparse::TypeInformation::new(&Bytes(bytes)).unwrap();
        for offset in TABLE {
            let expected = theirs
                .id_of(offset.structure)
                .and_then(|id| theirs.offset_of(id, offset.path).ok())
                .and_then(|(_, found)| match found {
                    btfparse::Offset::ByteOffset(bytes) => Some(bytes),
                    btfparse::Offset::BitOffsetAndSize(..) => None,
                });
            assert_eq!(
                ours.offset(offset.structure, offset.path),
                expected,
                "{}.{}",
                offset.structure,
                offset.path
            );
        }
    }

    #[test]
    fn tells_tracepoints_and_enumerators() {
        let Ok(btf) = Btf::of_kernel() else {
            println!("SKIP: no {} here", Btf::PATH);
            return;
        };
        assert_eq!(btf.tracepoint_args("inet_sock_set_state"), Some(3));
        assert_eq!(btf.tracepoint_args("no_such_tracepoint"), None);
        assert_eq!(
            btf.enumerator("TCP_ESTABLISHED")
                .or(btf.enumerator("BPF_TCP_ESTABLISHED")),
            Some(1)
        );
        assert_eq!(
            btf.offset("task_struct", "in_iowait"),
            None,
            "bit-fields have no address"
        );
        assert_eq!(btf.offset("no_such_struct", "x"), None);
    }

    #[test]
    fn refuses_what_is_not_btf() {
        assert!(matches!(Btf::parse(vec![]), Err(BtfError::Malformed(_))));
        assert!(matches!(
            Btf::parse(vec![0; 64]),
            Err(BtfError::Malformed("magic"))
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if bytes.len() > 24 {
                bytes[..2].copy_from_slice(&MAGIC.to_ne_bytes());
                bytes[4..8].copy_from_slice(&24u32.to_ne_bytes());
                bytes[8..12].copy_from_slice(&0u32.to_ne_bytes());
                let rest = bytes.len() as u32 - 24;
                bytes[12..16].copy_from_slice(&(rest / 2).to_ne_bytes());
                bytes[16..20].copy_from_slice(&(rest / 2).to_ne_bytes());
            }
            if let Ok(btf) = Btf::parse(bytes) {
                let _ = btf.offset("a", "b.c");
                let _ = btf.enumerator("x");
                let _ = btf.tracepoint_args("y");
            }
        }
    }
}
