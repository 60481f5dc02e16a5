//! What a process is called in labels and views.
//!
//! A name must be the same for all members of a group, must not contain arguments (which may be
//! secret and never end), and is made of at most [`MOST_BYTES`] printable bytes.

use super::{
    names_args::{Script, base_name, script},
    names_comm::{fold_kernel, fold_user},
    names_interpreter::Interpreter,
};

pub use super::names_resolver::NameResolver;

/// Longest name, bytes.
pub const MOST_BYTES: usize = 64;

/// Whether a process with this command name (NUL-padded or not) is named by what it runs, so that
/// its arguments are needed. An interpreter started through a `#!` line has its script's name
/// already.
pub fn needs_args(comm: &[u8]) -> bool {
    let comm = until_nul(comm);
    Interpreter::of(comm).is_some() || comm == NODE_MAIN_THREAD
}

/// What some versions of Node call themselves; others may too, so the arguments decide.
const NODE_MAIN_THREAD: &[u8] = b"MainThread";

/// The name by which a process is grouped.
///
/// * `comm`: its command name, NUL-padded or not;
/// * `args`: its arguments as in `/proc/PID/cmdline`, if known;
/// * `kernel_thread`: it is one of the kernel's own.
pub fn group_name(comm: &[u8], args: Option<&[u8]>, kernel_thread: bool) -> String {
    match by_args(comm, args, kernel_thread) {
        Named::Whole(name) | Named::Partial(name) => name,
    }
}

/// A name, and whether more of the arguments might give a better one.
pub(super) enum Named {
    /// Nothing to add.
    Whole(String),
    /// The arguments were cut off or not given.
    Partial(String),
}

pub(super) fn by_args(comm: &[u8], args: Option<&[u8]>, kernel_thread: bool) -> Named {
    let comm = until_nul(comm);
    if kernel_thread {
        return Named::Whole(printable(&fold_kernel(comm), MOST_BYTES));
    }
    let by_comm = || printable(fold_user(comm), MOST_BYTES);
    if !needs_args(comm) {
        return Named::Whole(by_comm());
    }
    let Some(args) = args.filter(|args| args.iter().any(|byte| *byte != 0)) else {
        return Named::Partial(by_comm());
    };
    let interpreter = Interpreter::of(comm).or_else(|| {
        let first = args.split(|byte| *byte == 0).next()?;
        Interpreter::of(base_name(first))
    });
    let Some(interpreter) = interpreter else {
        return Named::Whole(by_comm());
    };
    let itself = || match interpreter {
        Interpreter::Node => "node".to_owned(),
        _ => by_comm(),
    };
    match script(interpreter, args) {
        Script::Named(name) => Named::Whole(printable(fold_user(&name), MOST_BYTES)),
        Script::Unnamed => Named::Whole(itself()),
        Script::CutOff => Named::Partial(itself()),
    }
}

/// Text for labels and terminals: what is no UTF-8, a control character, or moves or hides other
/// characters becomes `?`; cut at a character's end to at most `most` bytes; `?` if nothing is
/// left.
pub fn printable(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for mut character in String::from_utf8_lossy(bytes).trim().chars() {
        if is_hidden(character) {
            character = '?';
        }
        if text.len() + character.len_utf8() > most {
            break;
        }
        text.push(character);
    }
    if text.is_empty() {
        text.push('?');
    }
    text
}

fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            char::REPLACEMENT_CHARACTER
                | '\u{ad}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

pub(super) fn until_nul(comm: &[u8]) -> &[u8] {
    comm.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
