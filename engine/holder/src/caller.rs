//! What a program is about to do to a file, as its system call tells: `proc_pid_syscall(5)`.

use std::fs;

use crate::programs::{comm, wants_all};

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

/// What the thread does that waits for an answer; none while it only goes about to wait, or if we
/// may not look. `opens` if it was asked about as it opens the file, and not its data: that may be
/// read while another file is opened, as by an overlay.
pub fn doing(thread: i32, opens: bool) -> Option<Doing> {
    let call = match fs::read_to_string(format!("/proc/{thread}/syscall")) {
        Ok(text) => Call::parse(&text)?,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        // It is not there any more.
        Err(_) => return Some(Doing::Else),
    };
    let doing = call.doing(opens, || comm(thread).starts_with("iou-wrk"));
    let partly = matches!(doing, Doing::Reading | Doing::Opening);
    Some(if partly && wants_all(thread) { Doing::Else } else { doing })
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

    /// `is_of_ring` tells of a thread of the kernel whether it works for an io_uring.
    fn doing(&self, opens: bool, is_of_ring: impl Fn() -> bool) -> Doing {
        let Some(number) = self.number else { return Doing::Else };
        if self.is_of_kernel() {
            // nfsd leaves a file as it is when it opens it.
            return if opens && !is_of_ring() { Doing::Opening } else { Doing::Else };
        }
        let flags = match number {
            libc::SYS_open => self.argument(1),
            libc::SYS_openat | libc::SYS_open_by_handle_at => self.argument(2),
            // Those of `openat2` are in the caller's memory, which may keep whoever reads it.
            libc::SYS_creat | libc::SYS_openat2 => Some(O_TRUNC),
            _ => None,
        };
        match number {
            _ if opens => match flags {
                Some(flags) if flags & O_TRUNC != 0 => Doing::Cutting(0),
                Some(_) => Doing::Opening,
                None => Doing::Else,
            },
            number if READS.contains(&number) => Doing::Reading,
            libc::SYS_truncate | libc::SYS_ftruncate => {
                self.argument(1).map_or(Doing::Else, Doing::Cutting)
            }
            _ => Doing::Else,
        }
    }

    /// Its last two words are stack pointer and program counter, which a thread of the kernel does
    /// not have; what it shows for a call is 0, or that of whoever made it.
    fn is_of_kernel(&self) -> bool {
        self.arguments.ends_with(&[0, 0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: i64, flags: u64) -> Call {
        let text = format!("{number} 0x3 0x1000 {flags:#x} 0x0 0x0 0x0 0x7ffd 0x7f12\n");
        Call::parse(&text).unwrap()
    }

    #[test]
    fn accesses_are_told_apart() {
        let does = |number| call(number, 0x10).doing(false, || false);
        assert_eq!(does(libc::SYS_pread64), Doing::Reading);
        assert_eq!(does(libc::SYS_ftruncate), Doing::Cutting(0x1000));
        assert_eq!(does(libc::SYS_pwrite64), Doing::Else);
        assert_eq!(does(libc::SYS_openat), Doing::Else);
        assert_eq!(does(libc::SYS_creat), Doing::Else);
        let parsed = |text| Call::parse(text).map(|call| call.doing(false, || false));
        assert_eq!(parsed("-1 0x7ffd 0x7f12\n"), Some(Doing::Else));
        assert_eq!(parsed(""), Some(Doing::Else));
        assert_eq!(parsed("running\n"), None);
        assert_eq!(doing(0, true), Some(Doing::Else));
    }

    #[test]
    fn openings_are_told_apart() {
        let does = |number, flags| call(number, flags).doing(true, || false);
        assert_eq!(does(libc::SYS_openat, 0x241), Doing::Cutting(0));
        assert_eq!(does(libc::SYS_openat, 0), Doing::Opening);
        assert_eq!(does(libc::SYS_open, 0x241), Doing::Opening);
        assert_eq!(does(libc::SYS_creat, 0), Doing::Cutting(0));
        assert_eq!(does(libc::SYS_openat2, 0), Doing::Cutting(0));
        // As `openat` is on i386.
        assert_eq!(does(libc::SYS_preadv, 0), Doing::Else);
    }

    #[test]
    fn a_thread_of_the_kernel_shows_nothing() {
        let call = || Call::parse("0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n").unwrap();
        assert_eq!(call().doing(false, || false), Doing::Else);
        assert_eq!(call().doing(true, || false), Doing::Opening);
        assert_eq!(call().doing(true, || true), Doing::Else);
    }
}
