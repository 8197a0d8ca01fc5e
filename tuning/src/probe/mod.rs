//! `dray tune probe`.

pub mod search;
