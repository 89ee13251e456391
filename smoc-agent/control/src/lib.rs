//! What a switch should do, decided from facts: no clock, no socket, no BPF.
//!
//! | module | what |
//! |---|---|
//! | [`clock`] | times, which every decision is given |
//! | [`config`] | the configuration of one switch |
//! | [`interfaces`], [`ports`] | the interfaces behind the ports, and what a port leads to |
//! | [`fabric`] | what switches say of themselves, and the network that follows |
//! | [`hosts`], [`discovery`] | where addresses live, and what agents tell each other |
//! | [`neighbors`] | who is behind each port |
//! | [`liveness`] | whether ports and paths work |
//! | [`policy`] | which pairs of hosts take other paths than the rest |
//! | [`plan`] | from facts to what the maps should say, and to the changes that make it so |
//! | [`base_network`] | which ports between switches are open for what smoc leaves to the kernel |
//! | [`dataplane`] | what is installed in the maps, and changes to it |
//! | [`switch`] | all of that together, as a value: events in, effects out |
//! | [`store`] | records that all agents of a fabric share |
//! | [`siblings`] | joins whose siblings are at other edges |
//! | [`history`] | what has happened, within a fixed budget |
//! | [`capture`] | which frames are captured, and what is said of each |
//! | [`end_host`] | what the path manager of an end host should be told |
//! | [`doctor`] | what is wrong with a host or a switch |
//! | [`connections`] | MPTCP connections as the kernel's tables show them |

pub mod base_network;
pub mod capture;
pub mod clock;
pub mod config;
pub mod connections;
pub mod dataplane;
pub mod discovery;
pub mod doctor;
pub mod end_host;
pub mod fabric;
pub mod history;
pub mod hosts;
pub mod interfaces;
pub mod liveness;
pub mod neighbors;
pub mod plan;
pub mod policy;
pub mod ports;
pub mod siblings;
pub mod store;
pub mod switch;
