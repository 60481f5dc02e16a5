//! Sleeping processes with open files.

use std::fs::File;

use anyhow::Context as _;
use clap::Args;
use nix::{
    sys::{
        prctl,
        signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork, getppid, pause},
};

use super::rounds;

/// Holds processes.
#[derive(Debug, Args)]
pub struct Sleepers {
    /// Processes
    #[arg(long)]
    processes: u32,
    /// Different names among them
    #[arg(long, default_value_t = 1)]
    names: u32,
    /// Files each has open beside the standard ones
    #[arg(long, default_value_t = 5)]
    files: u32,
    /// Per cent of them that wake up per round
    #[arg(long, default_value_t = 10)]
    active: u32,
}

extern "C" fn wake(_: libc::c_int) {}

impl Sleepers {
    /// Forks, then wakes.
    pub fn play(&self) -> anyhow::Result<()> {
        let action = SigAction::new(SigHandler::Handler(wake), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler does nothing.
        unsafe { sigaction(Signal::SIGUSR1, &action) }?;
        let mut children = Children(Vec::new());
        for number in 0..self.processes {
            // SAFETY: this process has one thread.
            match unsafe { fork() }.context("fork")? {
                ForkResult::Parent { child } => children.0.push(child),
                ForkResult::Child => self.sleep(number),
            }
        }
        rounds(|| {
            for (number, &child) in (0u32..).zip(&children.0) {
                if number % 100 < self.active {
                    kill(child, Signal::SIGUSR1)?;
                }
            }
            Ok(())
        })
    }

    fn sleep(&self, number: u32) -> ! {
        let files = self.settle(number);
        if files.is_ok() {
            loop {
                pause();
            }
        }
        // SAFETY: ends the child without running the parent's exit handlers.
        unsafe { libc::_exit(1) }
    }

    fn settle(&self, number: u32) -> anyhow::Result<Vec<File>> {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have ended before that.
        anyhow::ensure!(getppid() != Pid::from_raw(1), "orphaned");
        let name =
            std::ffi::CString::new(format!("sleeper{}", letters(number % self.names.max(1))))?;
        prctl::set_name(&name)?;
        (0..self.files)
            .map(|_| Ok(File::open("/dev/null")?))
            .collect()
    }
}

/// Ends and reaps them when dropped.
struct Children(Vec<Pid>);

impl Drop for Children {
    fn drop(&mut self) {
        for &child in &self.0 {
            // It can only have ended already.
            let _ = kill(child, Signal::SIGKILL);
        }
        for &child in &self.0 {
            let _ = waitpid(child, None);
        }
    }
}

/// A number in letters: names that differ in digits only may be folded into one.
fn letters(number: u32) -> String {
    let letter = |digit: u32| char::from(b'a' + (digit % 26) as u8);
    [number / 676, number / 26, number]
        .map(letter)
        .iter()
        .collect()
}
