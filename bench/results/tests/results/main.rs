//! The ways in and out, with whole runs.

mod compare;
mod csv;
mod hgrm;
mod json;
mod log;
mod made_up;
mod merge;
mod report;
