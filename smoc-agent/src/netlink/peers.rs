//! What an interface is attached to, beside its bridge.

use std::collections::BTreeMap;

use futures_util::TryStreamExt;
use rtnetlink::packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use smoc_control::{doctor::Peer, interfaces::IfIndex};

use super::{Netlink, NetlinkError};

/// What an interface takes, and where its other end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attachment {
    /// It takes frames to any MAC address.
    pub is_promiscuous: bool,
    /// The other end, of a veth.
    pub peer: Option<Peer>,
}

impl Netlink {
    /// That of every interface.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn attachments(&self) -> Result<BTreeMap<IfIndex, Attachment>, NetlinkError> {
        let links = self.handle.link().get().execute();
        let all = links
            .map_ok(|message| (IfIndex(message.header.index), attachment(&message)))
            .try_collect::<BTreeMap<_, _>>();
        all.await.map_err(|source| NetlinkError::Request { doing: "list the interfaces".into(), source })
    }
}

fn attachment(message: &LinkMessage) -> Attachment {
    let mut found = Attachment {
        is_promiscuous: message.header.flags.contains(LinkFlags::Promisc),
        ..Attachment::default()
    };
    let (mut other, mut is_elsewhere, mut is_veth) = (None, false, false);
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::Promiscuity(count) => found.is_promiscuous |= *count > 0,
            LinkAttribute::Link(index) => other = Some(IfIndex(*index)),
            LinkAttribute::LinkNetNsId(_) => is_elsewhere = true,
            LinkAttribute::LinkInfo(parts) => is_veth = parts.contains(&LinkInfo::Kind(InfoKind::Veth)),
            _ => {}
        }
    }
    let here = other.filter(|index| *index != IfIndex(0)).map(Peer::Here);
    found.peer = if is_elsewhere { Some(Peer::Elsewhere) } else { here }.filter(|_| is_veth);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_a_veth_are_here_or_elsewhere() {
        let mut message = LinkMessage::default();
        message.attributes = vec![LinkAttribute::Link(7), LinkAttribute::Promiscuity(1)];
        assert_eq!(attachment(&message), Attachment { is_promiscuous: true, peer: None }, "a VLAN, say");
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth)]));
        assert_eq!(attachment(&message).peer, Some(Peer::Here(IfIndex(7))));
        message.attributes.push(LinkAttribute::LinkNetNsId(0));
        assert_eq!(attachment(&message).peer, Some(Peer::Elsewhere));
    }
}
