//! `smoc web`: the fabric in a browser.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, anyhow};
use smoc_control::config::{Listener, Web};

use super::{Failure, socket::AgentSocket};
use crate::web::{Backend, Site};

/// Arguments of `smoc web`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "The page shows the network as one agent sees it: links by load and state, live; ranks, subflows and hosts of what is
clicked; events; and what a failure would do, before it happens. Where agents know the fabric by a store or by flooding, that is the
whole fabric; connections and their rates are those of the asked agent's switch. The agent may start, end and start again meanwhile.

Everybody who reaches the port sees what `smoc conns` shows: keep it on 127.0.0.1 (ssh -L 8053:127.0.0.1:8053 switch), or give it a
token and TLS. The agent serves the same page itself where its configuration says web: {listen: \"127.0.0.1:8053\"}.

Examples:
  smoc web
  smoc web --api /run/smoc-lab/e1.sock --listen 127.0.0.1:8054
  smoc web --listen 10.9.0.1:8053 --cert e1.pem --key e1.key --token-file web.token
  smoc web --writes                              # links and switches can be drained from the page"
)]
pub struct WebArgs {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8053", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// A file with a token that the page asks its readers for
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A certificate for TLS (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Listen on all addresses without TLS, if --listen says so
    #[arg(long)]
    unencrypted: bool,
    /// Let the page drain links and switches
    #[arg(long)]
    writes: bool,
    #[command(flatten)]
    agent: AgentSocket,
}

/// Runs the verb, until it is interrupted.
///
/// # Errors
/// It cannot listen, or a file is missing or faulty.
pub fn run(args: &WebArgs) -> Result<(), Failure> {
    let identity = args.cert.clone().zip(args.key.clone());
    if args.listen.ip().is_unspecified() && identity.is_none() && !args.unencrypted {
        return Err(Failure::BadInput(anyhow!(
            "--listen {}: this is every address of this machine, and without TLS: name one address, or --cert and --key, \
             or add --unencrypted if that is what you want",
            args.listen
        )));
    }
    let scheme = if identity.is_some() { "https" } else { "http" };
    let port = Listener { listen: args.listen, token_file: args.token_file.clone(), identity };
    let site = Site::bind(&Web { port, writes: args.writes }).map_err(Failure::bad_input)?;
    eprintln!("{scheme}://{}", site.address());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("start the runtime")?;
    let served = runtime.block_on(site.serve(Backend::socket(args.agent.api.clone())));
    served.map_err(|error| Failure::Failed(anyhow!(error)))
}
