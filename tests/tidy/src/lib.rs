//! What the house rules are checked with: the files of the repository, Rust source split into
//! code and comment, and findings that name file and line. The rules are in `tests/house`.
#![forbid(unsafe_code)]

pub mod findings;
pub mod repo;
pub mod source;
pub mod workspace;
