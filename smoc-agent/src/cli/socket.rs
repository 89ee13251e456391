//! Which running agent a verb asks.

use std::path::PathBuf;

/// Which agent to ask.
#[derive(clap::Args, Debug)]
pub struct AgentSocket {
    /// The agent's socket
    #[arg(long, env = "SMOC_API", default_value = smoc_control::config::DEFAULT_API, value_name = "SOCKET")]
    pub(super) api: PathBuf,
}
