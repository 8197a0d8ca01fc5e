//! What can go wrong with a server as a whole; what goes wrong with a peer is his.

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("cannot start the thread of the coordinator: {0}")]
    Thread(std::io::Error),
    #[error("the thread of the coordinator has ended")]
    Ended,
    #[error(transparent)]
    Link(#[from] dray_link::Error),
    #[error(transparent)]
    Store(#[from] dray_store::Error),
    #[error("cannot use a socket: {0}")]
    Socket(std::io::Error),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Link(error) => error.advice(),
            Self::Store(error) => error.advice(),
            Self::Thread(_) | Self::Socket(_) => "see the limits on processes and open files",
            Self::Ended => "see its log for why, and start it again",
        }
    }
}
