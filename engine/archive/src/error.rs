//! What can go wrong with an archive.

use std::path::PathBuf;

use dray_io::Fault;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("{} is not a dray volume: {why}", path.display())]
    NotAVolume { path: PathBuf, why: &'static str },
    #[error("{} holds no volume", path.display())]
    NoVolume { path: PathBuf },
    #[error("volume {number} is not in the archive at {}", place.display())]
    MissingVolume { number: u32, place: PathBuf },
    #[error("{} belongs to another archive than {}", path.display(), first.display())]
    ForeignVolume { path: PathBuf, first: PathBuf },
    #[error("no room in the archive for {wanted} more bytes: {} is full", path.display())]
    Full { path: PathBuf, wanted: u64 },
    #[error("{} could not be flushed and takes nothing more in this run", path.display())]
    Broken { path: PathBuf },
    #[error("every volume of the archive at {} is in use by another process", place.display())]
    AllInUse { place: PathBuf },
    #[error("damaged at byte {at} of {}: {what}", volume.display())]
    Damaged { volume: PathBuf, at: u64, what: &'static str },
    #[error(
        "damaged data: volume {}, segment at {segment}, file {}, file offset {offset}",
        volume.display(), file.display()
    )]
    DamagedData { volume: PathBuf, segment: u64, file: PathBuf, offset: u64 },
    #[error("the metadata of {} takes {bytes} bytes, more than a record may", file.display())]
    RecordTooLarge { file: PathBuf, bytes: usize },
    #[error("catalog {}: {cause}", path.display())]
    Catalog { path: PathBuf, cause: Box<redb::Error> },
}

impl Error {
    /// What the user can do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.advice(),
            Self::NotAVolume { .. } | Self::NoVolume { .. } => {
                "check the path, or make an archive there with `dray init`"
            }
            Self::MissingVolume { .. } => "put the volume back; the files on it cannot be restored",
            Self::ForeignVolume { .. } => "move the foreign volume to its own archive",
            Self::Full { .. } => "add a volume to the archive in the configuration",
            Self::Broken { .. } => {
                "check the device; what was not acknowledged is found and dropped by the next run"
            }
            Self::AllInUse { .. } => "wait for the other dray, or add a volume",
            Self::Damaged { .. } | Self::DamagedData { .. } => {
                "run `dray volume verify`; undamaged ranges and other files still restore"
            }
            Self::RecordTooLarge { .. } => "remove extended attributes that are not needed",
            Self::Catalog { .. } => "remove the catalog and run `dray volume rebuild`",
        }
    }
}
