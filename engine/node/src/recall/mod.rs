//! Programs that access data which is not there: their accesses come from the holder of the watch
//! (`docs/holder.md`), become events of the coordinator, and go on when the data is there.

mod cut;
mod file;
mod listen;
mod source;
mod still;
mod waiting;

use std::path::PathBuf;
use std::sync::Arc;

use dray_fs::LinuxFiles;
use dray_holder::Link;
use tokio::sync::{mpsc, watch};

use crate::daemon::DaemonError;
use crate::leader::Way;

/// Sees to accesses until it is dropped.
pub(crate) struct Recall {
    stop: watch::Sender<bool>,
}

impl Recall {
    /// `socket` is that of the holder; `directories` are on the file systems to watch.
    pub(crate) fn start(
        socket: PathBuf,
        directories: Vec<PathBuf>,
        way: Way,
    ) -> Result<Self, DaemonError> {
        let (heard, accesses) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        // Both make blocking calls, if short ones, which no lease should have to wait for.
        let files = LinuxFiles::new().watched_by(Arc::new(Link::new(&socket)));
        let listen = move || listen::listen(&socket, &directories, &heard);
        let thread = std::thread::Builder::new().name("watch".to_owned());
        thread.spawn(listen).map_err(DaemonError::Thread)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(DaemonError::Thread)?;
        let serve = move || runtime.block_on(source::serve(accesses, files, way, stopped));
        let thread = std::thread::Builder::new().name("recall".to_owned());
        thread.spawn(serve).map_err(DaemonError::Thread)?;
        Ok(Self { stop })
    }
}

impl Drop for Recall {
    fn drop(&mut self) {
        // Whoever waits then waits for the next daemon.
        self.stop.send_replace(true);
    }
}
