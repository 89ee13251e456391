//! The agent's API: JSON over HTTP on a Unix socket (mode 0660). Who may use it may drain and set policy.
//!
//! | path | answer |
//! |---|---|
//! | `/status` | [`Status`] |
//! | `/hosts` | list of [`HostView`] |
//! | `/conns` | list of [`smoc_control::connections::ConnectionReport`] |
//! | `/paths` | list of [`EdgeView`] |
//! | `/topology` | [`TopologyView`] |
//! | `/fabric` | [`FabricView`] |
//! | `/agents` | [`AgentsView`]: where the API of each agent can be read |
//! | `/drain`, POST [`Order`] | [`Drained`] |
//! | `/events?from=N&since_seconds=S&wait_seconds=W` | [`smoc_control::history::Page`]; waits so long, 20 s at most, for an entry |
//! | `/metrics` | text of OpenMetrics 1.0 ([`crate::metrics`]); over TCP as well, where the configuration says so |
//! | `/openers` | map from address to [`smoc_control::connections::Opener`] |
//! | `/series?since_seconds=S&most=N` | [`smoc_control::history::Recorded`]: N looks (2,000), evenly chosen |
//! | `/policy` | [`PolicyView`] |
//! | `/policy`, POST [`PolicyOrder`] | [`Applied`] |
//! | `/policy/delete`, POST [`PolicyDeletion`] | [`Applied`] |
//! | `/probe?to=e2&rank=0&hops=2` | [`ProbeView`]: sends one probe along a path and waits for it |
//! | `/capture?` [`crate::capture::Order`], upgraded to `smoc-capture` | frames for as long as the client reads ([`crate::capture`]) |
//! | `/page/live?shape=KEY` | [`page::Live`]: what the page of `smoc web` draws, without the network if that is still the one of the key |
//! | `/page/find?text=T` | [`page::Found`] |
//! | `/page/paths?from=e1&to=e2` | [`page::PairPaths`] |
//! | `/page/connections?link=L` (`switch`, `address`, `token`) | [`page::Connections`] |
//! | `/page/what-if?fail=L` | [`page::WhatIf`]: one is worked out at a time |
//! | `/explain?token=8a3f` or `?src=A&sport=P&dst=A&dport=P` | [`smoc_control::connections::Explanation`] |
//!
//! `fabric_api` in the configuration makes what can be read there readable over TCP; what sends or changes anything is on the socket only.
//!
//! Clients are served 64 at a time, with a timeout of 5 s for the request and 30 s in all. An error is `{"error": "..."}`
//! with status 400, 409 (a capture is running), 500, or 503 while the agent starts. What changes slowly is answered from the snapshot that control
//! publishes; counters and connections are read from the kernel's tables at each request.

mod capture;
mod client;
mod connections;
mod drain;
mod events;
mod liveness;
mod metrics;
mod page;
mod policy;
mod port;
mod pressure;
mod remote;
mod series;
mod server;
mod view;

pub(crate) use client::pass;
pub use client::{ClientError, get, post, text, upgrade};
pub use drain::{Drained, Order};
pub use liveness::{DetoursView, PathLivenessView, PortLivenessView, ProbeView, ProbingView};
pub use page::Board;
pub use policy::check as check_policy;
pub use policy::{Applied, PolicyDeletion, PolicyOrder, PolicyView, RuleView};
pub use port::{ApiPort, FABRIC_API, METRICS, PortError, token};
pub use remote::{Remote, Trust};
pub use series::remember;
pub(crate) use server::router;
pub use server::{ApiServer, BindError, Looked, SocketFile, Sources};
pub use view::{
    AgentView, AgentsView, BridgeView, CounterView, DigestView, DrainView, EdgeView, FabricConfigView,
    FabricView, HostView, LearningView, LinkView, PortView, RankView, RefusalView, Status, SwitchView,
    TableView, TopologyView, UnroutableView,
};
