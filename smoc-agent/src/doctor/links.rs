//! The network interfaces, with what drivers and interrupts say.

use std::{fs, path::Path};

use smoc_control::{
    doctor::Link,
    interfaces::{Interface, Interfaces},
};

use super::DoctorError;
use crate::{ethtool::Ethtool, netlink::Netlink};

/// All of them.
pub(super) async fn read(netlink: &Netlink, interfaces: &Interfaces) -> Result<Vec<Link>, DoctorError> {
    let ethtool = Ethtool::open().map_err(DoctorError::Ethtool)?;
    let attachments = netlink.attachments().await?;
    let link = |interface: &Interface| {
        let attachment = attachments.get(&interface.index).copied().unwrap_or_default();
        let name = &interface.name;
        Link {
            addresses: interfaces.addresses(interface.index).to_vec(),
            driver: ethtool.driver(name),
            features: ethtool.features(name),
            channels: ethtool.channels(name),
            interrupts: interrupts(interface),
            is_promiscuous: attachment.is_promiscuous,
            peer: attachment.peer,
            interface: interface.clone(),
        }
    };
    Ok(interfaces.all().map(link).collect())
}

/// The processors that may get each of its interrupts. `/sys` may show another network namespace than this one, so the
/// interface there must have the same number and MAC address.
fn interrupts(interface: &Interface) -> Vec<String> {
    let there = Path::new("/sys/class/net").join(&interface.name);
    let says = |file: &str| fs::read_to_string(there.join(file)).unwrap_or_default().trim().to_owned();
    if says("ifindex") != interface.index.0.to_string() || says("address") != interface.mac.to_string() {
        return Vec::new();
    }
    // Of a virtio device they belong to the device above it.
    let mut directories = ["device/msi_irqs", "device/../msi_irqs"].iter().map(|at| there.join(at));
    let Some(entries) = directories.find_map(|directory| fs::read_dir(directory).ok()) else {
        return Vec::new();
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let list = |number: String| {
        let list = fs::read_to_string(format!("/proc/irq/{number}/smp_affinity_list")).ok()?;
        Some(list.trim().to_owned())
    };
    numbers.filter_map(list).collect()
}
