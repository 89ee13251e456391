//! Whether ports and paths work, decided from hellos and probes.
//!
//! | file | what |
//! |---|---|
//! | `port` | one fabric port: carrier, hellos, other frames |
//! | `path` | one path: losses and round-trip times of its probes |
//! | `hold_down` | how long something has to work before it counts as up again |
//! | `schedule` | which path is probed when |
//! | `route` | the way of a probe and back |
//! | `trust` | which hellos and answers are believed |
//! | `message` | what is to be watched, and what is found of it |
//! | [`prober`] | all of that together, as a value |

mod hold_down;
mod message;
mod path;
mod port;
pub mod prober;
mod route;
mod schedule;
mod trust;

pub use hold_down::HoldDown;
pub use message::{Found, HostPort, PathReport, PathTarget, PortReport, PortTarget, Report, Targets};
pub use path::{PathProbes, RoundTrip};
pub use port::{Port, Reason};
pub use route::RoundTripRoute;
pub use schedule::Schedule;
pub use trust::Trust;
