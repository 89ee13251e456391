//! What the kernel programs report: a counter for every outcome and observation, and events for the few
//! that are worth a line in a log.

use crate::{
    map::{ConnectionId, FlowKey},
    wire::probe::Probe,
};

/// What an XDP program does with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The kernel's own bridge or routing goes on with it.
    Pass,
    /// It leaves through another port.
    Redirect,
    /// It leaves through the port that it came in by.
    Reply,
    /// It ends here: a frame of smoc's own, or one that crosses a border that it must not cross.
    Consume,
}

macro_rules! counted {
    (
        $(#[$about:meta])* $name:ident: $first:expr;
        $($variant:ident $(=> $action:ident)?, $label:literal, $help:literal;)*
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name { $(#[doc = $help] $variant,)* }

        impl $name {
            /// All of them, in the order of their counters.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name under which it is reported.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// One sentence for people.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }

            /// The index of its counter in the map `COUNTERS`.
            #[inline(always)]
            pub const fn counter(self) -> u32 {
                $first + self as u32
            }
        }

        counted!(@action $name $($variant $($action)?;)*);
    };
    (@action $name:ident $($variant:ident $action:ident;)*) => {
        impl $name {
            /// What follows for the frame.
            #[inline(always)]
            pub const fn action(self) -> Action {
                match self { $(Self::$variant => Action::$action,)* }
            }
        }
    };
    (@action $name:ident $($variant:ident;)*) => {};
}

counted! {
    /// How a program is done with a frame: one of these for every frame.
    Outcome: 0;
    Established => Redirect, "established", "Sent into the fabric on the path of an established subflow.";
    Handshake => Redirect, "handshake", "Sent into the fabric as part of an MPTCP handshake.";
    Hashed => Redirect, "hashed", "MPTCP of a subflow whose handshake was not seen: hashed over all ranks.";
    Plain => Redirect, "plain", "Other IP to a host behind another edge, sent on a path of least cost, or by flow over all of these.";
    Transit => Redirect, "transit", "Passed on to the next port of its route.";
    Delivered => Redirect, "delivered", "Arrived at its last switch and delivered to the host.";
    NotConfigured => Pass, "not_configured", "No settings yet: the agent has not finished its first start.";
    NotForUs => Pass, "not_for_us", "No unicast IP, or too short or malformed: left to the kernel.";
    Unrouted => Pass, "unrouted", "Came from the fabric without a pushed route: the base network.";
    PushedByHost => Consume, "pushed_by_host", "A host sent smoc's own prefix: dropped, for a bridge would hand it to the next switch as a route.";
    Guarded => Consume, "guarded", "A host sent from an address that is not its port's: dropped by the port's guard.";
    UnknownHost => Pass, "unknown_host", "Source or destination is no known host.";
    OtherNextHop => Pass, "other_next_hop", "The frame is addressed neither to the host nor to this switch.";
    OtherVlan => Pass, "other_vlan", "Sender and receiver are not both of the frame's VLAN: the bridge's business.";
    SameEdge => Pass, "same_edge", "Both hosts are attached to this switch: the bridge's business.";
    TimeToLive => Pass, "time_to_live", "To be routed, but its TTL or hop limit is used up.";
    NoPath => Pass, "no_path", "No path to the other edge is known.";
    PortDown => Pass, "port_down", "No path to the other edge starts at a port that is up, not even a detour.";
    Closed => Consume, "closed", "The base network must not come in here: the neighbour has not agreed to the tree, the link is not part of it, or nobody knows yet what is behind the port.";
    DeadEnd => Pass, "dead_end", "A route that cannot be followed here: MACs restored, left to the kernel.";
    DeadEndClosed => Consume, "dead_end_closed", "A route that cannot be followed here, at a port that is closed for the base network: lost.";
    ProbeTransit => Redirect, "probe_transit", "A probe, passed on to the next port of its route.";
    ProbeReflected => Redirect, "probe_reflected", "A probe that turned round here.";
    ProbeReturned => Consume, "probe_returned", "A probe of this switch that came back.";
    ProbeLost => Consume, "probe_lost", "A probe whose next port is down, that is malformed, or whose tag no key of the fabric has made.";
    Answered => Reply, "presence_answered", "Another switch asked whether one is here: sent back with the answer.";
    LoopProbe => Pass, "loop_probe", "A loop probe came in: it goes to the agent, and no bridge takes it.";
}

counted! {
    /// What was noticed beside the outcome.
    Note: Outcome::ALL.len() as u32;
    Bound, "bound", "A connection's keys were seen and both tokens bound.";
    Joined, "joined", "An additional subflow completed its handshake.";
    JoinUnknownToken, "join_unknown_token", "A join's token is not bound: its rank is hashed.";
    JoinAmbiguousToken, "join_ambiguous_token", "Several connections claim a join's token, and where it goes does not tell which is meant: its rank is hashed.";
    JoinBeyondLimit, "join_beyond_limit", "A join beyond 8 additional subflows, which hosts refuse: its rank is hashed.";
    SynAgain, "syn_again", "A SYN was seen again for the same subflow.";
    SynMoved, "syn_moved", "A SYN was sent again because nothing answered: its subflow goes on on the next path.";
    Blackhole, "blackhole", "A SYN was answered only after it had left out MP_CAPABLE: something on its path swallows the option.";
    FellBack, "fell_back", "A handshake went on without its MPTCP option.";
    Stateless, "stateless", "More subflows were opened in a second, or of one port are under way, than a CPU takes note of: this one is hashed.";
    AckDisagrees, "ack_disagrees", "A third ACK contradicts SYN and SYN/ACK: nothing was bound.";
    FailedOver, "failed_over", "Another rank was taken because that of the subflow is down or broken.";
    Detoured, "detoured", "The next port was down: the frame was sent around the neighbour or the link.";
    SourceUnknown, "source_unknown", "Delivered with this switch's MAC as source: the sender's is not known.";
    TableFull, "table_full", "An entry could not be stored: the subflow is hashed over the ranks.";
}

/// Entries in the map `COUNTERS`.
pub const COUNTER_ENTRIES: u32 = (Outcome::ALL.len() + Note::ALL.len()) as u32;

/// Something that a log should know: a [`Note`] about a subflow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event {
    /// The subflow.
    pub flow: FlowKey,
    /// [`Note::counter`] of what was noticed.
    pub note: u32,
    /// Its connection, 0 if unknown.
    pub connection: ConnectionId,
    /// Nanoseconds of CLOCK_MONOTONIC.
    pub at: u64,
    /// The rank of the subflow's path.
    pub rank: u32,
    #[doc(hidden)]
    pub reserved: u32,
}

impl crate::map::Plain for Event {}
const _: () = assert!(size_of::<Event>() == 64);

/// What the programs saw of a probe ([`crate::wire::probe`]), for the agent that measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Sighting {
    /// When it was seen, nanoseconds of this switch's CLOCK_MONOTONIC.
    pub at: u64,
    /// The probe.
    pub probe: Probe,
    /// The probe came back; 0 for a neighbour's hello, of which `probe.back_port` is the port that it came in
    /// through, as the neighbour says.
    pub returned: u32,
    /// The index of the interface that it did come in through.
    pub interface: u32,
}

impl crate::map::Plain for Sighting {}
const _: () = assert!(size_of::<Sighting>() == 80);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_counter_has_an_index_of_its_own() {
        let outcomes = Outcome::ALL.iter().map(|outcome| outcome.counter());
        let notes = Note::ALL.iter().map(|note| note.counter());
        assert!(outcomes.chain(notes).eq(0..COUNTER_ENTRIES));
    }
}
