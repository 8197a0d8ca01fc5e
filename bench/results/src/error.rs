//! Why a file cannot be used as results.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    In { path: PathBuf, source: Box<Self> },
    #[error(
        "no JSON object of results: {0}; name a file that dray bench --output or \
             fio --output-format=json has written"
    )]
    NotJson(String),
    #[error("its format is {found}, and this dray knows up to {known}: use a later dray")]
    Later { found: u64, known: u64 },
    #[error("job {job}: {what} cannot be used: {why}; the file was changed or cut")]
    Record { job: String, what: String, why: String },
    #[error("{0}")]
    Unfit(String),
}

impl Error {
    pub(crate) fn within(self, path: &std::path::Path) -> Self {
        Self::In { path: path.to_path_buf(), source: Box::new(self) }
    }
}
