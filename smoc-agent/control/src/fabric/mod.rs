//! What the switches of a fabric say of themselves, and the network that follows from it.
//!
//! A switch says which other switch it finds behind each of its ports ([`Report`]); a link is there when both of its ends say
//! so ([`assemble`]). What operators want of the fabric as a whole are [`records`]: small texts by name, the newest of each
//! name counts.

mod assemble;
pub mod digest;
pub mod drain;
mod place;
pub mod records;
mod report;

pub use assemble::{Discord, Fabric, assemble};
pub use place::ApiPlace;
pub use records::{Record, Records};
pub use report::{Adjacency, Report};
