//! Who runs where: the coordinator's thread has one CPU to itself, all else has the others.

use anyhow::Result;

/// Puts the CPUs of this thread back when it is dropped.
pub(super) struct Pins {
    all: Vec<usize>,
    pinned: bool,
}

impl Pins {
    /// Keeps this thread and those that it starts off the first CPU, if there are two.
    pub(super) fn new() -> Self {
        let all = affinity::get_thread_affinity().unwrap_or_default();
        let pinned = all.len() > 1 && affinity::set_thread_affinity(&all[1..]).is_ok();
        Self { all, pinned }
    }

    /// Runs something whose threads belong on the first CPU: they inherit it.
    pub(super) fn first<T>(&self, start: impl FnOnce() -> Result<T>) -> Result<T> {
        let pin = |cpus: &[usize]| {
            if self.pinned {
                // Where it fails the benchmark goes on, less quietly.
                let _ = affinity::set_thread_affinity(cpus);
            }
        };
        pin(&self.all[..self.all.len().min(1)]);
        let started = start();
        pin(self.all.get(1..).unwrap_or_default());
        started
    }

    pub(super) fn describe(&self) -> String {
        match (self.pinned, self.all.split_first()) {
            (true, Some((first, others))) => format!(
                "the coordinator's thread is pinned to CPU {first}; clients and null movers share \
                 CPU {}",
                others.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
            ),
            _ => "nothing is pinned: coordinator, clients and null movers share the CPUs".into(),
        }
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        if self.pinned {
            let _ = affinity::set_thread_affinity(&self.all);
        }
    }
}
