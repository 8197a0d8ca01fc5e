//! `dray session`, `dray node`, `dray request`: what the coordinator has.

use std::path::Path;

use clap::{Args, Subcommand};
use dray_client::Client;
use dray_wire::messages::{FILE_SYSTEM, NodeInfo, RequestInfo, SESSION, SessionInfo, SetLimit};
use dray_wire::{RequestId, SessionId};
use serde_json::{Value, json};

use crate::door::Door;
use crate::exit::{Code, Failure};
use crate::output::{Output, json_path, text_path};
use crate::report::MIB;
use crate::session::load;

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// All sessions
    List,
    /// One session, with its requests that have not ended
    Show {
        session: u64,
        /// At most so many of these
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Make one; its id
    Create {
        /// What others find it by
        #[arg(default_value = "")]
        info: String,
    },
    /// End one that has no events and no requests
    Destroy { session: u64 },
    /// Change how much of the service it gets; 100 is usual
    Share { session: u64, share: u32 },
    /// Change how many bytes per second it may move; 0 for no limit
    Limit { session: u64, bytes_per_second: u64 },
}

#[derive(Debug, Subcommand)]
pub(crate) enum NodeCommand {
    /// All nodes, with what they do and have done
    List,
    /// One node, core by core
    Show { name: String },
    /// Change how many bytes per second may be moved on the file system of a directory
    Limit { directory: std::path::PathBuf, bytes_per_second: u64 },
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// Only those of one session
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    session: u64,
    /// Only those that have not ended
    #[arg(long)]
    open: bool,
    /// At most so many
    #[arg(long, default_value_t = 1000)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RequestCommand {
    /// Requests, with their place in the queue and the time they will take
    List(ListArguments),
    /// One request
    Show { request: u64 },
    /// Take requests back
    Cancel {
        #[arg(required = true)]
        requests: Vec<u64>,
    },
}

fn door(config: Option<&Path>, output: &Output) -> Result<Door, Failure> {
    Door::required(&load(config)?, output)
}

fn done(output: &Output) -> Code {
    output.result(&json!({ "done": true }));
    Code::Done
}

pub(crate) fn session(
    command: &SessionCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let mut door = door(config, output)?;
    match command {
        SessionCommand::List => {
            let sessions = door.ask(output, Client::sessions)?;
            for session in &sessions {
                output.say(&session_text(session));
            }
            let list: Vec<Value> = sessions.iter().map(session_json).collect();
            output.result(&json!({ "sessions": list }));
        }
        SessionCommand::Show { session, limit } => {
            let sessions = door.ask(output, Client::sessions)?;
            let found = sessions.iter().find(|it| it.session.0 == *session);
            let found =
                found.ok_or_else(|| Failure::failed(format!("there is no session {session}")))?;
            output.say(&session_text(found));
            let arguments = ListArguments { session: *session, open: true, limit: *limit };
            let (requests, more) = requests(&mut door, &arguments, output)?;
            let told =
                json!({ "session": session_json(found), "requests": requests, "more": more });
            output.result(&told);
        }
        SessionCommand::Create { info } => {
            let session = door.wait(door.client.create_session(info.as_bytes()))?;
            output.say(&session.to_string());
            output.result(&json!({ "session": session.0 }));
        }
        SessionCommand::Destroy { session } => {
            door.wait(door.client.destroy_session(SessionId(*session)))?;
            done(output);
        }
        SessionCommand::Share { session, share } => {
            let session = SessionId(*session);
            door.ask(output, async |it| it.set_share(session, *share).await)?;
            done(output);
        }
        SessionCommand::Limit { session, bytes_per_second } => {
            let (scope, session) = (SESSION, SessionId(*session));
            let bytes_per_second = *bytes_per_second;
            let limit = SetLimit { scope, session, bytes_per_second, ..SetLimit::default() };
            door.ask(output, async |it| it.set_limit(limit.clone()).await)?;
            done(output);
        }
    }
    Ok(Code::Done)
}

fn session_text(it: &SessionInfo) -> String {
    let info = String::from_utf8_lossy(it.info.as_slice()).escape_debug().to_string();
    let SessionInfo { session, share, queued, outstanding, undelivered, .. } = it;
    format!(
        "{session:>20}  share {share:>4}  {queued:>9} requests  {outstanding} events outstanding, \
         {undelivered} undelivered  {info}"
    )
}

fn session_json(it: &SessionInfo) -> Value {
    json!({
        "session": it.session.0,
        "share": it.share,
        "requests": it.queued,
        "outstanding": it.outstanding,
        "undelivered": it.undelivered,
        "info": String::from_utf8_lossy(it.info.as_slice()),
    })
}

pub(crate) fn node(
    command: &NodeCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let mut door = door(config, output)?;
    match command {
        NodeCommand::List => {
            let nodes = door.ask(output, Client::nodes)?;
            for node in &nodes {
                output.say(&node_text(node));
            }
            let list: Vec<Value> = nodes.iter().map(node_json).collect();
            output.result(&json!({ "nodes": list }));
            Ok(Code::Done)
        }
        NodeCommand::Show { name } => {
            let nodes = door.ask(output, Client::nodes)?;
            let found = nodes.iter().find(|it| it.name.as_str() == name);
            let node = found.ok_or_else(|| Failure::failed(format!("there is no node {name}")))?;
            output.say(&node_text(node));
            for (core, bytes) in node.core_bytes.0.iter().enumerate() {
                output.say(&format!("  core {core:>4}  {:>10.1} MiB", *bytes as f64 / MIB));
            }
            output.result(&node_json(node));
            Ok(Code::Done)
        }
        NodeCommand::Limit { directory, bytes_per_second } => {
            use dray_io::{Access, Context, Files, Operation};
            let files = dray_fs::LinuxFiles::new();
            let file = files.open(directory, Access::Look).during(Operation::Open, directory)?;
            let stat = files.stat(&file).during(Operation::Stat, directory)?;
            let file_system = stat.handle.file_system;
            let (scope, bytes_per_second) = (FILE_SYSTEM, *bytes_per_second);
            let limit = SetLimit { scope, file_system, bytes_per_second, ..SetLimit::default() };
            door.ask(output, async |it| it.set_limit(limit.clone()).await)?;
            Ok(done(output))
        }
    }
}

fn node_text(it: &NodeInfo) -> String {
    let role = if it.coordinator == 1 { "coordinator" } else { "" };
    format!(
        "{:<16} {:>3} cores  {:>6} under way  {:>10} done  {:>10.1} MiB  lease {:>5} ms  {role}",
        it.name.as_str(),
        it.cores,
        it.load,
        it.done,
        it.bytes as f64 / MIB,
        it.lease_left_ms,
    )
}

fn node_json(it: &NodeInfo) -> Value {
    json!({
        "name": it.name.as_str(),
        "node": it.node.0,
        "cores": it.cores,
        "orders": it.running,
        "under_way": it.load,
        "done": it.done,
        "bytes": it.bytes,
        "core_bytes": it.core_bytes.0,
        "lease_left_ms": it.lease_left_ms,
        "coordinator": it.coordinator == 1,
    })
}

pub(crate) fn request(
    command: &RequestCommand,
    config: Option<&Path>,
    output: &Output,
) -> Result<Code, Failure> {
    let mut door = door(config, output)?;
    match command {
        RequestCommand::List(arguments) => list(&mut door, arguments, output),
        RequestCommand::Show { request } => {
            let info = door.ask(output, async |it| it.request(RequestId(*request)).await)?;
            output.say(&request_text(&info));
            output.result(&request_json(&info));
            Ok(Code::Done)
        }
        RequestCommand::Cancel { requests } => cancel(&mut door, requests, output),
    }
}

fn list(door: &mut Door, arguments: &ListArguments, output: &Output) -> Result<Code, Failure> {
    let (requests, more) = requests(door, arguments, output)?;
    output.result(&json!({ "requests": requests, "more": more }));
    Ok(Code::Done)
}

/// Says them; the same for programs, and whether there are more.
fn requests(
    door: &mut Door,
    arguments: &ListArguments,
    output: &Output,
) -> Result<(Vec<Value>, bool), Failure> {
    let (mut after, mut found, mut more) = (0, Vec::new(), false);
    loop {
        let session = SessionId(arguments.session);
        let (page, next) = door.ask(output, async |it| it.requests(session, after, 1000).await)?;
        for info in page {
            if arguments.open && info.status.is_final() {
                continue;
            }
            if found.len() == arguments.limit {
                more = true;
                break;
            }
            output.say(&request_text(&info));
            found.push(request_json(&info));
        }
        after = next;
        if after == 0 || more {
            break;
        }
    }
    if more {
        output.say("...");
    }
    Ok((found, more))
}

fn cancel(door: &mut Door, requests: &[u64], output: &Output) -> Result<Code, Failure> {
    let mut code = Code::Done;
    let mut results = Vec::new();
    for id in requests {
        let request = RequestId(*id);
        let status = door.ask(output, async |client| {
            let session = client.request(request).await?.session;
            Ok(client.cancel(session, vec![request]).await?.first().copied())
        });
        let word = match status {
            Ok(Some(status)) => status.to_string(),
            Ok(None) => "unknown".to_owned(),
            Err(failure) => {
                code = Code::Failed;
                format!("{:#}", failure.error)
            }
        };
        output.say(&format!("{id}: {word}"));
        results.push(json!({ "request": id, "status": word }));
    }
    output.result(&json!({ "cancelled": results }));
    Ok(code)
}

fn name_of(it: &RequestInfo) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(it.name.as_slice()))
}

fn request_text(it: &RequestInfo) -> String {
    let name = if it.name.is_empty() {
        format!("inode {}", it.handle.inode)
    } else {
        text_path(name_of(it))
    };
    let waiting = if it.status.is_final() {
        String::new()
    } else if it.eta_ms > 0 {
        format!("  position {}, about {:.1} s to go", it.position, f64::from(it.eta_ms) / 1000.0)
    } else {
        format!("  position {}", it.position)
    };
    let (request, verb, status) = (it.request, it.verb, it.status);
    let (bytes, size) = (it.bytes, it.size);
    format!("{request:>20}  {verb:<8} {status:<13} {bytes:>14} of {size:>14}  {name}{waiting}")
}

fn request_json(it: &RequestInfo) -> Value {
    json!({
        "request": it.request.0,
        "session": it.session.0,
        "verb": it.verb.to_string(),
        "class": it.class.to_string(),
        "status": it.status.to_string(),
        "reason": it.reason.to_string(),
        "path": json_path(name_of(it)),
        "inode": it.handle.inode,
        "size": it.size,
        "bytes": it.bytes,
        "node": it.node.0,
        "position": it.position,
        "eta_ms": it.eta_ms,
        "waited_ms": it.waited_ms,
    })
}
