//! Counting what the kernel could not do inline.

use std::fs;

/// How often the io_uring worker threads of this process ran. A request that is punted wakes one;
/// workers live for 5 s after their last request, so the count is taken right after the work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerRuns {
    pub threads: u64,
    /// Times a worker was put on a CPU (`/proc/self/task/*/schedstat`, third field).
    pub runs: u64,
}

/// The workers alive now. Zero when `/proc` cannot be read.
pub fn worker_runs() -> WorkerRuns {
    let mut total = WorkerRuns::default();
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return total };
    for task in tasks.flatten() {
        let comm = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
        if !comm.starts_with("iou-wrk") {
            continue;
        }
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let runs = stat.split_whitespace().nth(2).and_then(|runs| runs.parse::<u64>().ok());
        total.threads += 1;
        total.runs += runs.unwrap_or(0);
    }
    total
}
