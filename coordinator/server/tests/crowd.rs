//! Ten thousand connections that say nothing, or half of it. Alone in its process, whose memory is
//! measured.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod party;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use dray_client::Address;
use dray_wire::Role;
use rustix::process::{Resource, getrlimit, setrlimit};

use party::{Place, Witness, frame, hello, resident, run};

const WANTED: usize = 10_000;

/// What else needs descriptors.
const SPARE: u64 = 200;

/// How long the server lets a peer say nothing, and what it may take to close all of them.
const GREETING: Duration = Duration::from_secs(10);
const CLOSING: Duration = Duration::from_secs(5);

/// As many as the limit on open files allows; both ends of each are in this process.
fn size() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let raised = setrlimit(Resource::Nofile, limit);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = files.saturating_sub(SPARE) / 2;
    let size = WANTED.min(usize::try_from(most).unwrap_or(WANTED));
    if size < WANTED {
        println!("{size} connections: {files} files may be open ({raised:?})");
    }
    size
}

/// Connects and is let in.
fn connect(address: &Address) -> UnixStream {
    let Address::Unix(path) = address else { panic!("{address}") };
    let mut stream = UnixStream::connect(path).unwrap();
    stream.read_exact(&mut [0]).unwrap();
    stream
}

#[test]
fn ten_thousand_that_say_nothing_harm_nobody_and_are_closed() {
    let size = size();
    let place = Place::new();
    run(async {
        let witness = Witness::of(&place).await;
        let before = resident();
        let began = Instant::now();
        let half = frame(hello(Role::CLIENT, "half"), 1);
        let address = place.address.clone();
        let crowd = tokio::task::spawn_blocking(move || {
            let mut crowd: Vec<UnixStream> = (0..size).map(|_| connect(&address)).collect();
            for stream in crowd.iter_mut().step_by(2) {
                // Those that came first may have been closed if this machine is very slow.
                let _ = stream.write_all(&half[..half.len() / 2]);
            }
            crowd
        });
        let mut crowd = crowd.await.unwrap();
        let growth = resident().saturating_sub(before);
        println!(
            "{size} connections in {:?}: {} MiB, {} bytes each",
            began.elapsed(),
            growth >> 20,
            growth / size as u64
        );
        assert!(growth < size as u64 * (16 << 10), "{growth} bytes more");
        // Somebody who comes now is served.
        let (client, _) = place.client("late").await;
        client.ping().await.unwrap();
        let closed = tokio::task::spawn_blocking(move || {
            for stream in &mut crowd {
                stream.set_read_timeout(Some(GREETING + CLOSING)).unwrap();
                let end = stream.read(&mut [0]);
                let ended = match &end {
                    Ok(count) => *count == 0,
                    Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
                };
                assert!(ended, "{end:?}");
            }
            began.elapsed()
        });
        let closed = closed.await.unwrap();
        println!("all were closed after {closed:?}");
        assert!(closed < GREETING + 2 * CLOSING);
        client.ping().await.unwrap();
        witness.unharmed("a crowd that says nothing").await;
    });
}
