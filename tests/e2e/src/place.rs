//! A directory of its own for each test, with a managed tree, an archive and a configuration.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dray::{Output, binary, command};
use crate::guard::{Tmpfs, is_root};
use crate::states::States;

/// User and group without any privilege.
pub const NOBODY: u32 = 65_534;

pub struct Place {
    directory: tempfile::TempDir,
    /// The managed tree.
    pub fs: PathBuf,
    /// Where volumes are, if the archive is a directory.
    pub archive: PathBuf,
    pub config: PathBuf,
    /// Run as somebody without privilege though the test is root.
    plain: bool,
    program: PathBuf,
}

impl Place {
    /// Nothing made yet but the directories.
    #[track_caller]
    pub fn bare() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("dray-e2e-")
            .tempdir()
            .expect("a temporary directory can be made");
        let path = fs::canonicalize(directory.path()).expect("it is there");
        let (fs, archive) = (path.join("fs"), path.join("archive"));
        fs::create_dir(&fs).expect("a directory can be made");
        let config = path.join("dray.toml");
        let program = binary().to_owned();
        Self { directory, fs, archive, config, plain: false, program }
    }

    /// With an archive in a directory.
    #[track_caller]
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// With an archive in a directory and further words for `dray init`.
    #[track_caller]
    pub fn with(words: &[&str]) -> Self {
        let place = Self::bare();
        place.init(words);
        place
    }

    /// As [`new`](Self::new), run by somebody without privilege. If the test is root, that is
    /// nobody; else it is whoever runs the test.
    #[track_caller]
    pub fn unprivileged() -> Self {
        let mut place = Self::bare();
        if is_root() {
            place.plain = true;
            // The build's own directory need not be open to others.
            place.program = place.path().join("dray");
            fs::copy(binary(), &place.program).expect("the program can be copied");
            chown(place.path(), Some(NOBODY), Some(NOBODY)).expect("an owner can be set");
            chown(&place.fs, Some(NOBODY), Some(NOBODY)).expect("an owner can be set");
            let all = fs::Permissions::from_mode(0o755);
            fs::set_permissions(place.path(), all).expect("a mode can be set");
        }
        place.init(&[]);
        place
    }

    /// Another tree and archive than the usual.
    #[track_caller]
    pub fn on(fs: &Path, archive: &Path) -> Self {
        let mut place = Self::bare();
        place.fs = fs.to_owned();
        place.archive = archive.to_owned();
        place.init(&[]);
        place
    }

    /// With the archive on a file system in memory of so many bytes, for root.
    #[track_caller]
    pub fn confined(bytes: u64, words: &[&str]) -> (Self, Tmpfs) {
        let place = Self::bare();
        let memory = Tmpfs::new(&place.archive, bytes);
        place.init(words);
        (place, memory)
    }

    #[track_caller]
    pub fn init(&self, words: &[&str]) {
        let mut arguments: Vec<&OsStr> = ["init", "--fs"].map(OsStr::new).to_vec();
        arguments.extend([self.fs.as_os_str(), OsStr::new("--archive"), self.archive.as_os_str()]);
        arguments.extend(words.iter().map(OsStr::new));
        self.run(arguments).expect(0);
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A path below the managed tree.
    pub fn file(&self, name: &str) -> PathBuf {
        self.fs.join(name)
    }

    /// Adds a line to the `[engine]` table of the configuration.
    #[track_caller]
    pub fn set_engine(&self, line: &str) {
        let text = fs::read_to_string(&self.config).expect("the configuration can be read");
        assert!(text.contains("[engine]\n"), "no [engine] in {text}");
        let name = line.split(' ').next().expect("a name");
        let kept = text.lines().filter(|it| !it.starts_with(&format!("{name} = ")));
        let text = kept.collect::<Vec<_>>().join("\n") + "\n";
        let text = text.replace("[engine]\n", &format!("[engine]\n{line}\n"));
        fs::write(&self.config, text).expect("the configuration can be written");
    }

    /// `dray` with the configuration of this place and JSON output.
    pub fn dray<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.through(&[], arguments)
    }

    /// As [`dray`](Self::dray), started by another program with its own words.
    pub fn through<A: AsRef<OsStr>>(
        &self,
        starter: &[&str],
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        let mut words: Vec<OsString> = starter.iter().map(OsString::from).collect();
        if self.plain {
            let user = format!("--reuid={NOBODY}");
            let group = format!("--regid={NOBODY}");
            let words_of = ["setpriv", &user, &group, "--clear-groups"];
            words.splice(0..0, words_of.map(OsString::from));
        }
        words.push(self.program.clone().into());
        let mut command = command(Path::new(&words[0]));
        command.args(&words[1..]).arg("--json").arg("--config").arg(&self.config);
        command.args(arguments);
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Output {
        Output::of(self.dray(arguments))
    }

    /// A command on the whole managed tree.
    pub fn all(&self, word: &str) -> Output {
        self.run([OsStr::new(word), self.fs.as_os_str()])
    }

    /// A command on the whole managed tree, again as long as files are in use.
    #[track_caller]
    pub fn patiently(&self, word: &str) -> Output {
        for _ in 0..5 {
            let output = self.all(word);
            if output.code != Some(4) {
                return output.expect(0);
            }
        }
        self.all(word).expect(0)
    }

    /// A command on one path.
    pub fn one(&self, word: &str, path: &Path) -> Output {
        self.run([OsStr::new(word), path.as_os_str()])
    }

    #[track_caller]
    pub fn states(&self) -> States {
        States::from_lines(&self.all("state").expect(0).values())
    }

    #[track_caller]
    pub fn word(&self, path: &Path) -> String {
        let states = States::from_lines(&self.one("state", path).expect(0).values());
        states.word(path).to_owned()
    }

    /// The content that the archive has.
    #[track_caller]
    pub fn cat(&self, path: &Path) -> Output {
        self.run([OsStr::new("volume"), OsStr::new("cat"), path.as_os_str()])
    }

    /// Volume files, by number.
    #[track_caller]
    pub fn volumes(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.archive).expect("the archive can be read");
        let mut found: Vec<PathBuf> = entries
            .map(|entry| entry.expect("an entry can be read").path())
            .filter(|path| path.extension() == Some(OsStr::new("dray")))
            .collect();
        found.sort();
        found
    }
}

impl Default for Place {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// The second reader of volumes, or `None` where there is no Python.
pub fn reader(words: &[&OsStr]) -> Option<Output> {
    if !crate::guard::have("python3") {
        return None;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/read_volume.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(words);
    Some(Output::of(command))
}
