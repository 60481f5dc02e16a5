//! Writes man pages and shell completions into the folders `man` and `completions` of the one
//! given: what the command line says of itself. An example and not a command, so that the program
//! does not carry it about.

use std::{env, fs, path::PathBuf};

use anyhow::{Context as _, ensure};
use clap_complete::{Shell, generate_to};
use hostlens::cli;

const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Fish, Shell::Zsh];

fn main() -> anyhow::Result<()> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.context("usage: manual FOLDER")?;
    let [pages, completions] = ["man", "completions"].map(|name| folder.join(name));
    for folder in [&pages, &completions] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let command = cli::command();
    ensure!(
        command.get_subcommands().next().is_some(),
        "the command line has no commands"
    );
    clap_mangen::generate_to(command, &pages).context("cannot write the man pages")?;
    for shell in SHELLS {
        generate_to(shell, &mut cli::command(), "hostlens", &completions)
            .with_context(|| format!("cannot write the completions for {shell}"))?;
    }
    Ok(())
}
