//! Where nodes are on Earth, and how long light needs between them.

use super::attributes::Attributes;
use super::attributes::{NodeMeaning, of_node};
use crate::topology::Latency;

/// Degrees of latitude and longitude.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    latitude: f64,
    longitude: f64,
}

impl Place {
    /// Of a node that says both; `None` if they are no degrees.
    pub fn of(attributes: &Attributes) -> Option<Self> {
        let degrees = |meaning| of_node(attributes, meaning)?.parse::<f64>().ok();
        let place =
            Self { latitude: degrees(NodeMeaning::Latitude)?, longitude: degrees(NodeMeaning::Longitude)? };
        (place.latitude.abs() <= 90.0 && place.longitude.abs() <= 360.0).then_some(place)
    }
}

/// Along the great circle at 200,000 km/s.
pub(super) fn distance_latency((a, b): (Place, Place)) -> Option<Latency> {
    let half = |from: f64, to: f64| ((to - from).to_radians() / 2.0).sin().powi(2);
    let h = half(a.latitude, b.latitude)
        + a.latitude.to_radians().cos() * b.latitude.to_radians().cos() * half(a.longitude, b.longitude);
    let kilometres = 2.0 * 6371.0 * h.sqrt().min(1.0).asin();
    // Whole microseconds: the places are not known any better.
    Latency::from_nanos((kilometres / 0.2).round() as u64 * 1000)
}
