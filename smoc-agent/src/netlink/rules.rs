//! The routing rules of the namespace (ip-rule(8)).

use futures_util::TryStreamExt;
use ipnet::IpNet;
use rtnetlink::{
    IpVersion,
    packet_route::rule::{RuleAttribute, RuleMessage},
};

use super::{Netlink, NetlinkError};

impl Netlink {
    /// The sources that routing rules are for. Rules for all sources are left out.
    ///
    /// # Errors
    /// The kernel's answer.
    pub async fn rule_sources(&self) -> Result<Vec<IpNet>, NetlinkError> {
        let mut all = Vec::new();
        for version in [IpVersion::V4, IpVersion::V6] {
            let rules = self.handle.rule().get(version).execute().try_collect::<Vec<_>>().await;
            let failed = |source| NetlinkError::Request { doing: "list the routing rules".into(), source };
            all.extend(rules.map_err(failed)?.iter().filter_map(source));
        }
        Ok(all)
    }
}

fn source(rule: &RuleMessage) -> Option<IpNet> {
    let address = rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Source(address) => Some(*address),
        _ => None,
    })?;
    IpNet::new(address, rule.header.src_len).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_the_prefix_of_their_source() {
        let mut rule = RuleMessage::default();
        assert_eq!(source(&rule), None, "from all");
        rule.header.src_len = 32;
        rule.attributes.push(RuleAttribute::Source([10, 0, 0, 1].into()));
        assert_eq!(source(&rule), Some("10.0.0.1/32".parse().unwrap()));
    }
}
