//! The rules of the house; see the README of this crate.
#![forbid(unsafe_code)]

mod arrows;
mod citations;
mod docs;
mod modules;
mod purity;
mod sizes;
mod text;
mod unsafety;
