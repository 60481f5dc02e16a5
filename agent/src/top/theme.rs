//! Colours that read on dark and on light terminals: the 16 ANSI ones, never black or white, bold
//! and reverse for structure. With `NO_COLOR` attributes alone.

use ratatui::style::{Color, Modifier, Style};

use super::{columns::Shade, stack::Part};

/// What the terminal can and should show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Colours are wanted.
    pub color: bool,
    /// The locale is UTF-8: block characters and arrows can be shown.
    pub unicode: bool,
}

impl Theme {
    /// As the environment says: `NO_COLOR`, and the locale of `LC_ALL`, `LC_CTYPE` or `LANG`.
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let utf8 = |locale: String| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        Self {
            color: set("NO_COLOR").is_none(),
            unicode: locale.is_some_and(utf8),
        }
    }

    fn colored(self, color: Color) -> Style {
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    /// Titles and keys.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn faint(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Column titles, chosen menu lines, the selected line.
    pub fn reverse(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The title of the sorted column.
    pub fn sorted(self) -> Style {
        self.reverse()
            .add_modifier(Modifier::BOLD | Modifier::UNDERLINED)
    }

    /// Good, or quick.
    pub fn good(self) -> Style {
        self.colored(Color::Green)
    }

    /// Worth a look.
    pub fn warning(self) -> Style {
        self.colored(Color::Yellow).add_modifier(Modifier::BOLD)
    }

    /// Bad.
    pub fn bad(self) -> Style {
        let without = if self.color {
            Modifier::BOLD
        } else {
            Modifier::BOLD | Modifier::UNDERLINED
        };
        self.colored(Color::Red).add_modifier(without)
    }

    /// The style of a number by its size.
    pub fn shade(self, shade: Shade, value: f64) -> Style {
        match shade {
            Shade::Plain => Style::new(),
            Shade::Latency => self.latency(value),
            Shade::Limits(_, bad) if value >= bad => self.bad(),
            Shade::Limits(warning, _) if value >= warning => self.warning(),
            Shade::Limits(..) => Style::new(),
        }
    }

    fn latency(self, seconds: f64) -> Style {
        let (color, without) = match seconds {
            s if s < 0.001 => (Color::Green, Modifier::DIM),
            s if s < 0.010 => (Color::Cyan, Modifier::empty()),
            s if s < 0.100 => (Color::Yellow, Modifier::BOLD),
            s if s < 1.0 => (Color::Red, Modifier::BOLD | Modifier::UNDERLINED),
            _ => return self.bad().add_modifier(Modifier::REVERSED),
        };
        if self.color {
            Style::new().fg(color)
        } else {
            Style::new().add_modifier(without)
        }
    }

    /// The style of a word by its severity, see [`Value::State`](super::value::Value::State).
    pub fn level(self, level: u8) -> Style {
        match level {
            0 => Style::new(),
            1 => self.warning(),
            _ => self.bad(),
        }
    }

    /// A cell of a part in a stacked bar. Parts differ in shape too: colours may be off, and are
    /// on the selected line.
    pub fn part(self, part: Part) -> (&'static str, Style) {
        let (block, letter, color) = match part {
            Part::Network => ("░", "n", Color::Cyan),
            Part::Wait => ("▒", "w", Color::Yellow),
            Part::Peer => ("█", "p", Color::Magenta),
            Part::Here => ("█", "h", Color::Magenta),
            Part::Serve => ("█", "s", Color::Magenta),
        };
        let cell = if self.unicode { block } else { letter };
        (cell, self.colored(color))
    }

    /// The arrow of a sorted column.
    pub fn arrow(self, descending: bool) -> &'static str {
        match (self.unicode, descending) {
            (true, true) => "▼",
            (true, false) => "▲",
            (false, true) => "v",
            (false, false) => "^",
        }
    }

    /// What ends text that was cut.
    pub fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    /// What leads from a group to its members.
    pub fn branch(self) -> &'static str {
        if self.unicode { " └ " } else { " `- " }
    }

    /// A bar of a sparkline; `height` between 0 and 1.
    pub fn bar(self, height: f32) -> &'static str {
        let bars = if self.unicode {
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        } else {
            ["_", ".", ":", "-", "=", "+", "*", "#"]
        };
        let at = (height.clamp(0.0, 1.0) * 7.0).round() as usize;
        bars.get(at).copied().unwrap_or(" ")
    }
}
