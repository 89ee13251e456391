//! Frames that no kernel would send: chosen keys, chosen tags. They carry an MPTCP handshake (RFC 8684) between
//! stations whose kernels know nothing of it.

use std::net::IpAddr;

use anyhow::{Context, Result, bail};
use etherparse::{PacketBuilder, PacketBuilderStep, TcpHeader, VlanId};

use super::FrameSender;
use crate::lab::Host;

/// MPTCP's option kind.
const MPTCP: u8 = 30;

/// A host as a place to send crafted frames from and to.
#[derive(Debug)]
pub struct Station {
    sender: FrameSender,
    mac: [u8; 6],
    address: [u8; 4],
}

/// The MAC address that the topology gives a host.
///
/// # Errors
/// When it gives none.
pub fn mac_of(host: &Host) -> Result<[u8; 6]> {
    let mac = host.mac.as_deref().with_context(|| format!("{} has no MAC address", host.name))?;
    let octets: Vec<u8> = mac.split(':').filter_map(|octet| u8::from_str_radix(octet, 16).ok()).collect();
    octets.try_into().map_err(|_| anyhow::anyhow!("{mac} is no MAC address"))
}

/// A subflow between two stations: the ports, client first.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// The client's.
    pub client: u16,
    /// The server's.
    pub server: u16,
}

impl Station {
    /// The station at a host's first address, which must be IPv4.
    ///
    /// # Errors
    /// When the host has no such address or no MAC address in the topology.
    pub fn at(host: &Host) -> Result<Self> {
        let Some(IpAddr::V4(address)) = host.addresses.first() else {
            bail!("{} has no IPv4 address", host.name)
        };
        let sender = FrameSender::open(&host.namespace(), "eth0")?;
        Ok(Self { sender, mac: mac_of(host)?, address: address.octets() })
    }

    /// Its MAC address.
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Sends a frame as it is.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        self.sender.send(frame)
    }

    /// A UDP datagram to another station in an Ethernet frame to `mac`, with a VLAN tag if told.
    pub fn udp(&self, to: &Self, mac: [u8; 6], vlan: Option<u16>, payload: &[u8]) -> Result<Vec<u8>> {
        let ethernet = PacketBuilder::ethernet2(self.mac, mac);
        let packet = match vlan {
            Some(id) => ethernet.single_vlan(VlanId::try_new(id)?).ipv4(self.address, to.address, 64),
            None => ethernet.ipv4(self.address, to.address, 64),
        };
        let mut frame = Vec::new();
        packet.udp(4000, 4000).write(&mut frame, payload)?;
        Ok(frame)
    }

    fn tcp(
        &self,
        to: &Self,
        (source, destination): (u16, u16),
        sequence: u32,
    ) -> PacketBuilderStep<TcpHeader> {
        PacketBuilder::ethernet2(self.mac, to.mac).ipv4(self.address, to.address, 64).tcp(
            source,
            destination,
            sequence,
            4096,
        )
    }
}

/// The initial subflow's three-way handshake, with keys as in section 3.1.
pub fn open_connection(client: &Station, server: &Station, ports: Ports, keys: (u64, u64)) -> Result<()> {
    let (client_key, server_key) = (keys.0.to_be_bytes(), keys.1.to_be_bytes());
    let capable = |keys: &[[u8; 8]]| option(&[0x01, 0x01], keys.as_flattened());
    three_way(
        client,
        server,
        ports,
        [capable(&[]), capable(&[server_key]), capable(&[client_key, server_key])],
    )
}

/// An additional subflow's three-way handshake, with the server's token as in section 3.2.
pub fn join_connection(
    client: &Station,
    server: &Station,
    ports: Ports,
    token: u32,
    address_id: u8,
) -> Result<()> {
    let nonce = [1, 2, 3, 4];
    let syn = option(&[0x10, address_id], [token.to_be_bytes(), nonce].as_flattened());
    let synack = option(&[0x10, 0], &[7; 12]);
    let ack = option(&[0x10, 0], &[7; 20]);
    three_way(client, server, ports, [syn, synack, ack])
}

fn three_way(
    client: &Station,
    server: &Station,
    ports: Ports,
    [syn, synack, ack]: [Vec<u8>; 3],
) -> Result<()> {
    let (there, back) = ((ports.client, ports.server), (ports.server, ports.client));
    transmit(client, client.tcp(server, there, 100).syn(), &syn)?;
    transmit(server, server.tcp(client, back, 200).syn().ack(101), &synack)?;
    transmit(client, client.tcp(server, there, 101).ack(201), &ack)
}

/// Sends a segment and leaves it the time to arrive.
fn transmit(from: &Station, segment: PacketBuilderStep<TcpHeader>, option: &[u8]) -> Result<()> {
    let mut frame = Vec::new();
    segment.options_raw(option)?.write(&mut frame, &[])?;
    from.send(&frame)?;
    std::thread::sleep(std::time::Duration::from_millis(20));
    Ok(())
}

/// An MPTCP option: its subtype and flags, then the rest.
fn option(head: &[u8; 2], rest: &[u8]) -> Vec<u8> {
    let length = (4 + rest.len()) as u8;
    [&[MPTCP, length], head.as_slice(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_have_the_lengths_of_rfc_8684() {
        assert_eq!(option(&[0x01, 0x01], &[]), [30, 4, 1, 1]);
        assert_eq!(option(&[0x01, 0x01], &[0; 16]).len(), 20);
        assert_eq!(option(&[0x10, 0], &[0; 8]), [30, 12, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(option(&[0x10, 0], &[0; 20])[1], 24);
    }
}
