//! The mover over a simulated machine: power cuts, faults, users and damage at every operation.
//!
//! What is held: a file is whole or can be restored, never zeros in place of its data; a state
//! that says that the data is on disk is true; what a user wrote is never lost or taken for
//! something older. Every failure prints the seed and the operation at which it happened.
//! `DRAY_SIM_ROUNDS` multiplies the seeds and the crash points that are looked at.
#![forbid(unsafe_code)]
// All of it is test code: an unexpected error ends the test.
#![allow(clippy::unwrap_used)]

mod checker;
mod copying;
mod crashes;
mod damage;
mod devices;
mod faults;
mod lazy;
mod leases;
mod lists;
mod mover;
mod nodes;
mod parts;
mod remains;
mod removal;
mod seeds;
mod settling;
mod torn;
mod user;
mod users;
mod waits;
mod world;
mod writers;
mod yields;
