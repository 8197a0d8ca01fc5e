//! The ways in and out, with whole runs.

mod csv;
mod hgrm;
mod json;
mod log;
mod made_up;
mod merge;
