//! An access that waits for its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dray_fs::LinuxFile;
use dray_holder::{Doing, Server, doing};
use dray_io::Range;
use rustix::io::Errno;

/// Between two looks at a program at most.
pub(super) const LOOK: Duration = Duration::from_millis(2);
/// For a program to cut a file when it may: it has only to be given a processor.
const CUT: Duration = Duration::from_secs(10);

pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) thread: i32,
    /// As [`doing`] has to know.
    pub(super) opens: bool,
    pub(super) server: Arc<Server>,
    pub(super) file: LinuxFile,
    pub(super) doing: Doing,
    pub(super) accessed: Range,
    pub(super) tries: u32,
}

impl Waiting {
    pub(super) fn answer(&self, answer: Result<(), Errno>) {
        let errno = answer.err().map_or(0, Errno::raw_os_error);
        // If the holder has ended, whoever waits is told by the next one to try again.
        let _ = self.server.answer(self.id, errno);
    }

    /// Answers it. Whoever cuts a file by its name does not have it open, and it must not be
    /// released before he has: so it stays open here.
    pub(super) fn ends(self, answer: Result<(), Errno>) {
        self.answer(answer);
        if let (Ok(()), Doing::Cutting(_)) = (answer, self.doing) {
            tokio::spawn(self.has_cut());
        }
    }

    /// Waits until a program that may has cut its file, or does not go about it any more.
    pub(super) async fn has_cut(self) -> LinuxFile {
        let until = Instant::now() + CUT;
        // One that runs may be in it still.
        let cuts = || doing(self.thread, self.opens).is_none_or(|now| now == self.doing);
        while cuts() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
        self.file
    }
}
