//! First process of a virtual machine: mounts what hostlens reads, makes some traffic and some
//! processes, runs the payload, writes one `RESULT` line for each command, powers off.
//!
//! The payload is the file `/payload`: a line for each command, `name program argument…`.
//! The answer to each is a line `RESULT name exit-code standard-output`, newlines left out.

mod load;
mod response;
mod system;

use std::fs;
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some(load::BURN) => {
            load::burn();
            Ok(())
        }
        Some(response::RESPONSE) => response::run(),
        _ => {
            if let Err(error) = run() {
                println!("\nRESULT init 1 {error}");
            }
            system::power_off();
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    system::mount_all()?;
    system::silence_kernel();
    system::loopback_up()?;
    load::start()?;
    let payload = fs::read_to_string("/payload").map_err(|error| format!("/payload: {error}"))?;
    for line in payload.lines() {
        let mut words = line.split_whitespace();
        let (Some(name), Some(program)) = (words.next(), words.next()) else {
            continue;
        };
        let output = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("{program}: {error}"))?;
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            println!("NOTE {name} {line}");
        }
        // A command ended by a signal has no exit code.
        let code = output.status.code().unwrap_or(-1);
        let stdout = String::from_utf8_lossy(&output.stdout).replace(['\r', '\n'], "");
        println!("\nRESULT {name} {code} {stdout}");
    }
    Ok(())
}
