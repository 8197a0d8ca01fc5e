//! The part of a record that has fio's names, and means the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An element of `jobs`. Read from fio's own files, too, whose versions differ: what is missing
/// there is taken as zero.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Job {
    pub(crate) jobname: String,
    pub(crate) hostname: String,
    pub(crate) groupid: u64,
    /// ms since 1970.
    pub(crate) job_start: u64,
    /// errno(3).
    pub(crate) error: i64,
    /// s to go.
    pub(crate) eta: u64,
    /// s, rounded up.
    pub(crate) elapsed: u64,
    #[serde(rename = "job options")]
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) read: Side,
    pub(crate) write: Side,
    pub(crate) trim: Side,
    pub(crate) sync: Sync,
    /// ms.
    pub(crate) job_runtime: u64,
    /// Per cent of the runtime.
    pub(crate) usr_cpu: f64,
    pub(crate) sys_cpu: f64,
    pub(crate) ctx: u64,
    /// Per cent of the I/Os, by response time up to the key.
    pub(crate) latency_ns: BTreeMap<String, f64>,
    pub(crate) latency_us: BTreeMap<String, f64>,
    pub(crate) latency_ms: BTreeMap<String, f64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Side {
    pub(crate) io_bytes: u64,
    pub(crate) io_kbytes: u64,
    /// Per second.
    pub(crate) bw_bytes: u64,
    /// KiB per second, as are all further `bw`.
    pub(crate) bw: u64,
    pub(crate) iops: f64,
    /// ms.
    pub(crate) runtime: u64,
    pub(crate) total_ios: u64,
    pub(crate) short_ios: u64,
    pub(crate) drop_ios: u64,
    pub(crate) slat_ns: Times,
    pub(crate) clat_ns: Times,
    pub(crate) lat_ns: Times,
    pub(crate) bw_min: u64,
    pub(crate) bw_max: u64,
    /// Per cent of the bandwidth of the group.
    pub(crate) bw_agg: f64,
    pub(crate) bw_mean: f64,
    pub(crate) bw_dev: f64,
    pub(crate) bw_samples: u64,
    pub(crate) iops_min: u64,
    pub(crate) iops_max: u64,
    pub(crate) iops_mean: f64,
    pub(crate) iops_stddev: f64,
    pub(crate) iops_samples: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Sync {
    pub(crate) total_ios: u64,
    pub(crate) lat_ns: Times,
}

/// ns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Times {
    pub(crate) min: u64,
    pub(crate) max: u64,
    pub(crate) mean: f64,
    pub(crate) stddev: f64,
    #[serde(rename = "N")]
    pub(crate) count: u64,
    /// By per cent, as "99.000000".
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) percentile: BTreeMap<String, u64>,
}
