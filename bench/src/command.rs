use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use wait4::{ResUse, Wait4};

use crate::interrupt;

const TIMEOUT: Duration = Duration::from_secs(600);
const GRACE: Duration = Duration::from_secs(5);
const ERROR_BYTES: usize = 2000;

/// A child process to be: program and arguments, run without a shell.
#[derive(Clone, Debug)]
pub(crate) struct Cmd {
    program: PathBuf,
    args: Vec<OsString>,
    variables: Vec<(&'static str, &'static str)>,
    timeout: Duration,
}

/// What the child and the descendants it waited for have used.
#[derive(Clone, Debug, Default)]
pub(crate) struct Finished {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
    pub(crate) peak_memory: u64,
    pub(crate) stdout: String,
}

impl Cmd {
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        let (args, variables) = (Vec::new(), Vec::new());
        Self { program: program.into(), args, variables, timeout: TIMEOUT }
    }

    pub(crate) fn variable(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same under another program that takes a command line after its own.
    pub(crate) fn under(self, other: Self) -> Self {
        let other = other.arg(&self.program).args(&self.args);
        Self { variables: self.variables, ..other }
    }

    /// Brings the program itself into memory, as far as `--version` needs it.
    pub(crate) fn load(&self) -> Result<()> {
        // One that does not know the option has been read all the same; one that cannot be run
        // says so when it is timed.
        let _ = Self::new(&self.program).arg("--version").run();
        interrupt::check()
    }

    /// The command line as one would type it, the program by its name.
    pub(crate) fn line(&self) -> String {
        let mut line = String::new();
        for (name, value) in &self.variables {
            line.push_str(&format!("{name}={} ", quoted(OsStr::new(value))));
        }
        line += &quoted(self.program.file_name().unwrap_or(self.program.as_os_str()));
        for arg in &self.args {
            line.push(' ');
            line.push_str(&quoted(arg));
        }
        line
    }

    /// Runs to the end; a failed exit, a timeout or an interruption is an error.
    pub(crate) fn run(&self) -> Result<Finished> {
        let (finished, failure) = self.attempt()?;
        match failure {
            Some(why) => Err(anyhow!(why)).with_context(|| self.line()),
            None => Ok(finished),
        }
    }

    /// Runs to the end, also a bad one: what was used, and how the exit failed.
    pub(crate) fn attempt(&self) -> Result<(Finished, Option<String>)> {
        self.attempt_inner().with_context(|| self.line())
    }

    fn attempt_inner(&self) -> Result<(Finished, Option<String>)> {
        interrupt::check()?;
        // Files instead of pipes: nobody has to read along while the clock runs.
        let mut out = tempfile::tempfile().context("file for stdout")?;
        let mut err = tempfile::tempfile().context("file for stderr")?;
        let child = Command::new(&self.program)
            .args(&self.args)
            .env("LC_ALL", "C")
            .envs(self.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(err.try_clone()?)
            .spawn()
            .context("spawn")?;
        let used = wait_bounded(child, self.timeout)?;
        let mut failure = None;
        if !used.status.success() {
            let err = text_of(&mut err)?;
            let start = err.floor_char_boundary(err.len().saturating_sub(ERROR_BYTES));
            failure = Some(format!("{}: {}", used.status, err[start..].trim()));
        }
        let finished = Finished {
            user: used.rusage.utime,
            system: used.rusage.stime,
            peak_memory: used.rusage.maxrss,
            stdout: text_of(&mut out)?,
        };
        Ok((finished, failure))
    }
}

/// Flushes the file system of `dir`, as a child so that its CPU time is seen too.
pub(crate) fn flush(dir: &Path) -> Cmd {
    Cmd::new("sync").arg("-f").arg(dir)
}

fn wait_bounded(mut child: Child, timeout: Duration) -> Result<ResUse> {
    let pidfd = match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(error) => {
            child.kill().context("kill")?;
            child.wait().context("wait")?;
            return Err(error).context("pidfd_open");
        }
    };
    let ended = wait_until(&pidfd, Instant::now() + timeout, interrupt::seen)?;
    if !ended {
        // TERM first: a launcher such as mpirun ends its ranks then.
        signal(&pidfd, Signal::TERM)?;
        if !wait_until(&pidfd, Instant::now() + GRACE, || false)? {
            signal(&pidfd, Signal::KILL)?;
        }
    }
    let used = child.wait4().context("wait4")?;
    interrupt::check()?;
    if ended { Ok(used) } else { Err(anyhow!("killed after {} s", timeout.as_secs_f64())) }
}

fn signal(pidfd: &OwnedFd, signal: Signal) -> Result<()> {
    match pidfd_send_signal(pidfd, signal) {
        Ok(()) | Err(Errno::SRCH) => Ok(()),
        Err(error) => Err(error).context("pidfd_send_signal"),
    }
}

/// True when the process has ended, false at the deadline or when told to give up.
fn wait_until(pidfd: &OwnedFd, deadline: Instant, give_up: fn() -> bool) -> Result<bool> {
    loop {
        if poll_once(pidfd, deadline)? {
            return Ok(true);
        }
        if give_up() || Instant::now() >= deadline {
            return Ok(false);
        }
    }
}

fn poll_once(pidfd: &OwnedFd, deadline: Instant) -> Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).context("timeout out of range")?;
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    match poll(&mut fds, Some(&left)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(error).context("poll"),
    }
}

fn text_of(file: &mut File) -> Result<String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_cpu_and_keeps_output() {
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done";
        let finished = Cmd::new("sh").args(["-c", script]).run().expect("sh runs");
        assert_eq!(finished.stdout, "done\n");
        assert!(finished.user + finished.system > Duration::from_millis(5));
    }

    #[test]
    fn failure_names_command_and_reason() {
        let error = Cmd::new("sh").args(["-c", "echo why >&2; exit 3"]).run();
        let error = format!("{:#}", error.expect_err("exit 3 is a failure"));
        assert!(error.contains("why") && error.contains("sh -c 'echo why"), "{error}");
    }

    #[test]
    fn timeout_kills() {
        let begun = Instant::now();
        let error = Cmd::new("sleep").arg("60").timeout(Duration::from_millis(100)).run();
        assert!(format!("{:#}", error.expect_err("killed")).contains("killed after 0.1 s"));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn lines_are_quoted() {
        let cmd = Cmd::new("tar").args(["-cf", "a b", "it's"]);
        assert_eq!(cmd.line(), r"tar -cf 'a b' 'it'\''s'");
    }
}
