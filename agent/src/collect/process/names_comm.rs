//! Folding of command names, so that the hundred workers of one kind are one group.

/// Kernel threads: what comes behind a slash says which CPU, queue or device it serves, and so do
/// digits at the end, with or without a separator (`kworker/u4:1-events` → `kworker`, `kdamond.0` → `kdamond`, `jbd2/vda-8`
/// → `jbd2`, `kswapd0` → `kswapd`, `scsi_eh_3` → `scsi_eh`, `md127_raid1` → `md_raid1`).
pub(super) fn fold_kernel(comm: &[u8]) -> Vec<u8> {
    if let Some(slash) = comm.iter().position(|byte| *byte == b'/')
        && slash > 0
    {
        return comm.get(..slash).unwrap_or(comm).to_vec();
    }
    if let Some(array) = comm.strip_prefix(b"md") {
        let digits = count_digits(array);
        if digits > 0 && array.get(digits) == Some(&b'_') {
            return [b"md", array.get(digits..).unwrap_or_default()].concat();
        }
    }
    let mut kept = comm;
    loop {
        let shorter = trim_end(trim_end(kept, |byte| byte.is_ascii_digit()), |byte| {
            byte == b'.' || is_separator(byte)
        });
        if shorter.len() == kept.len() {
            break;
        }
        kept = shorter;
    }
    if kept.is_empty() { comm } else { kept }.to_vec()
}

/// Processes of users: only numbers behind a separator at the end go (`worker-12` → `worker`);
/// digits that belong to the name stay (`pbzip2`, `sha256sum`, `php-fpm7.4`).
pub(super) fn fold_user(comm: &[u8]) -> &[u8] {
    let mut kept = comm;
    loop {
        let head = trim_end(kept, |byte| byte.is_ascii_digit());
        if head.len() == kept.len() || !head.last().is_some_and(|last| is_separator(*last)) {
            return kept;
        }
        let shorter = trim_end(head, is_separator);
        if shorter.is_empty() {
            return kept;
        }
        kept = shorter;
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'_' | b':' | b'#' | b'/' | b' ')
}

fn count_digits(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

fn trim_end(bytes: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let kept = bytes
        .iter()
        .rposition(|byte| !drop(*byte))
        .map_or(0, |last| last + 1);
    bytes.get(..kept).unwrap_or_default()
}
