//! Workloads and comparators of `dray bench`.
//!
//! Every mover, `dray` itself included, is a child process measured from outside: spawn to exit
//! with the final flush inside the timing, cold caches, all movers alternating within a round.
//! The coordinator is measured in this process, in a thread of its own.
//! Results are medians with their spread, and ratios taken pair by pair within each round.

#![forbid(unsafe_code)]

mod against;
mod bulk;
mod cold;
mod command;
mod conditions;
mod coordinator;
mod data;
mod engines;
mod files;
mod fio;
mod interrupt;
mod machine;
mod once;
mod options;
mod recall;
mod report;
mod runner;
mod scratch;
mod stats;
mod table;
mod tier;
mod tools;
mod tree;

pub use against::{AgainstReport, Figures, run_against};
pub use bulk::run_copy;
pub use dray_device::parse_size;

pub use cold::{can_drop_caches, empty_cache, touch_memory};
pub use coordinator::{
    Behind, CoordinatorOptions, CoordinatorReport, Length, Quantiles, RateRun, RestoreWait,
    run_coordinator,
};
pub use engines::{EnginesReport, run_engines};
pub use files::run_files;
pub use interrupt::{seen as interrupted, watch as watch_interrupts};
pub use machine::Machine;
pub use once::{Once, run_once};
pub use options::{CopyOptions, EnginesOptions, FilesOptions};
pub use recall::{RecallFlood, RecallOptions, RecallReport, RecallSize, RecallTimes, run_recall};
pub use report::{Fastest, Measure, Ratio, Report, Role, Run, Series, Summary};
pub use stats::Spread;
pub use tools::Tool;
