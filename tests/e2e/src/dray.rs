//! The program under test, and what a run of it leaves.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

/// The release binary: `$DRAY_BIN`, or that of this target directory, built if it is not there.
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("DRAY_BIN") {
            return PathBuf::from(path);
        }
        // target/PROFILE/deps/this-test
        let this = std::env::current_exe().expect("a test has a path");
        let target = this.ancestors().nth(3).expect("tests lie below the target directory");
        let path = target.join("release/dray");
        if !path.is_file() {
            build(target);
        }
        assert!(path.is_file(), "no dray in {}", path.display());
        path
    })
}

/// The daemon beside the program.
pub fn daemon() -> PathBuf {
    let path = binary().with_file_name("drayd");
    assert!(path.is_file(), "no drayd in {}", path.display());
    path
}

fn build(target: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "-p", "dray-cli", "-p", "dray-node", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "dray could not be built");
}

/// `dray` with nothing of the caller's configuration.
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_remove("DRAY_CONFIG").stdin(Stdio::null());
    command
}

/// What a run left.
pub struct Output {
    /// The command line, for messages.
    pub line: String,
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { line, code, signal, stdout, stderr } = self;
        let stdout = String::from_utf8_lossy(stdout);
        write!(f, "{line}: code {code:?}, signal {signal:?}\n{stdout}\n{stderr}")
    }
}

impl Output {
    pub fn of(mut command: Command) -> Self {
        let line = command.get_args().map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
        let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
        Self {
            line,
            code: output.status.code(),
            signal: output.status.signal(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Demands an exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "dray {} (signal {:?})\nstdout: {}\nstderr: {}",
            self.line,
            self.signal,
            String::from_utf8_lossy(&self.stdout[..self.stdout.len().min(4000)]),
            self.stderr,
        );
        self
    }

    /// Demands words on standard error.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "dray {}: no {words:?} in {}", self.line, self.stderr);
        self
    }

    /// Everything on standard output as JSON, of which there may be several values.
    #[track_caller]
    pub fn values(&self) -> Vec<Value> {
        let values = serde_json::Deserializer::from_slice(&self.stdout).into_iter();
        values
            .map(|value| value.unwrap_or_else(|error| panic!("dray {}: {error}", self.line)))
            .collect()
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        let mut values = self.values();
        assert_eq!(values.len(), 1, "dray {} printed {values:?}", self.line);
        values.remove(0)
    }

    /// A number of the report.
    #[track_caller]
    pub fn count(&self, name: &str) -> u64 {
        let json = self.json();
        json[name].as_u64().unwrap_or_else(|| panic!("dray {}: no {name} in {json}", self.line))
    }
}
