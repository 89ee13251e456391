//! Ranked, diverse paths over network topologies.
//!
//! | module | what |
//! |---|---|
//! | [`topology`] | switches, links and hosts; the topology file and other formats |
//! | [`search`] | ranked paths and detours, one policy a file |
//! | [`analysis`] | what can be said of ranked paths: diversity, failures, throughput, buffers |
//! | [`input`] | files that people write, and messages that say what to change |
//!
//! Every arrow points up this table: `analysis -> search -> topology -> input`.

pub mod analysis;
pub mod input;
pub mod search;
pub mod topology;
