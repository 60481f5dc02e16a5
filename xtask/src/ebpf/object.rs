//! Reading and trimming BPF ELF objects.

use std::collections::BTreeSet;

use anyhow::Result;
use object::build::elf::{Builder, SectionData};
use object::elf::{SHF_EXECINSTR, SHT_STRTAB, STB_GLOBAL, STT_FILE, STT_SECTION, STV_HIDDEN};

/// The object without DWARF: everything the kernel and the loader read stays, BTF included.
///
/// # Errors
/// The bytes are no ELF object.
pub fn strip(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut elf = Builder::read(bytes)?;
    for section in &mut elf.sections {
        let name = section.name.as_slice();
        // Relocations of DWARF go with it.
        let name = name.strip_prefix(b".rel").unwrap_or(name);
        section.delete = name.starts_with(b".debug_");
    }
    elf.delete_orphans();
    // The linker keeps the names of sections and symbols in one table; the writer wants two.
    if !elf
        .sections
        .iter()
        .any(|section| matches!(section.data, SectionData::SectionString))
    {
        let names = elf.sections.add();
        names.name = b".shstrtab".as_slice().into();
        names.sh_type = SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }
    let mut stripped = Vec::new();
    elf.write(&mut stripped)?;
    Ok(stripped)
}

/// Sections with programs that call functions of the object itself, such as `memset`: not safe on
/// every kernel, see [`super::flags::FLAGS`].
///
/// # Errors
/// The bytes are no ELF object.
pub fn calling(bytes: &[u8]) -> Result<BTreeSet<String>> {
    const CALL: u8 = 0x85;
    const PSEUDO_CALL: u8 = 1;
    let elf = Builder::read(bytes)?;
    let mut calling = BTreeSet::new();
    for section in &elf.sections {
        if !section.sh_flags.contains(SHF_EXECINSTR) {
            continue;
        }
        let SectionData::Data(code) = &section.data else {
            continue;
        };
        // The second half of a wide instruction has no operation code.
        let calls = |instruction: &[u8]| matches!(instruction, [CALL, registers, ..] if registers >> 4 == PSEUDO_CALL);
        if code.chunks_exact(8).any(calls) {
            calling.insert(section.name.to_string());
        }
    }
    Ok(calling)
}

/// What an object holds, by name: two compilers may emit other instructions for the same sources,
/// not other sections or symbols.
///
/// # Errors
/// The bytes are no ELF object.
pub fn shape(bytes: &[u8]) -> Result<BTreeSet<String>> {
    let elf = Builder::read(bytes)?;
    let mut shape = BTreeSet::new();
    for section in &elf.sections {
        // Whether a section needs relocating or holds literals is the compiler's choice.
        let relocation = matches!(section.data, SectionData::Relocation(_));
        let name = &section.name;
        if !relocation && !name.as_slice().starts_with(b".rodata.") {
            shape.insert(format!("section {name}"));
        }
    }
    for symbol in &elf.symbols {
        // Local names carry hashes of the compiler's, and hidden ones (`memcpy`) are its own
        // helpers, there or not as it likes; the other global ones are those of the sources.
        let kind = symbol.st_type();
        let named = !matches!(kind, STT_FILE | STT_SECTION);
        let visible = symbol.st_other.visibility() != STV_HIDDEN;
        if named && visible && symbol.st_bind() == STB_GLOBAL {
            let section = symbol
                .section
                .map(|id| elf.sections.get(id).name.to_string());
            let section = section.unwrap_or_else(|| "none".to_owned());
            shape.insert(format!(
                "symbol {} (type {kind}, in {section})",
                symbol.name
            ));
        }
    }
    Ok(shape)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use object::Endianness;
    use object::elf::{SHT_PROGBITS, SHT_SYMTAB, STB_LOCAL, STT_FUNC};

    use super::*;

    /// A section for each name, and a symbol named after each.
    fn object(sections: &[&'static str]) -> Vec<u8> {
        let mut elf = Builder::new(Endianness::Little, true);
        for name in sections {
            let section = elf.sections.add();
            section.name = name.as_bytes().into();
            section.sh_type = SHT_PROGBITS;
            section.sh_addralign = 1;
            section.data = SectionData::Data(b"12345678".as_slice().into());
            let id = section.id();
            for bind in [STB_GLOBAL, STB_LOCAL] {
                let symbol = elf.symbols.add();
                symbol.name = name.as_bytes().into();
                symbol.section = Some(id);
                symbol.set_st_info(bind, STT_FUNC);
            }
        }
        for (name, data, kind) in [
            (".symtab", SectionData::Symbol, SHT_SYMTAB),
            (".strtab", SectionData::String, SHT_STRTAB),
            (".shstrtab", SectionData::SectionString, SHT_STRTAB),
        ] {
            let section = elf.sections.add();
            section.name = name.as_bytes().into();
            section.sh_type = kind;
            section.sh_addralign = 8;
            section.data = data;
        }
        let mut bytes = Vec::new();
        elf.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn stripping_takes_dwarf_and_leaves_the_rest() {
        let full = object(&["iter/tcp", ".BTF", ".BTF.ext", ".debug_info", ".debug_line"]);
        let bare = object(&["iter/tcp", ".BTF", ".BTF.ext"]);
        assert_ne!(shape(&full).unwrap(), shape(&bare).unwrap());
        assert_eq!(
            shape(&strip(&full).unwrap()).unwrap(),
            shape(&bare).unwrap()
        );
    }

    #[test]
    fn calls_of_own_functions_are_found() {
        // A helper (source register 0), then a function of the object (1).
        let helper = [0x85, 0, 0, 0, 5, 0, 0, 0];
        let own = [0x85, 0x10, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF];
        let with = |code: &[u8]| {
            let bytes = object(&["iter/tcp"]);
            let mut elf = Builder::read(bytes.as_slice()).unwrap();
            for section in &mut elf.sections {
                if section.name.as_slice() == b"iter/tcp" {
                    section.sh_flags = SHF_EXECINSTR;
                    section.data = SectionData::Data(code.to_vec().into());
                }
            }
            let mut bytes = Vec::new();
            elf.write(&mut bytes).unwrap();
            calling(&bytes).unwrap()
        };
        assert_eq!(with(&helper), BTreeSet::new());
        assert_eq!(
            with(&[helper, own].concat()),
            BTreeSet::from(["iter/tcp".to_owned()])
        );
    }

    #[test]
    fn shapes_differ_by_a_program() {
        let one = shape(&object(&["iter/tcp"])).unwrap();
        let two = shape(&object(&["iter/tcp", "iter/task"])).unwrap();
        let more: Vec<&String> = two.difference(&one).collect();
        assert_eq!(more.len(), 2, "a section and a global symbol: {more:?}");
    }
}
