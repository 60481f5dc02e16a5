//! Reading and trimming BPF ELF objects.

use std::collections::BTreeSet;

use anyhow::Result;
use object::build::elf::{Builder, SectionData};
use object::elf::{SHT_STRTAB, STB_GLOBAL, STT_FILE, STT_SECTION};

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
        // Local names carry hashes of the compiler's; global ones are those of the sources.
        let kind = symbol.st_type();
        let named = !matches!(kind, STT_FILE | STT_SECTION);
        if named && symbol.st_bind() == STB_GLOBAL {
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
