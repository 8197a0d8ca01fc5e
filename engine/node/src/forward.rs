//! Programs of this machine reach the coordinator through this node: they need no certificates,
//! and need not know which node it is.

use std::time::Duration;

use dray_client::Stream;
use dray_link::{Listener, Pending};
use dray_wire::messages::Refused;
use dray_wire::{Deframer, Message, Reason, Role, Text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::leader::Way;

/// After an error of accepting.
const AGAIN: Duration = Duration::from_millis(500);
/// For a program to say who it is.
const GREETING: Duration = Duration::from_secs(10);
/// For somebody to coordinate, before a program is told that nobody does.
const SOMEBODY: Duration = Duration::from_secs(1);
/// Milliseconds after which it may ask again.
const RETRY_MS: u32 = 500;
/// Bytes within which a program has to have said *Hello*.
const HELLO_BYTES: usize = 4096;

/// Serves until it is dropped.
pub(crate) async fn forward(listener: Listener, way: Way) {
    loop {
        match listener.accept().await {
            Ok(pending) => {
                let way = way.clone();
                tokio::spawn(async move {
                    if let Err(error) = pass_on(pending, &way).await {
                        tracing::warn!(%error, "a program was not let through");
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "cannot accept");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn pass_on(pending: Pending, way: &Way) -> Result<(), dray_link::Error> {
    let (mut local, identity) = pending.establish(GREETING).await?;
    let hello = tokio::time::timeout(GREETING, hello_of_client(&mut local)).await;
    let Ok(Some(hello)) = hello else {
        tracing::warn!("a program that does not say Hello as a client is closed");
        return Ok(());
    };
    let _ = tokio::time::timeout(SOMEBODY, way.somebody()).await;
    let (mut far, who) = match way.link(identity).await {
        Ok(found) => found,
        Err(why) => {
            refuse(&mut local, &hello, &why).await;
            return Ok(());
        }
    };
    if far.write_all(&hello.bytes).await.is_err() {
        return Ok(());
    }
    tokio::select! {
        // That one end goes is how it ends.
        _ = tokio::io::copy_bidirectional(&mut local, &mut far) => {}
        () = way.replaced(&who) => {}
    }
    Ok(())
}

/// What a program says first.
struct Hello {
    bytes: Vec<u8>,
    request: u64,
}

/// Tells a program that nobody coordinates, which it may wait for.
async fn refuse(local: &mut Stream, hello: &Hello, why: &str) {
    tracing::debug!("a program has to wait: {why}");
    let refused = Refused {
        reason: Reason::NOT_COORDINATOR,
        retry_after_ms: RETRY_MS,
        text: Text::new(&format!("no coordinator can be reached: {why}")),
        ..Refused::default()
    };
    let mut frame = Vec::new();
    dray_wire::encode(&refused.into(), hello.request, &mut frame);
    // It may have gone.
    let _ = local.write_all(&frame).await;
    let _ = local.shutdown().await;
}

/// The first frame of a program, if it is a client's *Hello*: the coordinator sees the certificate
/// of this node, under which nobody else may say that he is the node.
async fn hello_of_client(local: &mut Stream) -> Option<Hello> {
    let mut deframer = Deframer::default();
    let mut bytes = Vec::new();
    while bytes.len() < HELLO_BYTES {
        let mut some = [0; 512];
        let count = local.read(&mut some).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&some[..count]);
        deframer.buffer().extend_from_slice(&some[..count]);
        if let Some(frame) = deframer.next_frame().ok()? {
            let request = frame.header.request;
            let message = Message::decode(frame.header.kind, frame.body).ok()?;
            let is_client = matches!(&message, Message::Hello(it) if it.role == Role::CLIENT);
            return is_client.then_some(Hello { bytes, request });
        }
    }
    None
}
