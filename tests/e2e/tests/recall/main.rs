//! Released files that are accessed as if they were there, on each file system whose accesses the
//! kernel asks about.
#![forbid(unsafe_code)]
// Helpers of tests are tests too.
#![allow(clippy::unwrap_used)]

mod deaths;
mod emptied;
mod hammer;
mod kinds;
mod nodes;
mod programs;
mod scene;
mod timing;
mod troubles;
mod unusual;
