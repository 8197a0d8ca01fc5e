//! The connection to the holder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dray_holder::{Served, Server, Watched};
use tokio::sync::mpsc::UnboundedSender;

/// Between two attempts to reach the holder.
const AGAIN: Duration = Duration::from_millis(200);

/// An access, and where it is answered.
pub(crate) struct Heard {
    pub(crate) served: Served,
    pub(crate) server: Arc<Server>,
}

/// Passes accesses on until nobody wants them any more.
pub(crate) fn listen(socket: &Path, directories: &[PathBuf], to: &UnboundedSender<Heard>) {
    // Kept, so that the watch outlives its holder: without it all who wait would go on.
    let mut watched: Vec<Watched> = Vec::new();
    let mut known = String::new();
    while !to.is_closed() {
        let server = match Server::start(socket, directories, &mut watched) {
            Ok(server) => server,
            Err(error) => {
                let text = error.to_string();
                if text != known {
                    let socket = socket.display();
                    tracing::error!(%socket, "nobody is asked about accesses: {text}");
                    known = text;
                }
                std::thread::sleep(AGAIN);
                continue;
            }
        };
        known.clear();
        tracing::info!("accesses are watched");
        let server = Arc::new(server);
        let ended = pass_on(&server, to);
        if to.is_closed() {
            return;
        }
        tracing::warn!("the connection to the holder of the watch has ended: {ended}");
    }
}

fn pass_on(server: &Arc<Server>, to: &UnboundedSender<Heard>) -> String {
    loop {
        match server.next() {
            Ok(Some(served)) => {
                let heard = Heard { served, server: Arc::clone(server) };
                if to.send(heard).is_err() {
                    return "nobody serves accesses any more".to_owned();
                }
            }
            Ok(None) => return "it was closed".to_owned(),
            Err(error) => return error.to_string(),
        }
    }
}
