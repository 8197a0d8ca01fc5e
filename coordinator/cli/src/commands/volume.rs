//! `dray volume list|verify|cat|extract|rebuild`: an archive without its file systems.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use dray_archive::catalog::{Catalog, Entry};
use dray_archive::{Archive, Damage, VolumePlace, verify_volumes};
use dray_fs::LinuxFiles;
use dray_io::{Aligned, Kind, Range};
use dray_node::{Extracted, Extraction};
use serde_json::{Value, json};

use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::session::{Session, catalog_path};
use dray_node::config::{ArchiveConfig, VOLUME_BYTES};

#[derive(Debug, Subcommand)]
pub(crate) enum VolumeCommand {
    /// List archived files, all or below PATH
    List(Selection),
    /// Read volumes and check every byte of them
    Verify {
        #[command(flatten)]
        archive: WhichArchive,
        /// Volume files or LUNs [default: all of the archive]
        volumes: Vec<PathBuf>,
    },
    /// Write the content of an archived file to standard output
    Cat {
        #[command(flatten)]
        archive: WhichArchive,
        /// Absolute path as archived
        path: PathBuf,
    },
    /// Make archived files anew below a directory
    Extract {
        /// Directory to make them in
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
        #[command(flatten)]
        selection: Selection,
    },
    /// Make the catalog anew from the volumes
    Rebuild(WhichArchive),
}

#[derive(Debug, Args)]
pub(crate) struct WhichArchive {
    /// Archive of the configuration, by name [default: the only one]
    #[arg(long, value_name = "NAME")]
    archive: Option<String>,
    /// Archive directory, without a configuration
    #[arg(long, value_name = "DIR", conflicts_with = "archive")]
    directory: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Selection {
    #[command(flatten)]
    archive: WhichArchive,
    /// Absolute paths as archived; directories with all that is in them
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

/// An archive open for looking.
struct Opened {
    session: Session,
    config: ArchiveConfig,
    archive: Archive<LinuxFiles>,
}

impl WhichArchive {
    fn session(&self, config: Option<&Path>) -> Result<(Session, ArchiveConfig), Failure> {
        let Some(directory) = &self.directory else {
            let session = Session::open(config)?;
            let archive = session.archive_config(self.archive.as_deref())?.clone();
            return Ok((session, archive));
        };
        let archive = ArchiveConfig {
            name: "main".to_owned(),
            directory: Some(directory.clone()),
            luns: Vec::new(),
            volume_bytes: VOLUME_BYTES,
            catalog: None,
        };
        Ok((Session::with(dray_node::config::Config::default()), archive))
    }

    fn open(&self, config: Option<&Path>) -> Result<Opened, Failure> {
        let (session, config) = self.session(config)?;
        let archive = session.open_archive(&config)?;
        Ok(Opened { session, config, archive })
    }
}

impl Opened {
    fn catalog(&self) -> Result<Catalog, Failure> {
        self.session.catalog(&self.config, &self.archive)
    }

    fn files(&self) -> &LinuxFiles {
        self.session.files()
    }
}

pub(crate) fn run(
    command: VolumeCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    match command {
        VolumeCommand::List(selection) => list(&selection, config, output),
        VolumeCommand::Verify { archive, volumes } => verify(&archive, &volumes, config, output),
        VolumeCommand::Cat { archive, path } => cat(&archive.open(config)?, &path),
        VolumeCommand::Extract { to, selection } => extract(&to, &selection, config, output),
        VolumeCommand::Rebuild(archive) => rebuild(&archive.open(config)?, output),
    }
}

fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Directory => "directory",
        Kind::Symlink => "symlink",
        Kind::Fifo => "fifo",
        Kind::Socket => "socket",
        Kind::CharDevice => "character",
        Kind::BlockDevice => "block",
    }
}

/// Calls `visit` for the selected entries; all if none are named.
fn each(
    catalog: &Catalog,
    paths: &[PathBuf],
    visit: &mut dyn FnMut(Entry) -> dray_archive::Result<()>,
) -> Result<(), Failure> {
    if paths.is_empty() {
        catalog.list(Path::new(""), visit)?;
    }
    for path in paths {
        catalog.list(path, visit)?;
    }
    Ok(())
}

fn list(selection: &Selection, config: Option<&Path>, output: &Output) -> Result<Code, Failure> {
    let opened = selection.archive.open(config)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut closed = false;
    each(&opened.catalog()?, &selection.paths, &mut |entry| {
        let line = if output.json {
            describe(&entry).to_string()
        } else {
            format!("{:<9} {:>14}  {}", kind_word(entry.kind), entry.size, text_path(&entry.path))
        };
        // A reader that has seen enough (`| head`) is no error.
        closed = closed || writeln!(out, "{line}").is_err();
        Ok(())
    })?;
    closed = closed || out.flush().is_err();
    Ok(if closed { Code::Failed } else { Code::Done })
}

fn describe(entry: &Entry) -> Value {
    json!({
        "path": json_path(&entry.path),
        "kind": kind_word(entry.kind),
        "size": entry.size,
        "inode": entry.handle.inode,
        "generation": entry.handle.generation,
        "volume": entry.location.volume,
        "manifest": entry.location.at,
    })
}

fn verify(
    which: &WhichArchive,
    volumes: &[PathBuf],
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let mut found = Vec::new();
    let mut tell = |damage: &Damage| {
        output.warn(&damage_line(damage));
        found.push(damage_json(damage));
    };
    let mut lost = 0;
    let paths = if volumes.is_empty() {
        let opened = which.open(config)?;
        for (path, what) in opened.archive.unreadable() {
            let volume = path.clone();
            tell(&Damage { volume, segment: None, file: None, at: 0, file_offset: None, what });
            lost += 1;
        }
        opened.archive.volumes().iter().map(|volume| volume.path.clone()).collect()
    } else {
        let resolve = |path: &PathBuf| crate::session::resolve(path);
        volumes.iter().map(resolve).collect::<Result<Vec<_>, _>>()?
    };
    let mut total = verify_volumes(&LinuxFiles::new(), &paths, &mut tell)?;
    total.damages += lost;
    output.say(&format!(
        "{} volumes, {} segments, {} records, {:.1} MiB of data: {} damaged places; {} segments \
         that were never acknowledged",
        paths.len(),
        total.segments,
        total.records,
        total.data_bytes as f64 / 1_048_576.0,
        total.damages,
        total.torn,
    ));
    output.result(&json!({
        "volumes": paths.len(),
        "segments": total.segments,
        "records": total.records,
        "data_bytes": total.data_bytes,
        "torn": total.torn,
        "damages": found,
    }));
    Ok(if total.damages == 0 { Code::Done } else { Code::Damage })
}

pub(super) fn damage_line(damage: &Damage) -> String {
    let mut line = format!("damaged at byte {} of {}", damage.at, damage.volume.display());
    if let Some(segment) = damage.segment {
        line.push_str(&format!(", segment at {segment}"));
    }
    if let Some(file) = &damage.file {
        line.push_str(&format!(", file {}", text_path(file)));
    }
    if let Some(offset) = damage.file_offset {
        line.push_str(&format!(", file offset {offset}"));
    }
    format!("{line}: {}", damage.what)
}

fn damage_json(damage: &Damage) -> Value {
    json!({
        "volume": json_path(&damage.volume),
        "segment": damage.segment,
        "file": damage.file.as_deref().map(json_path),
        "at": damage.at,
        "file_offset": damage.file_offset,
        "what": damage.what,
    })
}

fn cat(opened: &Opened, path: &Path) -> Result<Code, Failure> {
    let files = opened.files();
    let entry = opened.catalog()?.find(path)?;
    let entry = entry.ok_or_else(|| anyhow::anyhow!("{} is not in the archive", path.display()))?;
    let (record, segment) = opened.archive.manifest(files, entry.location)?;
    let mut out = std::io::stdout().lock();
    let (mut at, mut buffer) = (0, Aligned::new(0));
    let whole = Range::new(0, record.size);
    let place = (entry.location.volume, segment);
    let mut written = Ok(());
    opened.archive.read(files, &record, place, whole, &mut buffer, &mut |offset, bytes| {
        if written.is_ok() {
            written = zeros(&mut out, offset - at).and_then(|()| out.write_all(bytes));
        }
        at = offset + bytes.len() as u64;
        Ok(())
    })?;
    written
        .and_then(|()| zeros(&mut out, record.size - at))
        .and_then(|()| out.flush())
        .map_err(|error| anyhow::Error::from(error).context("cannot write standard output"))?;
    Ok(Code::Done)
}

fn zeros(out: &mut impl Write, mut length: u64) -> std::io::Result<()> {
    const ZEROS: [u8; 4096] = [0; 4096];
    while length > 0 {
        let part = length.min(ZEROS.len() as u64);
        out.write_all(&ZEROS[..part as usize])?;
        length -= part;
    }
    Ok(())
}

fn extract(
    to: &Path,
    selection: &Selection,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let opened = selection.archive.open(config)?;
    let catalog = opened.catalog()?;
    std::fs::create_dir_all(to).map_err(|error| {
        anyhow::Error::from(error).context(format!("cannot make {}", to.display()))
    })?;
    let root = std::fs::canonicalize(to).map_err(|error| {
        anyhow::Error::from(error).context(format!("cannot find {}", to.display()))
    })?;
    let (mut made, mut bytes, mut code) = (0_u64, 0_u64, Code::Done);
    let mut extraction = Extraction::new(opened.files(), &opened.archive, &root);
    for directories in [false, true] {
        each(&catalog, &selection.paths, &mut |entry| {
            let outcome = match directories {
                false => extraction.make(&entry),
                true if entry.kind == Kind::Directory => extraction.finish_directory(&entry),
                true => return Ok(()),
            };
            match outcome {
                Ok(Extracted::Made { bytes: size, missing }) => {
                    made += 1;
                    bytes += size;
                    for name in missing {
                        let name = name.escape_ascii();
                        output.warn(&format!("{}: no {name}", text_path(&entry.path)));
                    }
                }
                Ok(Extracted::Later) => {}
                Err(error) => {
                    let path = text_path(&entry.path);
                    output.warn(&format!("{path}: {error}\n      {}", error.advice()));
                    let damage = Failure::from(error).code;
                    code = if code == Code::Damage { code } else { damage };
                }
            }
            Ok(())
        })?;
    }
    output.say(&format!("{made} files and directories, {bytes} bytes"));
    output.result(&json!({ "made": made, "bytes": bytes }));
    Ok(code)
}

fn rebuild(opened: &Opened, output: &Output) -> Result<Code, Failure> {
    let path = catalog_path(&opened.config)?;
    // The old one stays until the new one is whole.
    let new = path.with_extension("redb.new");
    let remove = |path: &Path| match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    remove(&new).map_err(anyhow::Error::from)?;
    let mut records = 0;
    let bar = output.progress("reading");
    let catalog = Catalog::open(&new)?;
    catalog.catch_up(opened.files(), &opened.archive, &mut |seen| {
        records = seen;
        bar.set_message(format!("{seen} records"));
    })?;
    bar.finish_and_clear();
    drop(catalog);
    std::fs::rename(&new, &path).map_err(anyhow::Error::from)?;
    let volumes = opened.archive.volumes().len();
    output.say(&format!("{records} records from {volumes} volumes in {}", place_name(opened)));
    output.result(&json!({ "records": records, "volumes": volumes }));
    Ok(Code::Done)
}

fn place_name(opened: &Opened) -> String {
    match opened.archive.place() {
        VolumePlace::Directory { path, .. } => path.display().to_string(),
        VolumePlace::Luns(paths) => format!("{} LUNs", paths.len()),
    }
}
