//! What an interpreter runs, from its arguments.

use super::names_interpreter::{Effect, Interpreter};
use hostlens_ebpf::wire::EXEC_ARGS_BYTES;

/// What the arguments of an interpreter say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// It runs this: the base name of a file, a module, the last segment of a class.
    Named(Vec<u8>),
    /// It runs no script, or none that has a name.
    Unnamed,
    /// The arguments were cut off before the script.
    CutOff,
}

/// Reads arguments as in `/proc/PID/cmdline`: separated, and normally ended, by NUL. Longer ones
/// that are not ended so were cut off by their reader, and the last one is not used.
pub(super) fn script(interpreter: Interpreter, args: &[u8]) -> Script {
    let cut_off = args.len() >= EXEC_ARGS_BYTES && args.last() != Some(&0);
    let end = args
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1);
    let mut words: Vec<&[u8]> = args
        .get(..end)
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .collect();
    if let [title] = words[..]
        && title.iter().any(|byte| matches!(byte, b' ' | b':'))
    {
        return by_title(title);
    }
    if cut_off {
        words.pop();
    }
    search(interpreter, words.get(1..).unwrap_or_default()).unwrap_or(if cut_off {
        Script::CutOff
    } else {
        Script::Unnamed
    })
}

/// The first word of a title that the program wrote over its arguments (`gunicorn: worker [app]`).
fn by_title(title: &[u8]) -> Script {
    let word = title
        .split(|byte| matches!(byte, b' ' | b':'))
        .next()
        .unwrap_or_default();
    named(base_name(word))
}

/// Goes through the arguments behind the interpreter's own name; `None` if they end before a
/// script.
fn search(interpreter: Interpreter, words: &[&[u8]]) -> Option<Script> {
    let mut words = words.iter().copied();
    let mut doubtful = false;
    while let Some(word) = words.next() {
        let is_option = word.first() == Some(&b'-')
            || interpreter == Interpreter::Shell && word.first() == Some(&b'+');
        if !is_option {
            if interpreter == Interpreter::Java && word.first() == Some(&b'@') {
                continue; // A file of options, perhaps with the class in it.
            }
            if doubtful && !looks_like_a_script(word) {
                doubtful = false;
                continue;
            }
            return Some(of_script(interpreter, word));
        }
        match word {
            b"--" => return words.next().map(|word| of_script(interpreter, word)),
            b"-" => return Some(Script::Unnamed),
            _ => {}
        }
        doubtful = false;
        match interpreter.effect(word) {
            (Effect::Alone, _) => {}
            (Effect::TakesNext, _) => {
                words.next()?;
            }
            (Effect::Names, Some(value)) => return Some(of_option(interpreter, word, value)),
            (Effect::Names, None) => {
                return words
                    .next()
                    .map(|value| of_option(interpreter, word, value));
            }
            (Effect::NoScript, _) => return Some(Script::Unnamed),
            (Effect::Unknown, _) => doubtful = true,
        }
    }
    None
}

/// Whether a word behind an unknown option is rather a script than that option's value, which may
/// be a secret.
fn looks_like_a_script(word: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 6] = [b".js", b".mjs", b".cjs", b".ts", b".java", b".jar"];
    ENDINGS.iter().any(|ending| word.ends_with(ending))
}

/// A script or main class that stands by itself.
fn of_script(interpreter: Interpreter, word: &[u8]) -> Script {
    if interpreter == Interpreter::Java && !word.contains(&b'/') && !word.ends_with(b".java") {
        return named(last_segment(word));
    }
    // Here documents and process substitution: the name is a number of the moment.
    if word.starts_with(b"/dev/") || word.starts_with(b"/proc/") {
        return Script::Unnamed;
    }
    named(base_name(word))
}

/// The value of an option that names what runs.
fn of_option(interpreter: Interpreter, option: &[u8], value: &[u8]) -> Script {
    match interpreter {
        // module, or module/main.Class
        Interpreter::Java if option != b"-jar" => {
            match value.iter().position(|byte| *byte == b'/') {
                Some(at) => named(last_segment(value.get(at + 1..).unwrap_or_default())),
                None => named(value),
            }
        }
        Interpreter::Python => named(value),
        _ => named(base_name(value)),
    }
}

/// A name if it can be one: blanks, quotes and assignments are signs of code or of a value that
/// slipped through as an argument of an option we do not know.
fn named(name: &[u8]) -> Script {
    let odd = |byte: &u8| byte.is_ascii_whitespace() || b"=\"'`;(){}<>|&".contains(byte);
    if name.is_empty() || name == b"." || name == b".." || name.iter().any(odd) {
        return Script::Unnamed;
    }
    Script::Named(name.to_vec())
}

/// What follows the last slash, slashes at the end left out.
pub(super) fn base_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/')
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}

/// What follows the last dot.
fn last_segment(class: &[u8]) -> &[u8] {
    class
        .rsplit(|byte| *byte == b'.')
        .find(|part| !part.is_empty())
        .unwrap_or_default()
}
