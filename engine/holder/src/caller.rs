//! What a program is about to do to a file, as its system call tells: `proc_pid_syscall(5)`.

use std::fs;
use std::os::unix::fs::FileExt;

use crate::programs::wants_all;

/// What an access needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Opens the file and leaves it as it is, so nothing.
    Opening,
    /// Reads, so what it reads.
    Reading,
    /// Cuts the file to this many bytes. Opens it with `O_TRUNC`: to none.
    Cutting(u64),
    /// Anything else, or it cannot be told: opening by a program that wants all, writing, mapping
    /// (which the kernel asks about once, and which may grow), cloning, requests of io_uring. So
    /// all of the file.
    Else,
}

const O_TRUNC: u64 = libc::O_TRUNC.cast_unsigned() as u64;

/// Numbers of the calls, which read into memory and do nothing else.
const READS: [i64; 5] =
    [libc::SYS_read, libc::SYS_pread64, libc::SYS_readv, libc::SYS_preadv, libc::SYS_preadv2];

/// What the thread does that waits for an answer; none while it only goes about to wait. `opens` if
/// it was asked about as it opens the file, and not its data: that may be read while another file
/// is opened, as by an overlay.
pub fn doing(thread: i32, opens: bool) -> Option<Doing> {
    let text = fs::read_to_string(format!("/proc/{thread}/syscall"));
    let call = match text {
        Ok(text) => Call::parse(&text)?,
        Err(_) => return Some(Doing::Else),
    };
    let doing = match call.flags(|address| word_of(thread, address)) {
        Some(flags) if flags & O_TRUNC != 0 => Doing::Cutting(0),
        Some(_) if opens => Doing::Opening,
        Some(_) => Doing::Else,
        None => call.doing(opens),
    };
    let partly = matches!(doing, Doing::Reading | Doing::Opening);
    Some(if partly && wants_all(thread) { Doing::Else } else { doing })
}

/// A word of a thread's memory.
fn word_of(thread: i32, address: u64) -> Option<u64> {
    let mut word = [0; 8];
    let memory = fs::File::open(format!("/proc/{thread}/mem")).ok()?;
    memory.read_exact_at(&mut word, address).ok()?;
    // Linux on x86 and ARM: little-endian, like all that this project writes.
    Some(u64::from_le_bytes(word))
}

/// A system call: its number, and its arguments as far as they are told.
struct Call {
    /// None if it is in none.
    number: Option<i64>,
    arguments: Vec<u64>,
}

impl Call {
    /// From a number, six arguments, stack pointer and program counter; none from `running`. A
    /// program of another architecture (i386) counts its calls differently: its `openat` has the
    /// number of a `preadv` here; none else of those that reach a file has that of a read, a cut or
    /// an opening.
    fn parse(text: &str) -> Option<Self> {
        if text.trim_end() == "running" {
            return None;
        }
        let mut words = text.split_whitespace();
        let number = words.next().and_then(|word| word.parse().ok());
        let argument = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
        Some(Self { number, arguments: words.map_while(argument).collect() })
    }

    fn argument(&self, index: usize) -> Option<u64> {
        self.arguments.get(index).copied()
    }

    /// With which flags it opens; none if it does not, or if that cannot be told. `word` is one of
    /// the caller's memory.
    fn flags(&self, word: impl Fn(u64) -> Option<u64>) -> Option<u64> {
        match self.number? {
            libc::SYS_open => self.argument(1),
            libc::SYS_openat | libc::SYS_open_by_handle_at => self.argument(2),
            libc::SYS_creat => Some(O_TRUNC),
            // The first field of `open_how`.
            libc::SYS_openat2 => word(self.argument(2)?),
            _ => None,
        }
    }

    fn doing(&self, opens: bool) -> Doing {
        match self.number {
            Some(number) if READS.contains(&number) && !opens => Doing::Reading,
            Some(libc::SYS_truncate | libc::SYS_ftruncate) => {
                self.argument(1).map_or(Doing::Else, Doing::Cutting)
            }
            _ => Doing::Else,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHERE: &str = "0x0 0x0 0x0 0x7ffd 0x7f12\n";

    fn call(number: i64) -> Call {
        Call::parse(&format!("{number} 0x3 0x1000 0x10 {WHERE}")).unwrap()
    }

    #[test]
    fn calls_are_told_apart() {
        assert_eq!(call(libc::SYS_pread64).doing(false), Doing::Reading);
        assert_eq!(call(libc::SYS_preadv).doing(true), Doing::Else);
        assert_eq!(call(libc::SYS_ftruncate).doing(false), Doing::Cutting(0x1000));
        assert_eq!(call(libc::SYS_pwrite64).doing(false), Doing::Else);
        assert_eq!(Call::parse("-1 0x7ffd 0x7f12\n").unwrap().doing(false), Doing::Else);
        assert_eq!(Call::parse("").unwrap().doing(false), Doing::Else);
        assert!(Call::parse("running\n").is_none());
        assert_eq!(doing(0, true), Some(Doing::Else));
    }

    #[test]
    fn flags_of_openings_are_found() {
        let opens = |flags: u64| {
            let text = format!("257 0xffffff9c 0x7ffd {flags:#x} 0x1b6 {WHERE}");
            Call::parse(&text).unwrap().flags(|_| None)
        };
        assert_eq!((opens(0x241), opens(0)), (Some(0x241), Some(0)));
        assert_eq!(call(libc::SYS_open).flags(|_| None), Some(0x1000));
        assert_eq!(call(libc::SYS_creat).flags(|_| None), Some(O_TRUNC));
        assert_eq!(call(libc::SYS_openat2).flags(|address| Some(address + 1)), Some(0x11));
        assert_eq!(call(libc::SYS_openat2).flags(|_| None), None);
        assert_eq!(call(libc::SYS_read).flags(|_| None), None);
    }

    #[test]
    fn memory_of_a_thread_is_read() {
        let word = 0x1234_5678_u64;
        let own = i32::try_from(std::process::id()).unwrap();
        assert_eq!(word_of(own, std::ptr::from_ref(&word).addr() as u64), Some(word));
        assert_eq!(word_of(own, 0), None);
    }
}
