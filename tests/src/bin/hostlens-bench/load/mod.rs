//! The loads. Each says `READY` once it holds, plays a round per line of
//! its standard input, and ends with it.

mod bulk;
mod pingpong;
mod sleepers;
mod sockets;
mod storm;

use std::io::BufRead as _;

use clap::Subcommand;

use super::helper::READY;

/// A load.
#[derive(Debug, Subcommand)]
pub enum Load {
    /// Hold established connections, both ends; each line makes some of them exchange a message
    Sockets(sockets::Sockets),
    /// Hold sleeping processes with open files; each line wakes some of them
    Sleepers(sleepers::Sleepers),
    /// Each line starts and ends many processes and connections
    Storm(storm::Storm),
    /// Each line is a number of round trips on one connection, and how many a second at most; the
    /// answer says what they took
    Pingpong,
    /// Each line is a number of mebibytes on one connection; the answer says what they took
    Bulk,
}

impl Load {
    /// Plays it until standard input ends.
    pub fn play(self) -> anyhow::Result<()> {
        match self {
            Self::Sockets(load) => load.play(),
            Self::Sleepers(load) => load.play(),
            Self::Storm(load) => load.play(),
            Self::Pingpong => pingpong::play(),
            Self::Bulk => bulk::play(),
        }
    }
}

/// Says that all is held, then plays `round` for each line that comes.
fn rounds(mut round: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("{READY}");
    for line in std::io::stdin().lock().lines() {
        line?;
        round()?;
        println!("{READY}");
    }
    Ok(())
}
