//! Makes the machine fit for the tests, or says what it lacks.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::run;

/// A program, the package it comes in, and what cannot run without it.
struct Tool {
    program: &'static str,
    package: &'static str,
    tests: &'static str,
}

/// The client of etcd is made from etcd's own description of its protocol when it is built.
const PROTOC: &str = "protoc";

/// Features that build what uses etcd: the product, and all there is.
const ETCD: [&str; 2] = ["--features", "dray-cli/etcd,dray-node/etcd"];
const ETCD_ALL: [&str; 2] =
    ["--features", "dray-cli/etcd,dray-node/etcd,dray-store/etcd,dray-bench/etcd,dray-e2e/etcd"];

const TOOLS: [Tool; 14] = [
    Tool { program: "mkfs.xfs", package: "xfsprogs", tests: "tests on XFS" },
    Tool { program: "mkfs.btrfs", package: "btrfs-progs", tests: "tests on btrfs" },
    Tool { program: "mkfs.ext4", package: "e2fsprogs", tests: "tests on ext4" },
    Tool { program: "losetup", package: "mount", tests: "tests on loop devices" },
    Tool { program: "python3", package: "python3", tests: "tests of the second volume reader" },
    Tool { program: "ip", package: "iproute2", tests: "tests of a cluster" },
    Tool { program: PROTOC, package: "protobuf-compiler", tests: "what uses etcd" },
    Tool { program: "etcd", package: "etcd-server", tests: "tests on etcd" },
    Tool { program: "git", package: "git", tests: "tests of programs" },
    Tool { program: "rsync", package: "rsync", tests: "tests of programs" },
    Tool { program: "sqlite3", package: "sqlite3", tests: "tests of programs" },
    Tool { program: "setfattr", package: "attr", tests: "tests of extended attributes" },
    Tool { program: "getfattr", package: "attr", tests: "tests of extended attributes" },
    Tool { program: "setfacl", package: "acl", tests: "tests of access control lists" },
];

/// `PATH` with the folders where an unprivileged shell does not look for `mkfs` and `losetup`.
pub(crate) fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/local/sbin:/usr/sbin:/sbin")
}

fn found(program: &str) -> bool {
    path().split(':').any(|folder| Path::new(folder).join(program).is_file())
}

fn missing() -> Vec<&'static Tool> {
    TOOLS.iter().filter(|tool| !found(tool.program)).collect()
}

pub(crate) fn is_root() -> bool {
    // The owner of this entry is the effective user of the process.
    std::fs::metadata("/proc/self").is_ok_and(|stat| stat.uid() == 0)
}

/// What to build beside the usual in the whole workspace, as far as this machine can; says what
/// it cannot.
pub(crate) fn features() -> &'static [&'static str] {
    if found(PROTOC) {
        return &ETCD_ALL;
    }
    println!("without etcd, which is neither built nor tested: no {PROTOC}");
    &[]
}

/// The same of the two programs.
pub(crate) fn product_features() -> &'static [&'static str] {
    if features().is_empty() { &[] } else { &ETCD }
}

/// Installs what is missing where that is possible. Never fails: tests that lack a tool say so
/// themselves and are listed at the end.
pub(crate) fn prepare() {
    if !missing().is_empty() {
        if is_root() && found("apt-get") {
            if let Err(error) = install(&missing()) {
                println!("tools could not be installed: {error:#}");
            }
        } else {
            println!("tools are missing and are installed only as root with apt-get present");
        }
    }
    for tool in missing() {
        println!("{} cannot run: no {} (package {})", tool.tests, tool.program, tool.package);
    }
    if !is_root() {
        println!("tests on loop devices cannot run: not root");
    }
}

fn install(tools: &[&Tool]) -> anyhow::Result<()> {
    let mut packages: Vec<&str> = tools.iter().map(|tool| tool.package).collect();
    packages.sort_unstable();
    packages.dedup();
    let apt = || {
        let mut command = run::program("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    // The lists may be stale and the package still be had.
    if let Err(error) = run::step(apt().arg("update")) {
        println!("{error:#}");
    }
    run::step(apt().args(["install", "-y", "--no-install-recommends"]).args(packages))
}
