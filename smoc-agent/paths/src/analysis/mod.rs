//! What a topology and a policy promise, computed offline: diversity, failures, throughput.
//!
//! | file | what |
//! |---|---|
//! | `fair` | max-min fair rates |
//! | `buffer` | the receive buffer that a set of paths asks for |
//! | `diversity` | how disjoint the ranks of a pair are, against what the topology offers |
//! | `failures` | what a failure does to every pair |
//! | `network` | what every switch does with a frame, by the packet path's own pipeline |
//! | `detours` | what becomes of the frames of broken paths meanwhile |
//! | `traffic`, `simulate` | who sends to whom, and what throughput each routing gives them |

pub mod buffer;
pub mod detours;
pub mod diversity;
pub mod failures;
pub mod fair;
pub mod network;
pub mod simulate;
pub mod traffic;
