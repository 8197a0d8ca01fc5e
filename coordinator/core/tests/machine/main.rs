//! The coordinator, driven by clients and nodes that a test plays.

mod events;
mod losses;
mod membership;
mod parties;
mod recovery;
mod requests;
mod resting;
mod rights;
mod service;
mod sessions;
mod splits;
mod turns;
