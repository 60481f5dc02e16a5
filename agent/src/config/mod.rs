//! The configuration file: rules that say what a process is called.
//!
//! ```text
//! file ──► node ──► file ──► rule ◄── collect::process (asks for a name)
//!  text    YAML      what    first match wins
//!          with      it says
//!          lines
//!                     └──► live: what is in force, exchanged at a reload
//! ```
//!
//! Every mistake is one line: file, line, what is wrong, and the cure. Format and examples:
//! `docs/rules.md`.

mod error;
mod file;
mod files;
mod live;
mod node;
mod pattern;
mod rule;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod web;

pub use error::ConfigError;
pub use file::load;
pub use live::LiveConfig;
pub use rule::{Rules, Subject};
pub use web::{LiveWeb, Users, WebConfig};
