//! `dray init`: makes an archive and notes it, with the file system, in the configuration.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use dray_archive::{Archive, VolumePlace};
use dray_fs::{LinuxFiles, device_size, open_device_exclusive};
use serde_json::json;

use crate::exit::{Code, Failure};
use crate::output::{Output, json_path};
use crate::session::load;
use dray_node::config::{
    ArchiveConfig, Config, FsConfig, VOLUME_BYTES, check_volume_bytes, location,
};

/// Bytes at the start of a LUN that must be empty: file systems, partition tables and volumes all
/// leave something there.
const CHECKED_BYTES: usize = 1 << 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Directory whose files are to be managed
    #[arg(long, value_name = "DIR")]
    pub(crate) fs: PathBuf,
    /// Directory for the volumes, or a LUN that becomes one; LUNs may be given several times
    #[arg(long, required = true, value_name = "DIR|LUN")]
    pub(crate) archive: Vec<PathBuf>,
    /// Name of the archive in the configuration
    #[arg(long, default_value = "main")]
    pub(crate) name: String,
    /// Bytes that a volume in a directory grows to before the next is begun
    #[arg(long, default_value_t = VOLUME_BYTES)]
    pub(crate) volume_bytes: u64,
    /// Catalog file, for an archive on LUNs [default: beside the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) catalog: Option<PathBuf>,
    /// Overwrite LUNs that hold something
    #[arg(long)]
    pub(crate) force: bool,
}

pub(crate) fn run(
    options: &Options,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let path = location(config);
    let mut written = if path.exists() { load(Some(&path))? } else { Config::default() };
    prepare(options, &path, &mut written).map_err(Failure::configuration)?;
    written.write(&path).map_err(Failure::configuration)?;
    output.say(&format!("archive {} made; configuration in {}", options.name, path.display()));
    output.result(&json!({ "config": json_path(&path), "archive": options.name }));
    Ok(Code::Done)
}

/// Makes the archive and adds it to the configuration.
pub(super) fn prepare(options: &Options, path: &Path, config: &mut Config) -> anyhow::Result<()> {
    if config.archive_named(&options.name).is_some() {
        bail!("{} has an archive named {} already: choose a --name", path.display(), options.name);
    }
    std::fs::create_dir_all(&options.fs)
        .with_context(|| format!("cannot make {}", options.fs.display()))?;
    let fs = std::fs::canonicalize(&options.fs)
        .with_context(|| format!("cannot find {}", options.fs.display()))?;
    let entry = make_archive(options, path)?;
    config.archive.push(entry);
    let old = config.fs.iter().find(|known| known.path == fs);
    let policy = old.and_then(|known| known.policy.clone());
    let recall = old.map_or_else(Default::default, |known| known.recall);
    config.fs.retain(|known| known.path != fs);
    let archive = options.name.clone();
    config.fs.push(FsConfig { path: fs, archive, name: None, recall, policy });
    Ok(())
}

fn make_archive(options: &Options, config: &Path) -> anyhow::Result<ArchiveConfig> {
    check_volume_bytes(options.volume_bytes)?;
    let files = LinuxFiles::new();
    let id = random_id()?;
    let mut entry = ArchiveConfig {
        name: options.name.clone(),
        directory: None,
        luns: Vec::new(),
        volume_bytes: options.volume_bytes,
        catalog: options.catalog.clone(),
    };
    let luns = options.archive.iter().all(|path| is_lun(path));
    if !luns {
        let [directory] = options.archive.as_slice() else {
            bail!("an archive is one directory or some LUNs, not both");
        };
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make {}", directory.display()))?;
        let directory = std::fs::canonicalize(directory)?;
        let place =
            VolumePlace::Directory { path: directory.clone(), volume_bytes: options.volume_bytes };
        Archive::create(&files, &place, id, &[])
            .with_context(|| format!("cannot make an archive in {}", directory.display()))?;
        entry.directory = Some(directory);
        return Ok(entry);
    }
    let mut held = Vec::new();
    let mut sizes = Vec::new();
    for lun in &options.archive {
        let path = std::fs::canonicalize(lun)?;
        let device = open_device_exclusive(&path, true).map_err(|error| refusal(&path, error))?;
        let size = device_size(&device)?;
        check_volume_bytes(size).with_context(|| format!("LUN {}", path.display()))?;
        sizes.push(size);
        if !options.force {
            check_empty(&files, &device, &path)?;
        }
        // Held until the volume is made, so that nobody mounts it meanwhile.
        held.push(device);
        entry.luns.push(path);
    }
    Archive::create(&files, &VolumePlace::Luns(entry.luns.clone()), id, &sizes)?;
    entry.catalog.get_or_insert_with(|| config.with_extension(format!("{}.redb", options.name)));
    Ok(entry)
}

fn is_lun(path: &Path) -> bool {
    use std::os::unix::fs::FileTypeExt;
    std::fs::metadata(path).is_ok_and(|it| it.file_type().is_block_device() || it.is_file())
}

/// Says what it means that a LUN cannot be had.
pub(super) fn refusal(path: &Path, error: std::io::Error) -> anyhow::Error {
    if error.kind() == std::io::ErrorKind::ResourceBusy {
        return anyhow!("{} is mounted, or in use as part of something else", path.display());
    }
    anyhow::Error::from(error).context(format!("cannot open {}", path.display()))
}

fn check_empty(files: &LinuxFiles, device: &dray_fs::LinuxFile, path: &Path) -> anyhow::Result<()> {
    use dray_io::Files;
    let mut start = dray_io::Aligned::new(CHECKED_BYTES);
    let got = files.read_at(device, &mut start, 0)?;
    if start[..got].iter().any(|byte| *byte != 0) {
        bail!("{} holds something: give --force if it may be overwritten", path.display());
    }
    Ok(())
}

fn random_id() -> anyhow::Result<[u8; 16]> {
    use std::io::Read;
    let mut id = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut id)?;
    Ok(id)
}
