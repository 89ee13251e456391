//! How long frames may be lost after something happened while a working way exists: what README and ARCHITECTURE promise,
//! with what a virtual clock needs on top of the measured figures.
//!
//! | what | README | bound here |
//! |---|---|---|
//! | a link loses carrier at both ends | 4 to 7 ms | [`CARRIER`] |
//! | a link or switch falls silent, or one direction of it | 33 to 49 ms, at 10 ms a hello and three missed | [`silent`] |
//! | one direction of a link, and the agent behind it cannot tell | | [`one_way`], for frames into that direction |
//! | the same while other links are down already: a rank may need two detours, and only probes find that | "3 probes in a row", 20 ms apart | [`PROBED`] |
//! | anything that meets the network while it is not settled after something else, moves of hosts, reloads | "in a second or two" | [`SETTLED`] |
//! | a host moves in a network without files | its port is closed for 500 ms, and an edge that says nothing is waited for for 2 s | [`MOVED`] |
//! | the base network heals | "in a second or two" | [`BASE`] |
//! | an agent ends or starts | 0 frames | none |
//! | something works again | 0 frames | none |
//! | everything is as it should be after the last fault, hold-downs included | | [`QUIET`] |

use std::time::Duration;

use smoc_control::{config::Hellos, hosts::contest::EDGE_PATIENCE};

/// After carrier was lost at both ends of a link.
pub const CARRIER: Duration = Duration::from_millis(10);
/// After a failure while other links are out of use: three probes and what they are waited for, where the least budget that is
/// drawn, 100 a second, stretches their interval.
pub const PROBED: Duration = Duration::from_millis(500);
/// After anything that met a network that was not settled.
pub const SETTLED: Duration = Duration::from_secs(2);
/// From the move of a host in a network without files until it speaks again behind the port that was closed meanwhile.
pub const HEARD: Duration = Duration::from_millis(800);
/// After a host moved in a network without files: heard, and then the edge where it was may be one that says nothing. The rest is for
/// announcements and maps.
pub const MOVED: Duration = Duration::from_millis(800 + 2000 + 200);
const _: () = assert!(MOVED.as_millis() == HEARD.as_millis() + EDGE_PATIENCE.as_millis() + 200);
/// Frames that go over the base network, after anything at all.
pub const BASE: Duration = Duration::from_secs(4);
/// From the start until frames must arrive.
pub const START: Duration = Duration::from_secs(4);
/// From the last fault until nothing differs from what is wanted.
pub const QUIET: Duration = Duration::from_secs(25);

/// After a link or switch fell silent, in one direction or both: the multiplier's hellos, one until the first is missed
/// and one until the neighbour is told; 50 ms by default.
pub fn silent(hellos: &Hellos) -> Duration {
    hellos.interval * (hellos.multiplier + 2)
}

/// After one direction of a link fell silent whose other end has an agent that is dead or late and cannot tell: ten times the
/// multiplier's hellos have to be missed; 320 ms by default.
pub fn one_way(hellos: &Hellos) -> Duration {
    hellos.interval * (hellos.multiplier * 10 + 2)
}
