//! The terminal, given back in any case: on return, on panic of any thread, when stopped and
//! continued by the shell.

use std::{
    io::{self, Stdout, stdout},
    panic::{self, PanicHookInfo},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use crossterm::{
    cursor, execute,
    terminal::{
        Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
        enable_raw_mode,
    },
};
use ratatui::{Frame, Terminal, backend::CrosstermBackend};
use signal_hook::{
    consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP},
    low_level,
};

/// Raw mode is on. The panic hook has to know without the guard.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Requests to end, from signals and from panics elsewhere, and news of having been continued.
#[derive(Clone, Default)]
pub struct Ending {
    signal: Arc<AtomicBool>,
    panic: Arc<AtomicBool>,
    continued: Arc<AtomicBool>,
}

impl Ending {
    /// Notes SIGINT, SIGTERM, SIGHUP and SIGQUIT from now on, instead of dying of them.
    ///
    /// # Errors
    /// When the kernel refuses a handler.
    pub fn on_signals() -> anyhow::Result<Self> {
        let ending = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
            signal_hook::flag::register(signal, ending.signal.clone())
                .context("cannot handle signals")?;
        }
        signal_hook::flag::register(SIGCONT, ending.continued.clone())
            .context("cannot handle signals")?;
        Ok(ending)
    }

    /// A signal asked to end.
    pub fn signalled(&self) -> bool {
        self.signal.load(Ordering::Relaxed)
    }

    /// We were stopped and go on; said once.
    pub fn continued(&self) -> bool {
        self.continued.swap(false, Ordering::Relaxed)
    }

    /// A thread panicked.
    pub fn panicked(&self) -> bool {
        self.panic.load(Ordering::Relaxed)
    }
}

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The screen, ours until dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    hook_before: Hook,
}

impl Screen {
    /// Takes the terminal: raw mode, alternate screen, no cursor.
    ///
    /// # Errors
    /// When it is no terminal or does not answer.
    pub fn take(ending: &Ending) -> anyhow::Result<Self> {
        enter().context("cannot use the terminal: try --batch or --json")?;
        let hook_before: Hook = panic::take_hook().into();
        let (before, panicked) = (hook_before.clone(), ending.panic.clone());
        panic::set_hook(Box::new(move |info| {
            panicked.store(true, Ordering::Relaxed);
            leave();
            before(info);
        }));
        let terminal = match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => terminal,
            Err(error) => {
                leave();
                return Err(error).context("cannot use the terminal: try --batch or --json");
            }
        };
        Ok(Self {
            terminal,
            hook_before,
        })
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        if !TAKEN.load(Ordering::SeqCst) {
            // A thread panicked meanwhile: its message must stay.
            return Ok(());
        }
        self.terminal.draw(render).map(|_| ())
    }

    /// Cells, width and height.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        let size = self.terminal.size()?;
        Ok((size.width, size.height))
    }

    /// Draws everything anew next time.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn clear(&mut self) -> io::Result<()> {
        // `Terminal::clear` would ask the terminal for its cursor and wait for the answer.
        execute!(stdout(), Clear(ClearType::All))?;
        self.terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        Ok(())
    }

    /// Gives the terminal to the shell until it continues us.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn suspend(&mut self) -> io::Result<()> {
        leave();
        low_level::raise(SIGTSTP)?;
        self.retake()
    }

    /// Takes the terminal once more after a shell had it.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn retake(&mut self) -> io::Result<()> {
        // Raw mode is only ever set from outside it.
        leave();
        enter()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
        if !std::thread::panicking() {
            let before = self.hook_before.clone();
            panic::set_hook(Box::new(move |info| before(info)));
        }
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    execute!(stdout(), EnterAlternateScreen, cursor::Hide)
}

/// Nothing can be done about errors here, and nothing is left to be done twice.
fn leave() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), LeaveAlternateScreen, cursor::Show);
        let _ = disable_raw_mode();
    }
}
