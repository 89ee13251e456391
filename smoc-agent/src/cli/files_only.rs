//! Stands for `live` in a build without the feature `agent`, which has files to read and no agent to ask.

use anyhow::anyhow;

use super::{Failure, Format, socket::AgentSocket};

fn no_agent(agent: &AgentSocket) -> Failure {
    let api = agent.api.display();
    Failure::BadInput(anyhow!(
        "this smoc was built without the feature `agent` and cannot ask the one at {api}: name a topology file, or build it \
         with its default features"
    ))
}

/// `smoc paths --live`.
///
/// # Errors
/// Always.
pub fn paths(agent: &AgentSocket, _: Format) -> Result<(), Failure> {
    Err(no_agent(agent))
}

/// `smoc topology` without a file.
///
/// # Errors
/// Always.
pub fn topology(agent: &AgentSocket, _: Format) -> Result<(), Failure> {
    Err(no_agent(agent))
}
