use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;
use dray_device::parse_size;

/// Every name `dray bench copy --only` knows.
pub(crate) const COPY_NAMES: [&str; 10] = [
    "dray",
    "archive",
    "cp",
    "dd",
    "qemu-img-threads",
    "qemu-img-io_uring",
    "xcp",
    "dcp",
    "rsync",
    "fio",
];

/// Every name `dray bench files --only` knows.
pub(crate) const FILES_NAMES: [&str; 5] = ["dray", "tar", "xcp", "cp", "rsync"];

/// Every name `dray bench engines --only` knows.
pub(crate) const ENGINE_NAMES: [&str; 4] = ["ring", "tokio-uring", "glommio", "threads"];

/// One large file: dray and its rivals, alternating.
#[derive(Args, Clone, Debug)]
pub struct CopyOptions {
    /// Directory to work in; its file system and device are what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Size of the file (suffixes K, M, G, T), rounded up to a whole MiB
    #[arg(long, value_name = "BYTES", default_value = "4G", value_parser = parse_size)]
    pub size: u64,
    /// Timed rounds, at least 5
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..))]
    pub rounds: u32,
    /// Run only these, comma separated; dray's own copy always runs
    #[arg(long, value_name = "NAMES", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(COPY_NAMES))]
    pub only: Vec<String>,
    /// Leave the working files in place
    #[arg(long)]
    pub keep: bool,
}

/// A tree of small files: dray and its rivals, alternating.
#[derive(Args, Clone, Debug)]
pub struct FilesOptions {
    /// Directory to work in; its file system and device are what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Number of files, 100 to a directory
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Smallest file
    #[arg(long, value_name = "BYTES", default_value = "1K", value_parser = parse_size)]
    pub min: u64,
    /// Largest file
    #[arg(long, value_name = "BYTES", default_value = "64K", value_parser = parse_size)]
    pub max: u64,
    /// Timed rounds, at least 5
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..))]
    pub rounds: u32,
    /// Run only these, comma separated; dray always runs
    #[arg(long, value_name = "NAMES", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(FILES_NAMES))]
    pub only: Vec<String>,
    /// Leave the working files in place
    #[arg(long)]
    pub keep: bool,
}

/// The same reads and the same copy by the ring of dray and by other engines, alternating.
#[derive(Args, Clone, Debug)]
pub struct EnginesOptions {
    /// Directory to work in; its file system and device are what is measured
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// The program with the engines [default: dray-engines beside dray, or in $PATH]
    #[arg(long, value_name = "FILE")]
    pub engines: Option<PathBuf>,
    /// Size of the file that is read and copied, rounded up to a whole MiB
    #[arg(long, value_name = "BYTES", default_value = "1G", value_parser = parse_size)]
    pub size: u64,
    /// Reads of 4 KiB at random places of it
    #[arg(long, default_value_t = 200_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub reads: u64,
    /// Reads under way at once
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub read_depth: u32,
    /// Requests of 1 MiB under way at once
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub copy_depth: u32,
    /// Timed rounds, at least 5
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(5..))]
    pub rounds: u32,
    /// Run only these, comma separated; the ring always runs
    #[arg(long, value_name = "NAMES", value_delimiter = ',',
          value_parser = PossibleValuesParser::new(ENGINE_NAMES))]
    pub only: Vec<String>,
    /// Leave the working files in place
    #[arg(long)]
    pub keep: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Copy {
        #[command(flatten)]
        options: CopyOptions,
    }

    #[derive(Parser)]
    struct Files {
        #[command(flatten)]
        options: FilesOptions,
    }

    #[test]
    fn command_lines() {
        let copy = Copy::try_parse_from(["copy"]).expect("defaults are complete").options;
        assert_eq!((copy.size, copy.rounds), (4 << 30, 7));
        let copy = Copy::try_parse_from(["copy", "--only", "cp,fio"]).expect("known names").options;
        assert_eq!(copy.only, ["cp", "fio"]);
        assert!(Copy::try_parse_from(["copy", "--only", "scp"]).is_err());
        assert!(Copy::try_parse_from(["copy", "--rounds", "2"]).is_err());
        let files = Files::try_parse_from(["files"]).expect("defaults are complete").options;
        assert_eq!((files.count, files.min, files.max, files.rounds), (20_000, 1024, 65_536, 5));
    }
}
