//! Learns hosts from their own ARP and neighbour discovery, and announces them and ports that are down to other agents.
//!
//! On host ports it hears ARP and neighbour discovery ([`neighbor`]); on fabric
//! ports the announcements of other agents ([`announcement`]), which [`Flood`] passes on, and what they ask ([`inquiry`]).

pub mod announcement;
mod flood;
pub mod inquiry;
mod more;
pub mod neighbor;

pub use flood::{Flood, Heard};
