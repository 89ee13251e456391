//! Who a switch is, what may be known of a port, and what to do about what should not be there.

use smoc_common::route::PortNumber;

/// Who a switch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name.
    pub switch: String,
    /// The fabric that it belongs to.
    pub fabric: String,
    /// A number that no other run of an agent has.
    pub boot: u64,
    /// Width in bits of its port numbers in a route.
    pub port_width: u8,
}

/// A switch of the fabric, behind a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Peer {
    /// Its name.
    pub switch: String,
    /// Its port.
    pub port: PortNumber,
}

impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.switch, self.port)
    }
}

/// What is known of a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No carrier, or nobody has spoken yet and there was not time enough.
    Undecided,
    /// Hosts, or devices that run no smoc.
    Host,
    /// One switch of the fabric, and each has heard the other.
    Fabric(Peer),
    /// An earlier agent found a switch there that has not spoken since.
    Awaited,
    /// Something that must not be there: nothing goes to it or comes from it but by chance.
    Refused(Refusal),
    /// Not used: so says the configuration.
    Off,
}

/// Why what is behind a port is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another port of this switch, or this one.
    Itself(PortNumber),
    /// Another switch with the name of this one.
    Namesake(Peer),
    /// Two switches of one name are heard at two ports.
    Double(Peer),
    /// Two switches at one port.
    Two(Peer, Peer),
    /// A switch of another fabric.
    OtherFabric(Peer, String),
    /// A switch that has no key, although this one has.
    NoKey(Peer),
    /// A switch that has another key.
    OtherKey(Peer),
    /// A switch with another version of smoc.
    Version(String),
    /// A switch where the configuration or the topology says that hosts are.
    NotHost(Peer),
    /// A switch whose program answers, and whose agent says nothing.
    Silent,
    /// What is sent at this open port, or at this one itself, comes in here: something behind the ports forwards frames.
    Loop(Peer),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Itself(port) => {
                write!(f, "the cable ends at this switch again, at port {port}: unplug it")
            }
            Self::Namesake(peer) => {
                write!(
                    f,
                    "another switch has this one's name ({peer}): change switch in the configuration of one"
                )
            }
            Self::Double(peer) => write!(
                f,
                "two switches are called {}: change switch in the configuration of one",
                peer.switch
            ),
            Self::Two(a, b) => write!(
                f,
                "{a} and {b} are both there: links between switches are point to point, plug each into a port of its own"
            ),
            Self::OtherFabric(peer, fabric) => write!(
                f,
                "{peer} belongs to the fabric \"{fabric}\": change fabric in the configuration of one, or unplug the cable"
            ),
            Self::NoKey(peer) => {
                write!(f, "{peer} has no key: give it the fabric's key_file, or unplug the cable")
            }
            Self::OtherKey(peer) => {
                write!(f, "{peer} has another key: give both the same key_file, or unplug the cable")
            }
            Self::Version(name) => {
                write!(
                    f,
                    "{name} runs a version of smoc that this one does not understand: update one of them"
                )
            }
            Self::Silent => write!(
                f,
                "a switch is there whose agent says nothing: start the agent there, or unplug the cable"
            ),
            Self::Loop(peer) => write!(
                f,
                "what is sent at {peer} comes in here: something joins both ports (a bridge without spanning tree, or a switch \
                 whose smoc was never started): take one of them off it"
            ),
            Self::NotHost(peer) => write!(
                f,
                "{peer} is there, where hosts should be: plug the cable where it belongs, or add the link to the topology or \
                 change roles in the configuration"
            ),
        }
    }
}
