//! Learns hosts from their own ARP and neighbour discovery, and announces them and ports that are down to other agents.
//!
//! On host ports it hears ARP and neighbour discovery ([`neighbor`]); on fabric
//! ports the announcements of other agents ([`announcement`]), which [`Flood`] passes on, and what they ask ([`inquiry`]). On
//! both it hears who is at the other end ([`lldp`]), and that somebody is ([`presence`]). Where the fabric has a [`key`], only its switches are believed.

pub mod advice;
pub mod announcement;
mod behind;
mod flood;
pub mod inquiry;
pub mod key;
pub mod lldp;
mod more;
pub mod neighbor;
pub mod presence;

pub use flood::{Flood, Heard};
