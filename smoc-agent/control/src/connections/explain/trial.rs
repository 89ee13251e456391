//! Frames that hosts would send, run through the pipeline over a model of this switch and over models of those behind it.

use serde::{Deserialize, Serialize};
use smoc_common::{
    event::{Action, Note, Outcome},
    frames::{Build, End as HostEnd, capable, join},
    map::{Flow, FlowKey, Host},
    memory::{Run, Side, Switch},
    pipeline::Tables as _,
    route::{Label, PushedRoute, Rank, Route},
    token::Version,
    wire::{Bytes, Frame, ethernet::MacAddress, ip::Address, mptcp, tcp},
};
use smoc_paths::{
    analysis::network::{Hop, Network},
    topology::{SwitchId, Topology},
};

use super::super::report::Endpoint;
use crate::hosts::ip_address;

/// A DSS option that says nothing: what marks a segment as one of MPTCP.
const DSS: [u8; 8] = [mptcp::KIND, 8, mptcp::subtype::DSS << 4, 0, 0, 0, 0, 0];

/// What a host sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// A data segment, as one of an established subflow needs no option.
    Data,
    /// A data segment with a DSS option.
    MptcpData,
    /// The SYN of a new connection.
    Capable,
    /// The SYN of a new subflow with this token.
    Join(u32),
}

impl Sent {
    pub(super) fn name(self) -> String {
        match self {
            Self::Data => "data segment".into(),
            Self::MptcpData => "data segment with an MPTCP option".into(),
            Self::Capable => "SYN with MP_CAPABLE".into(),
            Self::Join(token) => format!("SYN with MP_JOIN and token {token:08x}"),
        }
    }

    /// The frame, between these ends.
    pub(super) fn frame(self, from: HostEnd, to: HostEnd) -> Vec<u8> {
        let segment = Build::tcp(from, to);
        match self {
            Self::Data => segment.payload(b"data"),
            Self::MptcpData => segment.options(&DSS).payload(b"data"),
            Self::Capable => segment.flags(tcp::SYN).options(&capable(Version::V1, &[])),
            Self::Join(token) => segment.flags(tcp::SYN).options(&join(token, 0)),
        }
        .frame()
    }
}

/// A frame, and what the pipeline did with it here and on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What it is: `data segment`, `SYN with MP_JOIN and token 9a3f00c1`, ...
    pub frame: String,
    /// Who sends it.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// The kind of port that it came in through here: `host` or `fabric`.
    pub through: String,
    /// The rank of the path that it goes on, or that it came on.
    pub rank: Option<u8>,
    /// What this switch does with it, and each one after it as far as the topology tells.
    pub hops: Vec<TrialHop>,
}

/// What one switch does with a frame. `outcome` and `notes` are those of `smoc status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialHop {
    /// The switch.
    pub switch: String,
    /// The outcome's name.
    pub outcome: String,
    /// Names of what was noted beside it.
    pub notes: Vec<String>,
    /// The port that the frame leaves through, if it is redirected.
    pub port: Option<u16>,
    /// The link behind that port; null where a host is behind it.
    pub link: Option<String>,
}

/// What became of a frame, to be put into words.
pub(super) struct Outcomes {
    pub trial: Trial,
    /// As `trial.hops`.
    pub hops: Vec<Hop>,
}

impl Outcomes {
    pub(super) fn here(&self) -> &Run {
        &self.hops[0].run
    }

    pub(super) fn is_redirected(&self) -> bool {
        self.here().verdict.outcome.action() == Action::Redirect
    }
}

/// Where frames are tried.
pub(super) struct Bench<'a> {
    pub model: Switch,
    pub this: SwitchId,
    pub topology: &'a Topology,
    /// The other switches; `None` if their detours cannot be worked out.
    pub network: Option<Network<'a>>,
}

impl Bench<'_> {
    pub(super) fn host(&self, address: Address) -> Option<&Host> {
        self.model.locate(&address)
    }

    /// The entry of a subflow, established or in its handshake.
    pub(super) fn flow(&self, key: &FlowKey) -> Option<&Flow> {
        let half_open = || self.model.half_open.entries.get(key).map(|half| &half.flow);
        self.model.flows.entries.get(key).or_else(half_open)
    }

    /// The ends of a frame that the host `local` sends to `remote`: under the MAC addresses that it uses.
    fn ends(&self, key: &FlowKey) -> (HostEnd, HostEnd) {
        let flow = self.flow(key);
        let known = |address| self.host(address).map(|host| host.mac);
        let own = self.model.settings.map_or_else(MacAddress::default, |settings| settings.mac);
        let from = known(key.local()).or(flow.map(|flow| flow.local_mac)).unwrap_or_default();
        let to = flow.map(|flow| flow.peer_mac).or_else(|| known(key.remote())).unwrap_or(own);
        (
            HostEnd { mac: from, address: key.local(), port: key.local_port() },
            HostEnd { mac: to, address: key.remote(), port: key.remote_port() },
        )
    }

    /// The local host of `key` sends this; whatever the packet path learns from it is forgotten again.
    pub(super) fn leaves(&mut self, sent: Sent, key: &FlowKey) -> Outcomes {
        let (from, to) = self.ends(key);
        let mut frame = sent.frame(from, to);
        self.model.ingress = self.interface_of(key.local());
        let run = self.run(sent, Side::Host, &mut frame);
        self.outcomes(sent, (from, to), Side::Host, run, frame)
    }

    /// The remote host of `key` has sent this, and it comes off the fabric on that rank; without a rank, over the base
    /// network.
    pub(super) fn arrives(&mut self, sent: Sent, key: &FlowKey, rank: Option<Rank>) -> Outcomes {
        let (local, remote) = self.ends(key);
        let mut frame = sent.frame(remote, local);
        if let Some(rank) = rank {
            let pushed = PushedRoute { label: Label::new(rank, false), route: Route::END };
            // The frame was built with room for the addresses.
            let _ = Bytes(&mut frame).set_addresses(pushed.words());
        }
        let run = self.run(sent, Side::Fabric, &mut frame);
        self.outcomes(sent, (remote, local), Side::Fabric, run, frame)
    }

    /// The interface of the port that a host is behind; 0 if it is not known.
    fn interface_of(&self, host: Address) -> u32 {
        let port = self.host(host).and_then(|host| self.model.ports.get(&host.attachment.port));
        port.map_or(0, |port| port.interface)
    }

    /// A data segment changes nothing but counters; a SYN is run on a copy.
    fn run(&mut self, sent: Sent, side: Side, frame: &mut [u8]) -> Run {
        match sent {
            Sent::Data | Sent::MptcpData => self.model.run(side, frame),
            Sent::Capable | Sent::Join(_) => self.model.clone().run(side, frame),
        }
    }

    fn outcomes(
        &mut self,
        sent: Sent,
        (from, to): (HostEnd, HostEnd),
        side: Side,
        run: Run,
        mut frame: Vec<u8>,
    ) -> Outcomes {
        let rank = run.label.map(|label| label.rank().get());
        let hops = match &mut self.network {
            Some(network) => network.follow(self.this, run, &mut frame),
            None => vec![Hop { switch: self.this, run, link: None }],
        };
        let report = |hop: &Hop| {
            let verdict = hop.run.verdict;
            let notes = if hop.switch == self.this { hop.run.notes.clone() } else { beyond(&hop.run) };
            let is_redirected = verdict.outcome.action() == Action::Redirect;
            TrialHop {
                switch: self.topology.switch(hop.switch).name.clone(),
                outcome: verdict.outcome.name().into(),
                notes: notes.iter().map(|note| note.name().into()).collect(),
                port: is_redirected.then_some(verdict.port),
                link: hop.link.map(|link| self.topology.link_name(link)),
            }
        };
        let end = |end: HostEnd| Endpoint { address: ip_address(end.address), port: end.port };
        let through = match side {
            Side::Host => "host",
            Side::Fabric => "fabric",
        };
        let trial = Trial {
            frame: sent.name(),
            from: end(from),
            to: end(to),
            through: through.into(),
            rank,
            hops: hops.iter().map(report).collect(),
        };
        Outcomes { trial, hops }
    }
}

/// What an outcome means for the frame.
pub(super) fn consequence(outcome: Outcome) -> &'static str {
    match outcome.action() {
        Action::Pass => "The kernel goes on with it: the base network.",
        Action::Redirect => "",
        Action::Reply => "It goes back where it came from.",
        Action::Consume => "It ends there.",
    }
}

/// What was noted at another switch, as far as it can be known here: not what hangs on the subflows that it has seen.
pub(super) fn beyond(run: &Run) -> Vec<Note> {
    let known = |note: &Note| matches!(note, Note::Detoured | Note::SourceUnknown);
    run.notes.iter().copied().filter(known).collect()
}

/// A note in words.
pub(super) fn told(note: Note) -> String {
    format!("{}: {}", note.name(), note.help())
}
