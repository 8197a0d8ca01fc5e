//! What a program is about to do to a file, as its system call tells: `proc_pid_syscall(5)`.

use std::fs;

use dray_holder::wants_all;

/// What an access needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Reads, so what it reads.
    Reading,
    /// Cuts the file to this many bytes.
    Cutting(u64),
    /// Anything else, or it cannot be told: opening by a program that wants all, writing, mapping
    /// (which the kernel asks about once, and which may grow), cloning, requests of io_uring. So
    /// all of the file.
    Else,
}

const O_TRUNC: u32 = libc::O_TRUNC.cast_unsigned();

/// Numbers of the calls, which read into memory and do nothing else.
const READS: [i64; 5] =
    [libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_preadv, libc::SYS_preadv2];

/// What the thread does that waits for an answer; none while it only goes about to wait.
pub(crate) fn doing(thread: i32) -> Option<Doing> {
    let text = fs::read_to_string(format!("/proc/{thread}/syscall"));
    let doing = text.map_or(Some(Doing::Else), |text| parse(&text))?;
    let all = doing == Doing::Reading && wants_all(thread);
    Some(if all { Doing::Else } else { doing })
}

/// A number, six arguments, stack pointer and program counter; or `running`. A program of another
/// architecture (i386) counts its calls differently; none of those that reach a file's data there
/// has the number of a read or a cut here.
fn parse(text: &str) -> Option<Doing> {
    if text.trim_end() == "running" {
        return None;
    }
    Some(parse_call(text))
}

fn parse_call(text: &str) -> Doing {
    let mut words = text.split_whitespace();
    let Some(call) = words.next().and_then(|word| word.parse::<i64>().ok()) else {
        return Doing::Else;
    };
    if READS.contains(&call) {
        return Doing::Reading;
    }
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    let arguments: Vec<u64> = words.map_while(number).collect();
    let flags = match call {
        libc::SYS_truncate | libc::SYS_ftruncate => {
            return arguments.get(1).map_or(Doing::Else, |size| Doing::Cutting(*size));
        }
        libc::SYS_open => arguments.get(1),
        libc::SYS_openat => arguments.get(2),
        libc::SYS_creat => return Doing::Cutting(0),
        _ => None,
    };
    let cuts = flags.is_some_and(|flags| flags & u64::from(O_TRUNC) != 0);
    if cuts { Doing::Cutting(0) } else { Doing::Else }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CUTS: Doing = Doing::Cutting(0);

    #[test]
    fn calls_are_told_apart() {
        let call = |number: i64| format!("{number} 0x3 0x1000 0x10 0x0 0x0 0x0 0x7ffd 0x7f12\n");
        let parsed = |text: &str| parse(text).unwrap();
        assert_eq!(parsed(&call(libc::SYS_pread64)), Doing::Reading);
        assert_eq!(parsed(&call(libc::SYS_ftruncate)), Doing::Cutting(0x1000));
        assert_eq!(parsed(&call(libc::SYS_pwrite64)), Doing::Else);
        assert_eq!(parsed("257 0xffffff9c 0x7ffd 0x241 0x1b6 0x0 0x0 0x7ffd 0x7f12\n"), CUTS);
        assert_eq!(parsed("257 0xffffff9c 0x7ffd 0x0 0x0 0x0 0x0 0x7ffd 0x7f12\n"), Doing::Else);
        assert_eq!(parsed("-1 0x7ffd 0x7f12\n"), Doing::Else);
        assert_eq!(parsed(""), Doing::Else);
        assert_eq!(parse("running\n"), None);
        assert_eq!(doing(0), Some(Doing::Else));
    }
}
