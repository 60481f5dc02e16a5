//! Why the kernel took an object or program not: in its own words, on one line.

use aya::programs::ProgramError;

use crate::model::ProgramState;

/// The structure member behind a global.
pub fn member_of(global: &str) -> String {
    hostlens_ebpf::offsets::TABLE
        .iter()
        .find(|entry| entry.name == global)
        .map_or_else(
            || global.to_owned(),
            |entry| format!("{}.{}", entry.structure, entry.path),
        )
}

/// The kernel's own reason: the verifier's complaint if there is one, else the error.
pub fn refusal(error: &ProgramError) -> ProgramState {
    if let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    {
        let log = verifier_log.to_string();
        tracing::debug!(log, "verifier");
        let complaint = log.lines().map(str::trim).rfind(|line| {
            !line.is_empty()
                && !line.starts_with("processed ")
                && !line.starts_with("verification time")
                && !line.starts_with("stack depth")
        });
        // A helper this kernel does not have, or not for this kind of program.
        let lacks = |line: &&str| line.contains("unknown func") || line.contains("invalid func");
        if let Some(line) = complaint.filter(lacks) {
            return ProgramState::Unsupported(line.to_owned());
        }
        return ProgramState::Refused(match complaint {
            Some(line) => format!("{line} ({io_error})"),
            None => io_error.to_string(),
        });
    }
    if let ProgramError::Btf(error) = error {
        return ProgramState::Unsupported(error.to_string());
    }
    ProgramState::Refused(one_line(error))
}

/// Why an object was not loaded; a missing privilege by its name.
pub fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(inner) = cause {
        let code = inner
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::raw_os_error);
        if code == Some(libc::EPERM) {
            return "not allowed to load kernel programs (needs root, or CAP_BPF and CAP_PERFMON)"
                .to_owned();
        }
        cause = inner.source();
    }
    one_line(error)
}

/// An error and its causes on one line.
fn one_line(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}
