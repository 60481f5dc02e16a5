//! The helper: this program once more, asking one filesystem whenever it is told to. One line in,
//! one line out.

use std::{
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::model::{Inodes, Room};

use super::{Answer, ask};

/// The command that makes a helper of this program.
pub const COMMAND: &str = "statfs";

/// Name of its task, as tasks are named: 15 bytes at most.
const NAME: &std::ffi::CStr = c"hostlens-statfs";

/// This program, if its command line knows [`COMMAND`].
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says that this program can be its own helper. Without that nothing is asked that may hang.
pub fn offer() {
    // The link works after the file was replaced by an upgrade, too.
    let _ = PROGRAM.set(PathBuf::from("/proc/self/exe"));
}

/// A helper for the filesystem mounted at `path`, not started yet; `None` if there is none.
pub(super) fn command(path: &Path) -> Option<Command> {
    let mut command = Command::new(PROGRAM.get()?);
    command.arg(COMMAND).arg(path);
    Some(command)
}

/// Answers one line per line read, until there are no more.
///
/// # Errors
/// When the answers cannot be written: nobody wants them.
pub fn serve(path: &Path) -> io::Result<()> {
    // SAFETY: both calls only set attributes of the calling task; the name ends with 0.
    unsafe {
        // One that waits for a server must not outlive whom it asks for.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::prctl(libc::PR_SET_NAME, NAME.as_ptr());
    }
    let mut out = io::stdout();
    for question in io::stdin().lock().lines() {
        question?;
        writeln!(out, "{}", write(&ask(path)))?;
        out.flush()?;
    }
    Ok(())
}

fn write(answer: &Answer) -> String {
    match answer {
        Answer::Room(Some(room)) => {
            let inodes = room
                .inodes
                .map_or([0, 0], |inodes| [inodes.total, inodes.free]);
            let [total, free] = inodes;
            format!(
                "room {} {} {} {total} {free}",
                room.size, room.free, room.available
            )
        }
        Answer::Refused(why) => format!("refused {}", why.replace('\n', " ")),
        _ => "none".to_owned(),
    }
}

/// What a line means.
pub(super) fn read(line: &str) -> Answer {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Vec<u64> = rest
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    match (word, numbers.as_slice()) {
        ("room", &[size, free, available, total, free_inodes]) => Answer::Room(Some(Room {
            size,
            free,
            available,
            inodes: (total > 0).then_some(Inodes {
                total,
                free: free_inodes,
            }),
        })),
        ("none", _) => Answer::Room(None),
        ("refused", _) => Answer::Refused(rest.into()),
        _ => Answer::Refused("its helper does not speak plainly".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let room = |inodes| {
            Answer::Room(Some(Room {
                size: 1 << 40,
                free: 5,
                available: 4,
                inodes,
            }))
        };
        for answer in [
            room(None),
            room(Some(Inodes { total: 7, free: 3 })),
            Answer::Room(None),
            Answer::Refused("Permission denied (os error 13)".into()),
        ] {
            assert_eq!(read(&write(&answer)), answer);
        }
        assert!(matches!(read("room 1 2"), Answer::Refused(_)));
    }
}
