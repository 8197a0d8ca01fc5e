//! Running other programs: always printed first, always from the top of the repository.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};
use cargo_metadata::MetadataCommand;

/// The top of the repository.
pub(crate) fn top() -> PathBuf {
    // Asked at run time: with one target directory for two copies of the repository the path
    // from compile time may be that of the other.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    here.ancestors().nth(2).expect("this crate lies two folders below the top").to_path_buf()
}

pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(top());
    // What cargo tells this program about itself is wrong for what it starts, and makes build
    // scripts that look at it run again.
    for (key, _) in std::env::vars_os() {
        let text = key.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| text.starts_with(prefix))
        {
            command.env_remove(&key);
        }
    }
    command
}

pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args);
    command
}

pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = MetadataCommand::new().current_dir(top()).no_deps().exec()?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// The command as one would type it.
pub(crate) fn text(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn announce(command: &Command) {
    println!("\n+ {}", text(command));
    // Keeps the order when both streams go to one file.
    let _ = io::stdout().flush();
}

/// Runs to the end; anything but success is an error that names the command.
pub(crate) fn step(command: &mut Command) -> Result<()> {
    announce(command);
    let name = text(command);
    let status = command.status().with_context(|| format!("{name}: cannot be run"))?;
    if !status.success() {
        bail!("{name} ({status})");
    }
    Ok(())
}

/// As [`step`], also keeping the lines of both streams that `keep` picks.
pub(crate) fn step_keeping(
    command: &mut Command,
    keep: fn(&str) -> bool,
) -> (Result<()>, Vec<String>) {
    announce(command);
    let name = text(command);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match child.with_context(|| format!("{name}: cannot be run")) {
        Ok(child) => child,
        Err(error) => return (Err(error), Vec::new()),
    };
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    let stderr = child.stderr.take().expect("stderr was asked to be a pipe");
    let kept = std::thread::scope(|scope| {
        let other = scope.spawn(|| pass_on(stderr, io::stderr(), keep));
        let mut kept = pass_on(stdout, io::stdout(), keep);
        kept.extend(other.join().expect("passing lines on does not panic"));
        kept
    });
    let result = match child.wait() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(anyhow::anyhow!("{name} ({status})")),
        Err(error) => Err(anyhow::anyhow!("{name}: {error}")),
    };
    (result, kept)
}

fn pass_on(from: impl Read, mut to: impl Write, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    for line in BufReader::new(from).split(b'\n').map_while(io::Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // A closed terminal is no reason to stop the tests.
        let _ = writeln!(to, "{line}");
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}

/// Runs all steps even if one fails, so that one run shows all there is to do.
pub(crate) fn all(steps: &mut [Command]) -> Result<()> {
    let failed: Vec<String> = steps
        .iter_mut()
        .filter_map(|it| step(it).err())
        .map(|error| format!("{error:#}"))
        .collect();
    if !failed.is_empty() {
        bail!("{}", failed.join("; "));
    }
    Ok(())
}

/// What the command prints, or `None` if it cannot be run or fails.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let out = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}
