//! A real terminal: a tmux server of its own, killed when dropped.

use std::process::Output;

use tempfile::TempDir;

use crate::{
    deadline::{PATIENCE, poll_until},
    host,
};

/// One terminal with a shell in it.
#[derive(Debug)]
pub struct Terminal {
    dir: TempDir,
}

impl Terminal {
    /// A terminal of this size, running a plain shell.
    pub fn new(columns: u16, rows: u16) -> Self {
        let dir = TempDir::with_prefix("hostlens-tmux-").expect("temporary directory");
        let terminal = Self { dir };
        terminal.tmux(&[
            "new-session",
            "-d",
            "-x",
            &columns.to_string(),
            "-y",
            &rows.to_string(),
            "env",
            "PS1=prompt> ",
            "TERM=tmux-256color",
            "sh",
        ]);
        terminal.await_screen("a prompt", |screen| screen.contains("prompt>"));
        terminal
    }

    /// Types text as it is.
    pub fn type_text(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses keys by their tmux names (`Enter`, `Escape`, `F1`, `Down`, …).
    pub fn press(&self, keys: &[&str]) {
        for key in keys {
            self.tmux(&["send-keys", key]);
        }
    }

    /// Makes the terminal this large.
    pub fn resize(&self, columns: u16, rows: u16) {
        let (columns, rows) = (columns.to_string(), rows.to_string());
        self.tmux(&["resize-window", "-x", &columns, "-y", &rows]);
    }

    /// What is on the screen.
    pub fn screen(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The screen with its escape sequences for colours.
    pub fn screen_in_colour(&self) -> String {
        let output = self.tmux(&["capture-pane", "-p", "-e"]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether the program in front uses the alternate screen.
    pub fn in_alternate_screen(&self) -> bool {
        let output = self.tmux(&["display-message", "-p", "#{alternate_on}"]);
        String::from_utf8_lossy(&output.stdout).trim() == "1"
    }

    /// Waits until the screen satisfies `wanted` and hands it out.
    ///
    /// # Panics
    /// When it does not in time; shows the screen.
    pub fn await_screen(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        poll_until(what, PATIENCE, || {
            let screen = self.screen();
            if wanted(&screen) {
                Ok(screen)
            } else {
                Err(format!("screen:\n{screen}"))
            }
        })
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = host::command("tmux")
            .arg("-S")
            .arg(self.dir.path().join("socket"))
            .args(["-f", "/dev/null"])
            .args(arguments)
            .env_remove("TMUX")
            .output()
            .expect("run tmux");
        assert!(
            output.status.success(),
            "tmux {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = host::command("tmux")
            .arg("-S")
            .arg(self.dir.path().join("socket"))
            .arg("kill-server")
            .output();
    }
}
