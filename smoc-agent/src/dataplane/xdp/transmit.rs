//! Through which ports frames leave.

use std::{collections::BTreeMap, path::Path};

use aya::maps::{DevMap, MapData};
use smoc_common::route::PortNumber;
use smoc_control::interfaces::IfIndex;

use super::{device, maps::open, set_device};
use crate::dataplane::DataplaneError;

const MAP: &str = "TX_PORTS";

/// `TX_PORTS`: the prober alone writes it.
pub struct Transmit(DevMap<MapData>);

impl Transmit {
    /// Opens the map in a pin directory.
    ///
    /// # Errors
    /// It is not there.
    pub fn open(pin: &Path) -> Result<Self, DataplaneError> {
        open(pin, MAP).map(Self)
    }

    /// Where a port leads.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn get(&self, port: PortNumber) -> Result<Option<IfIndex>, DataplaneError> {
        device(&self.0, MAP, port.get().into())
    }

    /// Lets a port lead to an interface, or nowhere.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set(&mut self, port: PortNumber, to: Option<IfIndex>) -> Result<(), DataplaneError> {
        set_device(&mut self.0, MAP, port.get().into(), to.unwrap_or_default())
    }

    /// Where all ports lead that lead anywhere.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn all(&self) -> Result<BTreeMap<PortNumber, IfIndex>, DataplaneError> {
        let ports = (1..=PortNumber::MAX).filter_map(PortNumber::new);
        ports.filter_map(|port| self.get(port).transpose().map(|to| Ok((port, to?)))).collect()
    }
}
