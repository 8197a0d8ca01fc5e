//! The crates of the workspace.

use anyhow::Context as _;
use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::repo;

/// Without external dependencies, so that no network and no lock is needed.
pub fn metadata() -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(repo::root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")
}

/// Where a crate lies, relative to the top.
pub fn folder(package: &Package) -> String {
    relative(package.manifest_path.parent().expect("a manifest lies in a folder").as_str())
}

/// A path below the top, relative to it.
pub fn relative(path: &str) -> String {
    let root = repo::root();
    let root = root.to_str().expect("the top's path is UTF-8, as cargo metadata demands");
    path.strip_prefix(root).unwrap_or(path).trim_start_matches('/').to_owned()
}
