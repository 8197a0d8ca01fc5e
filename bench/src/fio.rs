use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::command::Cmd;
use crate::tools::Tool;

const POOL: &str = "/proc/sys/vm/nr_hugepages";
const POOL_PAGES: u64 = 128;
/// Both sides move the same amount, so that neither runs alone for long.
pub(crate) const MOST_BYTES: u64 = 4 << 30;

/// The system's pool of huge pages, enlarged while this lives.
pub(crate) struct HugePool {
    before: u64,
}

impl HugePool {
    /// Fails without privilege or where memory is too fragmented.
    pub(crate) fn enlarge() -> Result<Self> {
        let before = pages()?;
        fs::write(POOL, (before + POOL_PAGES).to_string()).context(POOL)?;
        let pool = Self { before };
        let got = pages()?;
        ensure!(got >= before + POOL_PAGES, "only {got} huge pages to be had");
        Ok(pool)
    }
}

impl Drop for HugePool {
    fn drop(&mut self) {
        if let Err(error) = fs::write(POOL, self.before.to_string()) {
            eprintln!("{POOL} could not be set back to {}: {error}", self.before);
        }
    }
}

fn pages() -> Result<u64> {
    fs::read_to_string(POOL).context(POOL)?.trim().parse().context(POOL)
}

/// One job reads `source` while another writes `target`, nothing copied between them.
pub(crate) fn command(fio: &Tool, huge: bool, source: &Path, target: &Path, size: u64) -> Cmd {
    let size = format!("--size={}", size.min(MOST_BYTES));
    let common = ["--output-format=json", "--ioengine=io_uring", "--direct=1", "--bs=1m"];
    let memory: &[&str] =
        if huge { &["--iomem=shmhuge", "--hugepage-size=2m"] } else { &["--iomem=mmap"] };
    let file =
        |path: &Path| format!("--filename={}", path.display().to_string().replace(':', r"\:"));
    fio.cmd()
        .args(common)
        .args(memory)
        .args(["--iodepth=32", "--allow_file_create=0", &size])
        .args(["--name=reader", "--rw=read", &file(source)])
        .args(["--name=writer", "--rw=write", "--end_fsync=1", &file(target)])
}

/// MiB/s of the slower of the two jobs.
pub(crate) fn rate(json: &str) -> Result<f64> {
    #[derive(Deserialize)]
    struct Output {
        jobs: Vec<Job>,
    }
    #[derive(Deserialize)]
    struct Job {
        jobname: String,
        error: i64,
        read: Side,
        write: Side,
    }
    #[derive(Deserialize)]
    struct Side {
        bw_bytes: f64,
    }
    // fio may print notes before the object.
    let start = json.find('{').context("no JSON from fio")?;
    let output: Output = serde_json::from_str(&json[start..]).context("output of fio")?;
    let mut slower = f64::INFINITY;
    for job in &output.jobs {
        ensure!(job.error == 0, "fio job {} failed: {}", job.jobname, job.error);
        slower = slower.min(job.read.bw_bytes + job.write.bw_bytes);
    }
    if output.jobs.len() != 2 || slower <= 0.0 {
        bail!("fio reports {} jobs, the slower with {slower} bytes per second", output.jobs.len());
    }
    Ok(slower / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slower_job_counts() {
        let job = |name: &str, read: u64, write: u64, error: i64| {
            format!(
                r#"{{"jobname":"{name}","error":{error},"elapsed":1,
                "read":{{"bw_bytes":{read},"iops":1.5}},"write":{{"bw_bytes":{write}}}}}"#
            )
        };
        let both = |error| {
            let (reader, writer) = (job("reader", 3 << 20, 0, 0), job("writer", 0, 2 << 20, error));
            format!("note: something\n{{\"jobs\":[{reader},{writer}]}}")
        };
        assert_eq!(rate(&both(0)).expect("two good jobs"), 2.0);
        assert!(rate(&both(28)).is_err());
        assert!(rate("").is_err());
    }
}
