//! Programs of this machine reach the coordinator through this node: they need no certificates,
//! and need not know which node it is.

use std::time::Duration;

use dray_client::Stream;
use dray_link::{Address, Credentials, Listener, Pending};
use dray_wire::{Deframer, Message, Role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// After an error of accepting.
const AGAIN: Duration = Duration::from_millis(500);
/// For reaching the coordinator on behalf of a program.
const FORWARD: Duration = Duration::from_secs(10);
/// Bytes within which a program has to have said *Hello*.
const HELLO_BYTES: usize = 4096;

/// Serves until it is dropped.
pub(crate) async fn forward(
    listener: Listener,
    address: Address,
    credentials: Option<Credentials>,
) {
    loop {
        match listener.accept().await {
            Ok(pending) => {
                let (address, credentials) = (address.clone(), credentials.clone());
                tokio::spawn(async move {
                    if let Err(error) = pass_on(pending, &address, credentials.as_ref()).await {
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

async fn pass_on(
    pending: Pending,
    address: &Address,
    credentials: Option<&Credentials>,
) -> Result<(), dray_link::Error> {
    let (mut local, _) = pending.establish(FORWARD).await?;
    let hello = tokio::time::timeout(FORWARD, hello_of_client(&mut local)).await;
    let Ok(Some(hello)) = hello else {
        tracing::warn!("a program that does not say Hello as a client is closed");
        return Ok(());
    };
    let (mut far, _) = dray_link::connect(address, credentials, FORWARD).await?;
    if far.write_all(&hello).await.is_err() {
        return Ok(());
    }
    // That one end goes is how it ends.
    let _ = tokio::io::copy_bidirectional(&mut local, &mut far).await;
    Ok(())
}

/// The first frame of a program, if it is a client's *Hello*: the coordinator sees the certificate
/// of this node, under which nobody else may say that he is the node.
async fn hello_of_client(local: &mut Stream) -> Option<Vec<u8>> {
    let mut deframer = Deframer::default();
    let mut all = Vec::new();
    while all.len() < HELLO_BYTES {
        let mut some = [0; 512];
        let count = local.read(&mut some).await.ok().filter(|count| *count > 0)?;
        all.extend_from_slice(&some[..count]);
        deframer.buffer().extend_from_slice(&some[..count]);
        if let Some(frame) = deframer.next_frame().ok()? {
            let message = Message::decode(frame.header.kind, frame.body).ok()?;
            let is_client = matches!(&message, Message::Hello(it) if it.role == Role::CLIENT);
            return is_client.then_some(all);
        }
    }
    None
}
