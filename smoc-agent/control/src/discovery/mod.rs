//! Learns hosts from what they say themselves, and tells the other agents of them and of ports that are down.
//!
//! On host ports it hears ARP and neighbour discovery ([`neighbor`]); on fabric
//! ports the announcements of other agents ([`announcement`]), which [`Flood`] passes on.

pub mod announcement;
mod flood;
pub mod neighbor;

pub use flood::{Flood, Heard};
