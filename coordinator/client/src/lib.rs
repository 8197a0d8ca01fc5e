//! Talking to the coordinator.
//!
//! ```no_run
//! # async fn example() -> Result<(), dray_client::Error> {
//! use dray_client::{Client, Options};
//! use dray_wire::{Class, Verb, messages::{Item, KIND_FILE}};
//!
//! let address = "unix:/run/dray/dray.sock".parse()?;
//! let (client, mut pushed) = Client::connect(&address, None, &Options::client("example")).await?;
//! let session = client.create_session(b"an example").await?;
//! let item = Item { kind: KIND_FILE, size: 4096, ..Item::default() };
//! let requests = client.submit(session, Class::INTERACTIVE, Verb::RESTORE, vec![item]).await?;
//! while let Some(message) = pushed.recv().await {
//!     println!("{requests:?}: {message:?}");
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod again;
mod client;
mod error;
mod events;
mod link;

pub use again::{AGAIN, PATIENCE};
pub use client::{Client, Options, Pushed};
pub use dray_link::{Address, Credentials, Error as LinkError, Stream};
pub use dray_wire as wire;
pub use error::{Error, Result};
pub use events::Data;
