//! What makes a machine fit for dray: a look at how it is set up, and measurements of its devices.
#![forbid(unsafe_code)]

pub mod doctor;
pub mod probe;

pub use doctor::{DoctorOptions, DoctorReport, run_doctor};
pub use probe::{Error as ProbeError, ProbeOptions, ProbeReport, run_probe};
