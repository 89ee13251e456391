//! Through which ports frames leave.

use std::path::Path;

use aya::maps::{DevMap, MapData};
use smoc_common::route::PortNumber;
use smoc_control::{dataplane::Exits, interfaces::IfIndex, ports::Role};

use super::maps::{device, open, set_device};
use crate::dataplane::DataplaneError;

/// `FABRIC_PORTS` and `HOST_PORTS`: the prober alone writes them.
pub struct Transmit {
    fabric: DevMap<MapData>,
    hosts: DevMap<MapData>,
}

const fn name(role: Role) -> &'static str {
    match role {
        Role::Fabric => "FABRIC_PORTS",
        Role::Host => "HOST_PORTS",
    }
}

impl Transmit {
    /// Opens the maps in a pin directory.
    ///
    /// # Errors
    /// They are not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        Ok(Self { fabric: open(pin, name(Role::Fabric))?, hosts: open(pin, name(Role::Host))? })
    }

    /// Where a port leads in the map of a role.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn get(&self, port: PortNumber, role: Role) -> Result<Option<IfIndex>, DataplaneError> {
        let map = match role {
            Role::Fabric => &self.fabric,
            Role::Host => &self.hosts,
        };
        device(map, name(role), port.get().into())
    }

    /// Lets a port lead to an interface in the map of a role, or nowhere.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set(&mut self, port: PortNumber, role: Role, to: Option<IfIndex>) -> Result<(), DataplaneError> {
        let map = match role {
            Role::Fabric => &mut self.fabric,
            Role::Host => &mut self.hosts,
        };
        set_device(map, name(role), port.get().into(), to.unwrap_or_default())
    }

    /// Where all ports lead that lead anywhere.
    ///
    /// # Errors
    /// A map cannot be read.
    pub fn all(&self) -> Result<Exits, DataplaneError> {
        let ports = (1..=PortNumber::MAX).filter_map(PortNumber::new);
        let places = ports.flat_map(|port| [Role::Fabric, Role::Host].map(|role| (port, role)));
        let exit =
            |place: (PortNumber, Role)| self.get(place.0, place.1).transpose().map(|to| Ok((place, to?)));
        places.filter_map(exit).collect()
    }
}
