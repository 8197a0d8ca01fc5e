//! What a benchmark run measured: the model, and the ways in and out of it.

#![forbid(unsafe_code)]

mod compare;
mod csv;
mod environment;
mod error;
mod hgrm;
mod json;
mod latencies;
mod log;
mod merge;
mod model;
mod mount;
mod place;
mod report;
mod series;
mod units;
mod view;

pub use compare::{Basis, Comparison, Line, Verdict, compare};
pub use csv::{Row, rows_from_csv};
pub use environment::{Environment, Machine, Target, host_name};
pub use error::Error;
pub use hgrm::hgrm;
pub use json::{Results, write_file};
pub use latencies::{Latencies, LatenciesError};
pub use merge::merge;
pub use model::{Direction, Directions, Interval, IoFailure, Kind, Phase, Run, Steady, Verified};
pub use mount::Mount;
pub use place::{Counters, Place};
pub use report::report;
pub use view::{Curve, JobView, Second, SideView, View};
