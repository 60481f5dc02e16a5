//! What a test asks of the host, and its turn on it.

use std::{
    env,
    fs::{self, File},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

/// The right to use the host alone; released when dropped.
///
/// Tests count sockets, processes and CPU time of the whole host, so they take turns, across
/// threads, test processes and working copies.
#[derive(Debug)]
pub struct Turn {
    _lock: File,
}

impl Turn {
    /// Waits for the turn.
    pub fn take() -> Self {
        let path = env::temp_dir().join("hostlens-tests.lock");
        // Opened first: of others' files, a sticky folder lets nobody "create" what is there.
        let lock = File::open(&path)
            .or_else(|_| File::create(&path))
            .expect("open the lock file");
        // SAFETY: plain system call on a descriptor that `lock` keeps open.
        let status = unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) };
        assert_eq!(status, 0, "flock: {}", std::io::Error::last_os_error());
        Self { _lock: lock }
    }
}

/// Something a test cannot do without.
#[derive(Clone, Copy, Debug)]
pub enum Need {
    /// User id 0.
    Root,
    /// Type information of the running kernel.
    Btf,
    /// An executable in `PATH` or the system directories.
    Tool(&'static str),
    /// A path that must exist, e.g. a device.
    Path(&'static str),
}

/// What the agent needs to use every one of its kernel programs.
pub const AGENT: &[Need] = &[Need::Root, Need::Btf];

/// What [`crate::delay_link`] and [`crate::tcp_truth`] need.
pub const LINK: &[Need] = &[
    Need::Root,
    Need::Tool("ip"),
    Need::Tool("ss"),
    Need::Path("/dev/net/tun"),
];

impl Need {
    fn missing(self) -> Option<String> {
        match self {
            Self::Root => (!is_root()).then(|| "must run as root".to_owned()),
            Self::Btf => (!has_btf()).then(|| "kernel without /sys/kernel/btf/vmlinux".to_owned()),
            Self::Tool(name) => tool(name)
                .is_none()
                .then(|| format!("{name} is not installed")),
            Self::Path(path) => (!Path::new(path).exists()).then(|| format!("{path} is missing")),
        }
    }
}

/// Whether the host offers all of these needs. If not, prints `SKIP: reason` and answers `false`.
///
/// # Panics
/// As root on a kernel with BTF, and with `HOSTLENS_REQUIRE=1`, a missing need is a failure.
pub fn offers(needs: &[&[Need]]) -> bool {
    let Some(reason) = needs
        .iter()
        .copied()
        .flatten()
        .find_map(|need| need.missing())
    else {
        return true;
    };
    let strict = env::var_os("HOSTLENS_REQUIRE").is_some_and(|value| value == "1");
    assert!(!(strict || is_root() && has_btf()), "needed here: {reason}");
    println!("SKIP: {reason}");
    false
}

/// Where an executable lies.
pub fn tool(name: &str) -> Option<PathBuf> {
    let path = env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin", "/usr/local/sbin"])
        .map(|dir| Path::new(dir).join(name))
        .chain(postgresql_tool(name))
        .find(|file| file.is_file())
}

/// Debian keeps most programs of PostgreSQL out of `PATH`, one directory per version.
fn postgresql_tool(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let newest = versions
        .filter_map(|version| {
            let version = version.ok()?;
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            Some((number, version.path()))
        })
        .max()?;
    Some(newest.1.join("bin").join(name))
}

/// A command by the name of its tool.
///
/// # Panics
/// When the tool is missing; check with [`offers`] first.
pub fn command(name: &str) -> Command {
    Command::new(tool(name).unwrap_or_else(|| panic!("{name} is not installed")))
}

/// The program under test: `HOSTLENS_BIN`, else the newest build of this workspace.
///
/// # Panics
/// When there is none.
pub fn hostlens_path() -> PathBuf {
    if let Some(path) = env::var_os("HOSTLENS_BIN") {
        return path.into();
    }
    let target = profile_dir().parent().expect("target directory").to_owned();
    ["debug", "release"]
        .iter()
        .map(|profile| target.join(profile).join("hostlens"))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max()
        .map(|(_, path)| path)
        .expect("no hostlens binary: run `cargo build -p hostlens` or set HOSTLENS_BIN")
}

/// The helper program that plays the workloads.
pub fn workload_path() -> PathBuf {
    profile_dir().join("hostlens-workload")
}

/// A directory for files that must lie on the disk of the build, not in memory as `/tmp` may be.
///
/// # Panics
/// When it cannot be made.
pub fn scratch_dir() -> TempDir {
    TempDir::with_prefix_in("hostlens-tests-", profile_dir()).expect("scratch directory")
}

/// `target/<profile>` of the running test.
fn profile_dir() -> PathBuf {
    let test = env::current_exe().expect("path of the test");
    let dir = test.parent().expect("directory of the test");
    if dir.ends_with("deps") {
        dir.parent().expect("profile directory").to_owned()
    } else {
        dir.to_owned()
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}
