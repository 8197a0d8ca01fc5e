//! What a benchmark run measured: the model, and the ways in and out of it.

#![forbid(unsafe_code)]

mod environment;
mod latencies;
mod model;

pub use environment::{Environment, Machine, Target};
pub use latencies::{Latencies, LatenciesError};
pub use model::{Direction, Directions, Interval, IoFailure, Kind, Phase, Run, Steady, Verified};
