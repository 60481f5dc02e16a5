//! A root file system in memory: an archive in the format `cpio -H newc` writes
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

/// An archive under construction.
#[derive(Default)]
pub struct Initramfs {
    bytes: Vec<u8>,
    entries: u32,
}

/// File types of `st_mode`.
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

impl Initramfs {
    /// Adds a folder.
    pub fn folder(&mut self, name: &str) {
        self.entry(name, FOLDER | 0o755, (0, 0), &[]);
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, executable: bool, content: &[u8]) {
        let mode = if executable { 0o755 } else { 0o644 };
        self.entry(name, FILE | mode, (0, 0), content);
    }

    /// Adds a character device.
    pub fn device(&mut self, name: &str, major: u32, minor: u32) {
        self.entry(name, CHARACTER_DEVICE | 0o600, (major, minor), &[]);
    }

    /// The archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, name: &str, mode: u32, (major, minor): (u32, u32), content: &[u8]) {
        self.entries += 1;
        // Nothing here comes near 4 GiB.
        let [name_length, length] =
            [name.len() + 1, content.len()].map(|length| u32::try_from(length).unwrap_or(u32::MAX));
        let [user, group, time, links, no_device, no_check] = [0, 0, 0, 1, 0, 0];
        let fields = [
            self.entries,
            mode,
            user,
            group,
            links,
            time,
            length,
            no_device,
            no_device,
            major,
            minor,
            name_length,
            no_check,
        ];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(name.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    /// Header with name, and content, each end on a multiple of four.
    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Initramfs;

    #[test]
    fn an_entry_is_header_name_and_padded_content() {
        let mut archive = Initramfs::default();
        archive.file("abc", true, b"hello");
        let start = archive.bytes.len();
        let bytes = archive.finish();
        let header = "070701\
            00000001000081ed00000000000000000000000100000000\
            0000000500000000000000000000000000000000\
            0000000400000000";
        assert_eq!(String::from_utf8_lossy(&bytes[..110]), header);
        assert_eq!(&bytes[110..start], b"abc\0\0\0hello\0\0\0");
        assert_eq!(&bytes[start..start + 6], b"070701");
        assert_eq!(bytes.len() % 4, 0);
    }
}
