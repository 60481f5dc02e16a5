//! The mount table, `/proc/*/mountinfo`: read again when the kernel says that it changed.
//!
//! It is the host's, as its first process sees it, where that can be looked at: a service manager
//! gives services a view of their own, in which most is read-only and some is hidden.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek},
    os::{fd::AsRawFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// How long a table may be used without a change being announced, ns: filesystems that turn
/// read-only by an error announce nothing.
const LONGEST_NS: u64 = 60_000_000_000;
/// Who has the host's mounts, and the roots that lead into them: the first process, and where that
/// is shielded the kernel's first thread.
const FIRST: [(&str, &str); 2] = [("1", "/proc/1/root"), ("2", "/proc/2/root")];
/// Flag of kernel threads in `/proc/PID/stat`, `PF_KTHREAD`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Its number, unique while it lasts.
    pub id: u32,
    /// The mount it is mounted in.
    pub parent: u32,
    /// `st_dev` of its files, as `major:minor`.
    pub dev: Arc<str>,
    /// The whole of the filesystem is shown, not a directory of it.
    pub whole: bool,
    /// Where; not necessarily UTF-8.
    pub path: PathBuf,
    /// The same for people.
    pub mountpoint: Arc<str>,
    /// Type of the filesystem.
    pub fstype: Arc<str>,
    /// What is mounted.
    pub source: Arc<str>,
    /// Nobody can write, through this mount or at all.
    pub read_only: bool,
}

/// The open mount table.
pub(super) struct MountTable {
    file: File,
    /// The root of these mounts, where it is not ours.
    root: Option<&'static Path>,
    /// Why these may not be the host's.
    unsure: Option<String>,
    read_ns: Option<u64>,
    text: Vec<u8>,
}

impl MountTable {
    /// Opens the table of the first process, or of our own mount namespace where that is the same
    /// or out of reach (without CAP_SYS_PTRACE).
    pub fn open() -> io::Result<Self> {
        let (first, unsure) = match hosts() {
            Ok(first) => (first, None),
            Err(why) => (None, Some(why)),
        };
        let (file, root) = match first {
            Some((file, root)) => (file, Some(root)),
            None => (File::open("/proc/self/mountinfo")?, None),
        };
        Ok(Self {
            file,
            root,
            unsure,
            read_ns: None,
            text: Vec::new(),
        })
    }

    /// Why these may not be the host's mounts; `None` if they are.
    pub fn unsure(&self) -> Option<&str> {
        self.unsure.as_deref()
    }

    /// The way to a mount from here.
    pub fn reach(&self, mount: &Path) -> PathBuf {
        match self.root {
            Some(root) => root.join(mount.strip_prefix("/").unwrap_or(mount)),
            None => mount.to_owned(),
        }
    }

    /// All mounts if they may have changed since the last call.
    pub fn changed(&mut self, now_ns: u64) -> io::Result<Option<Vec<Mount>>> {
        // Asked each time: the kernel announces each change once.
        let announced = announced(&self.file);
        let old = |read_ns| now_ns.saturating_sub(read_ns) >= LONGEST_NS;
        if !announced && !self.read_ns.is_none_or(old) {
            return Ok(None);
        }
        self.text.clear();
        self.file.rewind()?;
        self.file.read_to_end(&mut self.text)?;
        self.read_ns = Some(now_ns);
        Ok(Some(parse(&self.text)))
    }
}

/// The host's table and root, if they are not ours; or why ours may not be the same.
fn hosts() -> Result<Option<(File, &'static Path)>, String> {
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt"));
    let open = |process: &str, root: &'static str| -> io::Result<Option<(File, &'static Path)>> {
        if namespace(process)? == namespace("self")? {
            return Ok(None);
        }
        fs::metadata(root)?;
        let table = File::open(format!("/proc/{process}/mountinfo"))?;
        Ok(Some((table, Path::new(root))))
    };
    let mut shielded = None;
    for (process, root) in FIRST {
        // Within a container's processes the second is anybody's.
        if process != "1" && !is_kernel_thread(process) {
            continue;
        }
        match open(process, root) {
            Ok(found) => return Ok(found),
            Err(error) => shielded = shielded.or(Some(error)),
        }
    }
    let error = shielded.map_or_else(String::new, |error| format!(": {error}"));
    Err(format!(
        "our own mounts, which a sandbox may show read-only or not at all: those of /proc/1 are \
         out of reach{error}; needs CAP_SYS_PTRACE"
    ))
}

/// Whether a process is the kernel's own.
fn is_kernel_thread(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let flags = fields.split_whitespace().nth(6);
    let flags = flags.and_then(|flags| flags.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & KERNEL_THREAD != 0)
}

/// Whether the kernel says that the table changed.
fn announced(file: &File) -> bool {
    let mut poll = libc::pollfd {
        fd: file.as_raw_fd(),
        events: libc::POLLPRI,
        revents: 0,
    };
    // SAFETY: one valid, writable pollfd for the duration of the call, which does not wait.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    // An error is no reason to miss a change.
    ready < 0 || poll.revents & (libc::POLLPRI | libc::POLLERR) != 0
}

/// All lines that can be read.
pub(super) fn parse(text: &[u8]) -> Vec<Mount> {
    let lines = text.split(|byte| *byte == b'\n');
    lines.filter_map(mount).collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let id = number(fields.next()?)?;
    let parent = number(fields.next()?)?;
    let dev = lossy(fields.next()?);
    let root = fields.next()?;
    let path = Path::new(&OsString::from_vec(unescape(fields.next()?))).to_owned();
    let options = fields.next()?;
    // Any number of tags ends with a dash.
    fields.find(|field| *field == b"-")?;
    let fstype = lossy(fields.next()?);
    let source = lossy(fields.next()?);
    let super_options = fields.next()?;
    Some(Mount {
        id,
        parent,
        dev,
        whole: root == b"/",
        mountpoint: path.to_string_lossy().into(),
        path,
        fstype,
        source,
        read_only: read_only(options) || read_only(super_options),
    })
}

fn read_only(options: &[u8]) -> bool {
    options.split(|byte| *byte == b',').any(|one| one == b"ro")
}

fn number(field: &[u8]) -> Option<u32> {
    std::str::from_utf8(field).ok()?.parse().ok()
}

fn lossy(field: &[u8]) -> Arc<str> {
    String::from_utf8_lossy(&unescape(field)).into()
}

/// Space, tab, newline, `#` and backslash are written as three octal digits after a backslash.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| byte == b'\\');
        let octal = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok();
        match digits.and_then(octal) {
            Some(escaped) => {
                plain.push(escaped);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                plain.push(byte);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_writes() {
        let text = b"24 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,errors=x\n\
            25 24 0:40 /a/b /mnt/two\\040words\\134 ro,nosuid - nfs4 server:/export\\040x rw\n\
            nonsense\n\
            26 24 0:41 / /ro rw - tmpfs none ro,size=4k\n";
        let mounts = parse(text);
        assert_eq!(mounts.len(), 3);
        assert_eq!((mounts[0].id, mounts[0].parent), (24, 1));
        assert_eq!(&*mounts[0].dev, "254:0");
        assert!(mounts[0].whole && !mounts[0].read_only);
        assert_eq!(mounts[1].path, Path::new("/mnt/two words\\"));
        assert_eq!(&*mounts[1].source, "server:/export x");
        assert!(!mounts[1].whole && mounts[1].read_only);
        assert!(mounts[2].read_only);
    }

    #[test]
    fn mounts_of_others_are_reached_through_their_root() {
        let mut table = MountTable::open().unwrap();
        table.root = None;
        assert_eq!(table.reach(Path::new("/home")), Path::new("/home"));
        table.root = Some(Path::new(FIRST[0].1));
        assert_eq!(
            table.reach(Path::new("/home")),
            Path::new("/proc/1/root/home")
        );
        assert_eq!(table.reach(Path::new("/")), Path::new("/proc/1/root/"));
    }

    #[test]
    fn kernel_threads_are_known_by_their_flags() {
        assert!(!is_kernel_thread("self"));
        assert!(!is_kernel_thread("none"));
        let threads = fs::read_dir("/proc").unwrap().flatten();
        let mut threads = threads.filter_map(|entry| entry.file_name().into_string().ok());
        // A container shows none.
        if fs::read_to_string("/proc/2/comm").is_ok_and(|comm| comm == "kthreadd\n") {
            assert!(threads.any(|process| is_kernel_thread(&process)));
        }
    }

    #[test]
    fn this_host_has_a_root() {
        let mut table = MountTable::open().unwrap();
        let mounts = table.changed(1).unwrap().unwrap();
        assert!(mounts.iter().any(|mount| mount.path == Path::new("/")));
        assert!(table.changed(1 + LONGEST_NS).unwrap().is_some());
    }
}
