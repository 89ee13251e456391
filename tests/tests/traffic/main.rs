//! Real MPTCP hosts over a lab: paths of their own, failures, floods, middleboxes. Needs root.

mod bench_fabric;
mod dual_homed;
mod failures;
mod floods;
mod forwarding;
mod lab;
mod middleboxes;
mod probes;
mod wires;
