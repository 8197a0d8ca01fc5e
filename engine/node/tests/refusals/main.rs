//! A real node with a real engine, and a coordinator that is played: what the node does of what it
//! is told, over the protocol.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod moved;
mod names;
mod played;
mod refused;
mod site;
mod steps;
