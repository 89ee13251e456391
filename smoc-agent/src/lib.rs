//! The user-space half of smoc: decides which path each rank means and programs the packet path.
//!
//! The plan of the house, top floor first; every arrow points down:
//! `cli -> agent -> api -> control -> paths -> topology`, with `dataplane`, `store` and `discovery` at the rim.

pub mod agent;
pub mod analysis;
pub mod api;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connections;
pub mod control;
pub mod dataplane;
pub mod decode;
pub mod discovery;
pub mod hosts;
pub mod input;
pub mod interfaces;
pub mod liveness;
pub mod paths;
pub mod store;
pub mod topology;
