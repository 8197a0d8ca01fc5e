//! Programs that run beside a test, by name.

use std::collections::BTreeMap;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// For one to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// They end, politely first, with their value.
#[derive(Debug, Default)]
pub struct Programs(BTreeMap<String, Child>);

impl Programs {
    /// Starts one in place of the one with this name, if that has ended.
    #[track_caller]
    pub fn start(&mut self, name: &str, mut command: Command) {
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let old = self.0.insert(name.to_owned(), child);
        assert!(old.is_none(), "{name} runs already");
    }

    /// Its process.
    #[track_caller]
    pub fn id(&self, name: &str) -> u32 {
        self.0.get(name).expect("it runs").id()
    }

    /// Sends a signal that does not end it.
    #[track_caller]
    pub fn signal(&self, name: &str, signal: Signal) {
        let child = self.0.get(name).expect("it runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("a child of ours");
    }

    /// Ends it with no chance to say farewell.
    #[track_caller]
    pub fn kill(&mut self, name: &str) {
        let mut child = self.0.remove(name).expect("it runs");
        child.kill().expect("a child of ours");
        child.wait().expect("a child of ours");
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        for name in self.0.keys() {
            // One that was stopped would hear nothing else.
            self.signal(name, Signal::CONT);
            self.signal(name, Signal::TERM);
        }
        let until = Instant::now() + PATIENCE;
        for child in self.0.values_mut() {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(20));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
