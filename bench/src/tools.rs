use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::command::Cmd;

/// A program taking part, or found absent.
#[derive(Clone, Debug, Serialize)]
pub struct Tool {
    pub name: String,
    /// First line of `--version`; None when the program is absent.
    pub version: Option<String>,
    #[serde(skip)]
    pub(crate) path: PathBuf,
}

impl Tool {
    /// Looks in `$PATH`, then where `cargo install` puts programs.
    pub fn find(name: &str) -> Self {
        let path = search(name);
        let version = path.as_deref().map(version);
        Self { name: name.to_owned(), version, path: path.unwrap_or_default() }
    }

    pub(crate) fn at(name: &str, path: &Path) -> Self {
        Self { name: name.to_owned(), version: Some(version(path)), path: path.to_owned() }
    }

    pub fn present(&self) -> bool {
        self.version.is_some()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn cmd(&self) -> Cmd {
        Cmd::new(&self.path)
    }
}

fn search(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo = env::var_os("HOME").map(|home| Path::new(&home).join(".cargo/bin"));
    let usable = |file: &PathBuf| {
        file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&path).chain(cargo).map(|dir| dir.join(name)).find(usable)
}

fn version(path: &Path) -> String {
    match Cmd::new(path).arg("--version").run() {
        Ok(finished) => finished.stdout.lines().next().unwrap_or_default().trim().to_owned(),
        Err(_) => "present, gives no version".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn present_and_absent() {
        let cp = Tool::find("cp");
        assert!(cp.present() && cp.version.is_some_and(|version| version.contains("cp")));
        assert!(!Tool::find("no-such-program-anywhere").present());
    }
}
