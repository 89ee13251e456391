//! What a switch wants of the world.

use std::{collections::BTreeSet, sync::Arc};

use smoc_common::route::PortNumber;

use super::Snapshot;
use crate::{
    dataplane::{Change, Slot},
    discovery::inquiry::Question,
    fabric::Record,
    interfaces::{BridgePort, IfIndex, Interface},
    liveness::Targets,
    ports::Role,
    siblings::Settlement,
};

/// What a switch wants of the world; to be done in this order. What cannot be done is told by
/// [`super::Event::Refused`]; the switch asks again later.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Write to the maps: see [`write_all`].
    Write(Change),
    /// Keep these over restarts: all that is known of what operators want.
    Remember(Vec<Record>),
    /// Read back what is in the maps, and tell.
    Inspect,
    /// Put the program of a role on an interface, in place of what an earlier agent left there.
    Attach(PortNumber, Role, Interface),
    /// Take the programs off all interfaces but these, by name.
    KeepPrograms(BTreeSet<String>),
    /// Open or close a bridge port for the base network.
    SetBridgePort(PortNumber, Interface, BridgePort),
    /// Let the bridge forget behind which ports it has seen which addresses.
    ForgetAddresses(Interface),
    /// Listen on an interface to what a port of this role hears.
    Listen(PortNumber, Role, IfIndex),
    /// Listen no more.
    StopListening(PortNumber),
    /// Send a frame out of a port that is listened on.
    Send(PortNumber, Vec<u8>),
    /// Look into the tables for a token, and tell. What cannot be looked into is not answered.
    Look(Question),
    /// Let a subflow go on with what is known of its connection, if it is still there.
    Settle(Settlement),
    /// Watch these ports and paths from now on.
    Watch(Targets),
    /// Show this to whoever asks.
    Publish(Arc<Snapshot>),
}

/// Something that is wanted and may be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// The maps say what they should.
    Maps,
    /// A port's program.
    Program(PortNumber),
    /// A port's state in the bridge.
    BridgePort(PortNumber),
    /// A port's packet socket.
    Socket(PortNumber),
}

/// Makes changes in order, each by itself: one that fails stops only those that need it. The errors of those that failed.
///
/// An edge is not pointed to a path set that could not be written.
pub fn write_all<'a, E>(
    changes: impl IntoIterator<Item = &'a Change>,
    mut write: impl FnMut(&Change) -> Result<(), E>,
) -> Vec<E> {
    let (mut errors, mut unwritten) = (Vec::new(), BTreeSet::<Slot>::new());
    for change in changes {
        if matches!(change, Change::PointEdge(_, slot) if unwritten.contains(slot)) {
            continue;
        }
        if let Err(error) = write(change) {
            errors.push(error);
            if let Change::WritePathSet(slot, _) = change {
                unwritten.insert(*slot);
            }
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use smoc_common::map::PathSet;

    use super::*;
    use crate::dataplane::Toward;

    #[test]
    fn a_change_that_fails_stops_only_what_needs_it() {
        let set = |slot| Change::WritePathSet(Slot(slot), PathSet::default());
        let point = |edge, slot| Change::PointEdge(edge, Slot(slot));
        let changes = [
            set(1),
            point(1, 1),
            set(2),
            point(2, 2),
            Change::NameEdge(3, Toward { switch: "e3".into(), rule: 0 }),
        ];
        let mut written = Vec::new();
        let errors = write_all(&changes, |change| {
            if *change == set(1) {
                return Err("no");
            }
            written.push(change.clone());
            Ok(())
        });
        assert_eq!((errors, &written[..]), (vec!["no"], &changes[2..]));
    }
}
