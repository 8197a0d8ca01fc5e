//! What a program is about to do to a file, as its system call tells: `proc_pid_syscall(5)`.

use std::fs;

/// What an access needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Reads, so what it reads.
    Reading,
    /// Cuts the file to this many bytes.
    Cutting(u64),
    /// Anything else, or it cannot be told: writing, mapping (which the kernel asks about once, and
    /// which may grow), cloning, requests of io_uring. So all of the file.
    Else,
}

/// Numbers of the calls, which read into memory and do nothing else.
const READS: [i64; 5] =
    [libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_preadv, libc::SYS_preadv2];

/// Programs that find out by `lseek` where a file has data, of which the kernel says nothing, and
/// take the rest for zeros.
const HOLES: [&str; 11] =
    ["cp", "mv", "install", "tar", "bsdtar", "grep", "egrep", "fgrep", "rg", "rsync", "qemu-img"];

/// What the thread does that waits for an answer.
pub(crate) fn doing(thread: i32) -> Doing {
    let text = fs::read_to_string(format!("/proc/{thread}/syscall"));
    let doing = text.map_or(Doing::Else, |text| parse(&text));
    if doing == Doing::Reading && looks_for_holes(thread) { Doing::Else } else { doing }
}

fn looks_for_holes(thread: i32) -> bool {
    let name = fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
    HOLES.contains(&name.trim_end())
}

/// A number, six arguments, stack pointer and program counter; or `running`. A program of another
/// architecture (i386) counts its calls differently; none of those that reach a file's data there
/// has the number of a read or a cut here.
fn parse(text: &str) -> Doing {
    let mut words = text.split_whitespace();
    let Some(call) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
        return Doing::Else;
    };
    if READS.contains(&call) {
        return Doing::Reading;
    }
    let size = words.nth(1).and_then(|word| word.strip_prefix("0x"));
    let size = size.and_then(|word| u64::from_str_radix(word, 16).ok());
    match size {
        Some(size) if [libc::SYS_truncate, libc::SYS_ftruncate].contains(&call) => {
            Doing::Cutting(size)
        }
        _ => Doing::Else,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let call = |number: i64| format!("{number} 0x3 0x1000 0x10 0x0 0x0 0x0 0x7ffd 0x7f12\n");
        assert_eq!(parse(&call(libc::SYS_pread64)), Doing::Reading);
        assert_eq!(parse(&call(libc::SYS_ftruncate)), Doing::Cutting(0x1000));
        assert_eq!(parse(&call(libc::SYS_pwrite64)), Doing::Else);
        assert_eq!(parse("running\n"), Doing::Else);
        assert_eq!(parse("-1 0x7ffd 0x7f12\n"), Doing::Else);
        assert_eq!(parse(""), Doing::Else);
        assert_eq!(doing(0), Doing::Else);
    }
}
