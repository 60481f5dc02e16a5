//! What interpreters take on their command line before the script, as far as it matters for
//! finding the script: options whose value is the next argument, and options that make a script
//! impossible.

/// A family of interpreters with one command line syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interpreter {
    Python,
    Node,
    Java,
    Ruby,
    Perl,
    Php,
    Shell,
}

/// What an option does to the search for the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Stands alone, or carries its value in the same argument.
    Alone,
    /// Its value is the next argument.
    TakesNext,
    /// Its value names what runs: a module, a class, an archive, a file.
    Names,
    /// There is no script: code on the command line, from standard input, or none at all.
    NoScript,
    /// Not known; it may or may not take the next argument.
    Unknown,
}

const SHELLS: [&[u8]; 11] = [
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"ksh93", b"mksh", b"rbash", b"fish", b"tcsh",
];

impl Interpreter {
    /// The family of a program by its base name or command name. Version numbers at the end are
    /// part of the name of many (`python3.11`, `perl5.36.0`, `php8.2`).
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        if SHELLS.contains(&name) {
            return Some(Self::Shell);
        }
        let version = name
            .iter()
            .rposition(|byte| !byte.is_ascii_digit() && *byte != b'.')
            .map_or(0, |last| last + 1);
        match name.get(..version)? {
            b"python" | b"pypy" => Some(Self::Python),
            // Node names its main thread, by which the process goes, since version 22 or so.
            b"node" | b"nodejs" | b"node-MainThread" => Some(Self::Node),
            b"java" => Some(Self::Java),
            b"ruby" => Some(Self::Ruby),
            b"perl" => Some(Self::Perl),
            b"php" => Some(Self::Php),
            _ => None,
        }
    }

    /// The effect of an argument that starts with `-` (or `+` for shells) and is neither `-` nor
    /// `--`. With [`Effect::Names`] the second part is the value if it is in the same argument.
    pub(super) fn effect(self, option: &[u8]) -> (Effect, Option<&[u8]>) {
        if self == Self::Java {
            return java(option);
        }
        if let Some(long) = option.strip_prefix(b"--") {
            return self.long(long);
        }
        if self == Self::Node && option.len() > 2 {
            // Node has no clusters but this one.
            return match option {
                b"-pe" => (Effect::NoScript, None),
                _ => (Effect::Alone, None),
            };
        }
        self.cluster(option.get(1..).unwrap_or_default())
    }

    /// Short options may share an argument: the first that takes a value takes the rest of it.
    fn cluster(self, letters: &[u8]) -> (Effect, Option<&[u8]>) {
        for (at, letter) in letters.iter().enumerate() {
            let rest = letters.get(at + 1..).filter(|rest| !rest.is_empty());
            match self.letter(*letter) {
                Effect::Alone => {}
                Effect::TakesNext if rest.is_some() => return (Effect::Alone, None),
                // Its value can only be in the same argument.
                Effect::Unknown => return (Effect::Alone, None),
                effect => return (effect, rest),
            }
        }
        (Effect::Alone, None)
    }

    /// [`Effect::Unknown`] stands for "takes all the rest of the argument, and only that".
    fn letter(self, letter: u8) -> Effect {
        match (self, letter) {
            (Self::Python, b'c') => Effect::NoScript,
            (Self::Python, b'm') => Effect::Names,
            (Self::Python, b'W' | b'X' | b'Q') => Effect::TakesNext,

            (Self::Node, b'e' | b'p' | b'i') => Effect::NoScript,
            (Self::Node, b'r' | b'C') => Effect::TakesNext,

            (Self::Ruby, b'e') => Effect::NoScript,
            (Self::Ruby, b'I' | b'r' | b'C' | b'E') => Effect::TakesNext,
            (Self::Ruby, b'F' | b'i' | b'K' | b'T' | b'W' | b'x') => Effect::Unknown,

            (Self::Perl, b'e' | b'E') => Effect::NoScript,
            (Self::Perl, b'I') => Effect::TakesNext,
            // -0 and -l may carry octal digits, and letters go on behind them.
            (Self::Perl, b'C' | b'D' | b'F' | b'i' | b'd' | b'm' | b'M' | b'V' | b'x') => {
                Effect::Unknown
            }

            (Self::Php, b'r' | b'B' | b'R' | b'E' | b'S' | b'a') => Effect::NoScript,
            (Self::Php, b'f' | b'F') => Effect::Names,
            (Self::Php, b'c' | b'd' | b'z' | b't' | b'g') => Effect::TakesNext,

            (Self::Shell, b'c' | b's') => Effect::NoScript,
            (Self::Shell, b'o' | b'O' | b'C') => Effect::TakesNext,
            _ => Effect::Alone,
        }
    }

    fn long(self, long: &[u8]) -> (Effect, Option<&[u8]>) {
        let (name, value) = match long.iter().position(|byte| *byte == b'=') {
            Some(at) => (
                long.get(..at).unwrap_or_default(),
                long.get(at + 1..).filter(|value| !value.is_empty()),
            ),
            None => (long, None),
        };
        let effect = match self {
            Self::Python => match name {
                b"check-hash-based-pycs" => Effect::TakesNext,
                _ => Effect::Alone,
            },
            Self::Node => node(name),
            Self::Ruby => match name {
                b"encoding" | b"external-encoding" | b"internal-encoding" | b"enable"
                | b"disable" => Effect::TakesNext,
                _ => Effect::Alone,
            },
            Self::Php => match name {
                b"run" | b"process-begin" | b"process-code" | b"process-end" | b"server"
                | b"interactive" => Effect::NoScript,
                b"file" | b"process-file" => Effect::Names,
                b"php-ini" | b"define" | b"zend-extension" | b"docroot" => Effect::TakesNext,
                _ => Effect::Alone,
            },
            Self::Shell => match name {
                b"rcfile" | b"init-file" | b"init-command" => Effect::TakesNext,
                b"command" => Effect::NoScript,
                _ => Effect::Alone,
            },
            Self::Perl | Self::Java => Effect::Alone,
        };
        match effect {
            Effect::TakesNext | Effect::Unknown if long.len() > name.len() => (Effect::Alone, None),
            effect => (effect, value),
        }
    }
}

/// Node has some two hundred long options, more with each version.
fn node(name: &[u8]) -> Effect {
    match name {
        b"eval" | b"print" | b"interactive" | b"test" | b"run" | b"v8-options" => Effect::NoScript,
        b"require"
        | b"import"
        | b"loader"
        | b"experimental-loader"
        | b"conditions"
        | b"env-file"
        | b"env-file-if-exists"
        | b"title"
        | b"inspect-port"
        | b"debug-port"
        | b"icu-data-dir"
        | b"openssl-config"
        | b"redirect-warnings"
        | b"watch-path"
        | b"max-http-header-size"
        | b"dns-result-order"
        | b"unhandled-rejections"
        | b"stack-trace-limit"
        | b"trace-event-categories"
        | b"trace-event-file-pattern"
        | b"diagnostic-dir"
        | b"input-type"
        | b"heapsnapshot-signal"
        | b"report-dir"
        | b"report-directory"
        | b"report-filename"
        | b"report-signal"
        | b"cpu-prof-dir"
        | b"cpu-prof-name"
        | b"heap-prof-dir"
        | b"heap-prof-name"
        | b"tls-keylog"
        | b"tls-cipher-list"
        | b"disable-warning"
        | b"max-old-space-size" => Effect::TakesNext,
        b"inspect"
        | b"inspect-brk"
        | b"inspect-wait"
        | b"watch"
        | b"check"
        | b"enable-source-maps"
        | b"no-warnings"
        | b"no-deprecation"
        | b"trace-warnings"
        | b"trace-deprecation"
        | b"expose-gc"
        | b"abort-on-uncaught-exception"
        | b"preserve-symlinks"
        | b"cpu-prof"
        | b"heap-prof"
        | b"prof" => Effect::Alone,
        _ => Effect::Unknown,
    }
}

/// The launcher's options are words: `-cp`, `-Xmx1g`, `--add-opens=…`.
fn java(option: &[u8]) -> (Effect, Option<&[u8]>) {
    let effect = match option {
        b"-jar" | b"-m" | b"--module" => Effect::Names,
        b"-cp"
        | b"-classpath"
        | b"--class-path"
        | b"-p"
        | b"--module-path"
        | b"--upgrade-module-path"
        | b"--add-modules"
        | b"--limit-modules"
        | b"--add-exports"
        | b"--add-opens"
        | b"--add-reads"
        | b"--patch-module"
        | b"--enable-native-access"
        | b"--source"
        | b"--describe-module"
        | b"-d" => Effect::TakesNext,
        b"--enable-preview"
        | b"--show-version"
        | b"--show-module-resolution"
        | b"--dry-run"
        | b"--validate-modules" => Effect::Alone,
        long if long.starts_with(b"--module=") => {
            return (Effect::Names, long.strip_prefix(b"--module="));
        }
        long if long.starts_with(b"--") && !long.contains(&b'=') => Effect::Unknown,
        _ => Effect::Alone,
    };
    (effect, None)
}
