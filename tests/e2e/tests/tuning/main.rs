//! `dray tune` on real devices: a machine set up badly on purpose is named and mended, and what is
//! measured is loaded by the daemon.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod doctor;
mod probe;
