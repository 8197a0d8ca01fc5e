//! `dray tls`: the certificates of a cluster.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use dray_link::{Authority, Role};
use serde_json::json;

use crate::exit::{Code, Failure};
use crate::output::{Output, json_path};

#[derive(Debug, Subcommand)]
pub(crate) enum TlsCommand {
    /// Make the authority of a cluster: ca.pem and ca.key
    Init(InitArguments),
    /// Make a certificate for a node or for a client: ca.pem, cert.pem and key.pem
    Issue(IssueArguments),
}

#[derive(Debug, Args)]
pub(crate) struct InitArguments {
    /// Where to keep it; ca.key is the secret of the whole cluster
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct IssueArguments {
    /// Where `dray tls init` has put the authority
    #[arg(long, value_name = "DIR")]
    ca: PathBuf,
    /// Name of a node, as in its node.name
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "client",
        required_unless_present = "client"
    )]
    node: Option<String>,
    /// Name of somebody who may talk to the cluster without being a node
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Where to put the files
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn failure(error: dray_link::Error) -> Failure {
    let advice = Some(error.advice());
    Failure { advice, ..Failure::configuration(error) }
}

pub(crate) fn run(command: &TlsCommand, output: &Output) -> Result<Code, Failure> {
    match command {
        TlsCommand::Init(arguments) => {
            Authority::create(&arguments.dir).map_err(failure)?;
            output.say(&format!("made ca.pem and ca.key in {}", arguments.dir.display()));
            output.result(&json!({ "directory": json_path(&arguments.dir) }));
        }
        TlsCommand::Issue(arguments) => issue(arguments, output)?,
    }
    Ok(Code::Done)
}

fn issue(arguments: &IssueArguments, output: &Output) -> Result<(), Failure> {
    let authority = Authority::open(&arguments.ca).map_err(failure)?;
    let (role, name) = match (&arguments.node, &arguments.client) {
        (Some(node), _) => (Role::Node, node),
        (None, Some(client)) => (Role::Client, client),
        (None, None) => return Err(Failure::usage("say --node NAME or --client NAME")),
    };
    authority.issue(role, name, &arguments.out).map_err(failure)?;
    let out = arguments.out.display();
    output.say(&format!("made ca.pem, cert.pem and key.pem of {role} {name} in {out}"));
    let path = json_path(&arguments.out);
    output.result(&json!({ "directory": path, "role": role.to_string(), "name": name }));
    Ok(())
}
