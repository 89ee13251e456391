//! What the API tells: what control has decided, made into documents.
//!
//! | file | about |
//! |---|---|
//! | `status` | the agent and its switch: ports, counters, tables |
//! | `hosts` | addresses |
//! | `paths` | ranked paths |
//! | `fabric` | the network, the fabric as a whole, its agents |

mod fabric;
mod hosts;
mod paths;
mod status;

pub use fabric::{
    AgentView, AgentsView, DigestView, DrainView, FabricView, LinkView, SwitchView, TopologyView,
};
pub use hosts::{HostView, RefusalView};
pub use paths::{EdgeView, RankView, UnroutableView};
pub use status::{BridgeView, CounterView, FabricConfigView, LearningView, PortView, Status, TableView};

pub(super) use fabric::{agents, fabric, topology};
pub(super) use hosts::hosts;
pub(super) use paths::edges;
pub(super) use status::status;
