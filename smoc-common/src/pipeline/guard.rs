//! The border at a host port: nothing of smoc's own comes in, and what hosts may send is what their port's guard allows.

use super::{Tables, subflow::is_interface_of};
use crate::{
    event::Outcome,
    map::{Attachment, Host, Port, THIS_EDGE},
    route::PushedRoute,
    wire::{
        Frame, announcement,
        ethernet::{self, MacAddress},
        headers::Headers,
        ip::Address,
    },
};

/// EtherType of ARP (RFC 826).
const ARP: u16 = 0x0806;
const ANNOUNCEMENTS: MacAddress = MacAddress::new(announcement::DESTINATION);

/// Whether a frame looks like one of smoc's own: a pushed route, and so a probe or hello too, or an announcement.
#[inline(always)]
pub(super) fn is_smocs(ethernet: &ethernet::Header) -> bool {
    ethernet.destination.prefix() == PushedRoute::PREFIX
        || (ethernet.destination == ANNOUNCEMENTS && ethernet.ether_type == announcement::ETHER_TYPE)
}

/// `Err` if the guard of the port that a frame came in by, which has these headers unless it is no IP, forbids its sender: the address that it states is another
/// host's, or nobody's where the guard is strict. Unspecified and link-local addresses are nobody's either, but hosts
/// cannot make themselves known without them.
#[inline(never)]
pub(super) fn admit<T: Tables>(
    frame: &impl Frame,
    tables: &mut T,
    headers: Option<&Headers>,
) -> Result<(), Outcome> {
    let number = tables.ingress_port();
    let guard = tables.port(number).map_or(Port::GUARD_OFF, |port| port.guard);
    if guard == Port::GUARD_OFF || !is_interface_of(tables, number) {
        return Ok(());
    }
    let Some((mac, vlan, address)) = sender(frame, headers) else { return Ok(()) };
    // What is behind a router is the router's; but who is not known yet may be in its prefix too.
    let owner = tables.host(&address).copied();
    let router = if owner.is_none() { tables.router(&address).copied() } else { None };
    let attachment = Attachment { edge: THIS_EDGE, port: number };
    let is_owner = |host: &Host| host.attachment == attachment && host.mac == mac && host.is_in(vlan);
    match owner {
        Some(host) if is_owner(&host) => Ok(()),
        None if router.is_some_and(|router| is_owner(&router)) => Ok(()),
        None if guard == Port::GUARD_SOURCE || address.is_local() => Ok(()),
        _ => Err(Outcome::Guarded),
    }
}

/// The MAC address, VID and address that a frame states as its sender's; `None` if it is neither IP nor ARP.
#[inline(always)]
fn sender(frame: &impl Frame, headers: Option<&Headers>) -> Option<(MacAddress, u16, Address)> {
    if let Some(Headers { ethernet, packet, .. }) = headers {
        return Some((ethernet.source, ethernet.vlan, packet.source));
    }
    let ethernet = ethernet::Header::parse(frame)?;
    if ethernet.ether_type != ARP {
        return None;
    }
    // Hardware address and address of the sender.
    let [mac0, mac1, mac2, high, low] = frame.halves(ethernet.payload + 8)?;
    let stated = (u64::from(mac0) << 32) | (u64::from(mac1) << 16) | u64::from(mac2);
    let address = Address::mapped(u32::from(high) << 16 | u32::from(low));
    let is_true = MacAddress::from_number(stated) == ethernet.source;
    // Who states another's MAC address gets nobody's: it owns no address.
    let mac = if is_true { ethernet.source } else { MacAddress::from_number(0) };
    Some((mac, ethernet.vlan, address))
}
