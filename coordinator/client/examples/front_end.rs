//! A small data management application: it brings files back when somebody reads them.
//!
//! It is a front end of dray like any other, over the same protocol (`docs/wire.md`). What it does
//! is what every XDSM application does: it has a session, takes the read events of a file system,
//! has each file restored, and lets the reader go on. It may be killed at any moment and started
//! again: its session, the events that it has not answered and the movements that it asked for are
//! all kept by the coordinator.
//!
//! The program is this file; what it does is in `front_end/`.
#![forbid(unsafe_code)]

#[path = "front_end/recall.rs"]
mod recall;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use dray_client::{Address, Client, Credentials, Options};

const HELP: &str = "\
Brings files back when they are read: a small DM application for dray.

    front_end ADDRESS FILE-SYSTEM [--session INFO] [--credentials FOLDER]

ADDRESS       unix:/run/dray/dray.sock, or tcp:HOST:PORT with --credentials
FILE-SYSTEM   its identity, as 32 hexadecimal digits
--session     the information string by which the session is found again
              (default: \"front_end FILE-SYSTEM\")
--credentials folder with ca.pem, cert.pem and key.pem

It runs until it is killed. Start it again at any time: it takes its session over and answers what
is outstanding. Two of one session at a time take it from each other.
";

/// How long to wait before connecting again.
const AGAIN: Duration = Duration::from_secs(1);

struct Arguments {
    address: Address,
    file_system: [u8; 16],
    info: String,
    credentials: Option<Credentials>,
}

fn arguments() -> Result<Arguments, String> {
    let (mut places, mut info, mut folder) = (Vec::new(), None, None);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--session" => info = Some(words.next().ok_or("--session needs a value")?),
            "--credentials" => folder = Some(words.next().ok_or("--credentials needs a value")?),
            other if other.starts_with("--") => return Err(format!("{other} is not known")),
            _ => places.push(word),
        }
    }
    let [address, file_system] = places.as_slice() else {
        return Err("an address and a file system are needed".to_owned());
    };
    let credentials = folder.map(|folder| Credentials::load_from(&PathBuf::from(folder)));
    Ok(Arguments {
        address: address.parse().map_err(|error: dray_client::LinkError| error.to_string())?,
        file_system: identity(file_system).ok_or("a file system is 32 hexadecimal digits")?,
        info: info.unwrap_or_else(|| format!("front_end {file_system}")),
        credentials: credentials.transpose().map_err(|error| error.to_string())?,
    })
}

fn identity(digits: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 32)?;
    // As it is written: the first digits are the first byte.
    #[expect(clippy::big_endian_bytes, reason = "digits are written from the left")]
    Some(number.to_be_bytes())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            eprintln!("{why}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    loop {
        let Err(error) = serve(&arguments).await;
        eprintln!("{error}: {}", error.advice());
        // The coordinator may be starting, or another machine is taking over from it.
        tokio::time::sleep(AGAIN).await;
    }
}

/// One connection, until it ends.
async fn serve(to: &Arguments) -> dray_client::Result<std::convert::Infallible> {
    let options = Options::client("front_end");
    let (client, pushed) = Client::connect(&to.address, to.credentials.as_ref(), &options).await?;
    let session = recall::session(&client, to.info.as_bytes()).await?;
    println!("session {session}");
    recall::run(client, pushed, session, to.file_system).await
}
