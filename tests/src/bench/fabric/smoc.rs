//! smoc on the switches of a chain: its programs attached, its tables filled, its subflows taken through their handshakes.
//!
//! The tables are those of the scene that the packet path's own tests have, as an agent would write them, with the interfaces
//! of the chain. Subflows are opened by their frames: every entry is the programs' own.

use anyhow::{Result, ensure};
use smoc_common::event::Outcome;
use smoc_common::map::Port;
use smoc_common::route::{Label, PushedRoute, Rank, Route};
use smoc_common::testing::Switch;
use smoc_common::testing::scene::{A, B, FIRST, edge, handshake, transit};
use smoc_common::token::Version;

use super::chain::{Chain, EAST, WEST, index};
use crate::netns::Unnamed;
use crate::program::{Programs, XDP_REDIRECT};

/// The port of an edge by which its path to the other one leaves.
const UPLINK: u16 = 1;
/// The ports of a transit switch: towards the near end, towards the far one.
const THROUGH: [u16; 2] = [1, 2];

/// The programs of each switch, from the near end; dropping them detaches them.
pub struct Smoc {
    switches: Vec<Programs>,
}

impl Smoc {
    /// An edge, transit switches, and an edge.
    ///
    /// # Errors
    /// The object is not built, or the kernel refuses something.
    pub fn between_edges(chain: &Chain) -> Result<Self> {
        let last = chain.switches().len() - 1;
        ensure!(last == 2, "the scene's edges have one transit switch between them");
        let switch = |(at, site)| match at {
            0 => loaded(site, edge(0), [FIRST, UPLINK]),
            at if at == last => loaded(site, edge(1), [UPLINK, FIRST]),
            _ => loaded(site, transit(), THROUGH),
        };
        Ok(Self { switches: chain.switches().iter().enumerate().map(switch).collect::<Result<_>>()? })
    }

    /// Transit switches alone, for frames that have their route already.
    ///
    /// # Errors
    /// As [`Smoc::between_edges`].
    pub fn transit(chain: &Chain) -> Result<Self> {
        let switch = |site| loaded(site, transit(), THROUGH);
        Ok(Self { switches: chain.switches().iter().map(switch).collect::<Result<_>>()? })
    }

    /// Opens a connection from each of the first so many ports of [`A`] to [`B`].
    ///
    /// # Errors
    /// An edge does not follow the handshake.
    pub fn open(&self, connections: u32) -> Result<()> {
        let [near, .., far] = &self.switches[..] else { return Ok(()) };
        for number in 0..connections {
            let keys = [0x1111_2222_0000_0000, 0x3333_4444_0000_0000].map(|key| key + u64::from(number));
            let ends = [A.at(number as u16), B];
            let [(_, syn), (_, answer), (_, ack)] = handshake(Version::V1, ends, keys);
            let steps = [
                (near, "smoc_host", syn.clone()),
                (far, "smoc_fabric", pushed(syn, 1)),
                (far, "smoc_host", answer.clone()),
                (near, "smoc_fabric", pushed(answer, 1)),
                (near, "smoc_host", ack.clone()),
                (far, "smoc_fabric", pushed(ack, 1)),
            ];
            for (programs, program, mut frame) in steps {
                let (action, _) = programs.run(program, &mut frame, 1)?;
                ensure!(
                    action == XDP_REDIRECT,
                    "{program} does not follow handshake {number}: action {action}"
                );
            }
        }
        Ok(())
    }

    /// How many frames each switch has sent on: as `ingress`, as transit or as delivered ones, whatever a switch at its place
    /// does with these frames. What the kernel was left is not among them.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn forwarded(&self, ingress: Outcome) -> Result<Vec<u64>> {
        let last = self.switches.len() - 1;
        let outcome = |at| match at {
            _ if ingress == Outcome::Transit => Outcome::Transit,
            0 => ingress,
            at if at == last => Outcome::Delivered,
            _ => Outcome::Transit,
        };
        self.switches
            .iter()
            .enumerate()
            .map(|(at, programs)| programs.counter(outcome(at).counter()))
            .collect()
    }

    /// One of the notes or outcomes of the switch at the near end, by its counter.
    ///
    /// # Errors
    /// The kernel refuses to say.
    pub fn noticed(&self, counter: u32) -> Result<u64> {
        self.switches[0].counter(counter)
    }
}

/// A frame whose route is pushed.
pub fn pushed(mut frame: Vec<u8>, bits: u64) -> Vec<u8> {
    let pushed = PushedRoute { label: Label::new(Rank::BEST, false), route: Route::from_bits(bits) };
    frame[..12].copy_from_slice(pushed.words().map(u32::to_be_bytes).as_flattened());
    frame
}

/// The route through so many transit switches, and out of the last one.
pub fn route(switches: usize) -> u64 {
    (0..switches).fold(1, |bits, _| bits << 4 | u64::from(THROUGH[1]))
}

/// A switch of the scene, of which two ports are the interfaces of a site: that in the west and that in the east.
fn loaded(site: &Unnamed, mut switch: Switch, ports: [u16; 2]) -> Result<Programs> {
    let mut programs = Programs::load("smoc.bpf.o")?;
    let _inside = site.enter()?;
    let interfaces = [WEST, EAST];
    for (number, interface) in ports.into_iter().zip(interfaces) {
        if let Some(port) = switch.ports.get_mut(&number) {
            port.interface = index(interface)?;
        }
    }
    programs.fill(&switch)?;
    for (number, interface) in ports.into_iter().zip(interfaces) {
        let is_host = switch.ports.get(&number).is_some_and(|port| port.role == Port::HOST);
        let map = if is_host { "HOST_PORTS" } else { "FABRIC_PORTS" };
        programs.set_interface(map, number.into(), index(interface)?)?;
        programs.attach(if is_host { "smoc_host" } else { "smoc_fabric" }, interface)?;
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_a_port_for_each_transit_switch() {
        assert_eq!([route(0), route(1), route(3)], [1, 0x12, 0x1222]);
    }
}
