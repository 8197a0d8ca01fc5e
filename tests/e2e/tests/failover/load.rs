//! Files that are archived, released and restored all the time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dray_e2e::{Output, binary, command};
use serde_json::Value;

/// For a file to be closed by a node that was stopped or cut off.
const PATIENCE: Duration = Duration::from_secs(60);
const AGAIN: Duration = Duration::from_millis(100);

/// One tree that goes round. It is as it was whenever this has ended.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Load {
    /// Through the node of this configuration.
    pub(crate) fn start(config: &Path, tree: &Path) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (told, config, tree) = (Arc::clone(&stop), config.to_owned(), tree.to_owned());
        let thread = std::thread::spawn(move || {
            let mut turns = 0;
            while turns == 0 || !told.load(Ordering::Relaxed) {
                turn(&config, &tree);
                turns += 1;
            }
            turns
        });
        Self { stop, thread }
    }

    /// How often it went round.
    pub(crate) fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn turn(config: &Path, tree: &Path) {
    for verb in ["archive", "release", "restore"] {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut run = command(binary());
            run.arg("--json").arg("--config").arg(config).arg(verb).arg(tree);
            let output = Output::of(run);
            if output.code == Some(0) {
                break;
            }
            // A file that a node has open which was stopped or cut off is not released: whoever
            // asked is to ask again. Nothing else may fail.
            let errors = output.json()["errors"].as_array().cloned().unwrap_or_default();
            let may_pass = |error: &Value| error["transient"].as_bool() == Some(true);
            let all_pass = !errors.is_empty() && errors.iter().all(may_pass);
            assert!(verb == "release" && all_pass && Instant::now() < until, "{output:#?}");
            std::thread::sleep(AGAIN);
        }
    }
}
