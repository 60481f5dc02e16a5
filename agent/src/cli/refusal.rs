//! What the command line is answered when it is not understood: one line, the input and the cure.

use std::process::ExitCode;

use clap::error::ErrorKind;

/// Exit code of a command line that is not understood, as in most programs.
const USAGE: u8 = 2;

/// Prints help and version as asked for; anything else as one line on standard error.
///
/// # Errors
/// Help could not be printed.
pub fn answer(error: &clap::Error) -> anyhow::Result<ExitCode> {
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            error.print()?;
            let asked = error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            Ok(if asked {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(USAGE)
            })
        }
        _ => {
            eprintln!("{}", one_line(&error.to_string()));
            Ok(ExitCode::from(USAGE))
        }
    }
}

/// The message without the usage summary, which `--help` gives in full.
fn one_line(message: &str) -> String {
    let parts: Vec<&str> = message
        .lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:"))
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    format!("{} (--help lists what there is)", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_several_lines_becomes_one() {
        let message = "error: invalid value 'x' for '--ebpf <MODE>'\n  [possible values: auto, on, \
                       off]\n\nUsage: hostlens agent\n\nFor more information, try '--help'.\n";
        assert_eq!(
            one_line(message),
            "error: invalid value 'x' for '--ebpf <MODE>' [possible values: auto, on, off] (--help lists what there is)"
        );
    }
}
