//! Asks the agents of other edges about joins whose siblings are there, answers theirs, and decides by what they answer.

use std::collections::{BTreeMap, BTreeSet};

use smoc_common::route::{PortNumber, Rank};
use smoc_paths::topology::{LinkId, SwitchId};
use tracing::{debug, info, warn};

use super::{Effect, Switch};
use crate::{
    clock::Nanos,
    connections::Claim,
    discovery::inquiry::{Answer, Inquiry, Question, SUBFLOWS, Sibling},
    plan::PathBook,
    siblings::{Heard, Settlement, Stray, choose},
};

impl Switch {
    /// Asks what is to be asked now, and decides what has been answered.
    pub(super) fn ask_edges(&mut self, now: Nanos) {
        for question in self.inquiries.due(now) {
            let ports: Vec<PortNumber> = self.fabric_sockets().collect();
            ports.into_iter().for_each(|port| self.send_inquiry(port, &Inquiry::Question(question)));
            self.effects.push(Effect::Look(question));
        }
        for (stray, round, answers) in self.inquiries.answered(now) {
            let settlement = self.settlement(&stray, round, &answers);
            let rank = settlement.map_or(stray.rank, |settlement| settlement.rank);
            if rank != stray.rank {
                info!(from = stray.rank, to = rank, token = stray.token, "a join leaves a sibling's path");
            }
            self.effects.extend(settlement.map(Effect::Settle));
            // Who knows it may be about to learn of it.
            if stray.is_ours || settlement.is_none() {
                self.inquiries.again(Stray { rank, ..stray }, round, now);
            }
        }
    }

    /// A question is passed on and looked into once. Nothing else follows.
    pub(super) fn heard_question(&mut self, question: Question, from: PortNumber, now: Nanos) -> bool {
        if self.inquiries.hear(&question, from, now) {
            let others: Vec<PortNumber> = self.fabric_sockets().filter(|port| *port != from).collect();
            others.into_iter().for_each(|port| self.send_inquiry(port, &Inquiry::Question(question)));
            self.effects.push(Effect::Look(question));
        }
        false
    }

    /// An answer that came in through a port, or of this switch itself.
    pub(super) fn heard_answer(&mut self, answer: &Answer, from: Option<PortNumber>, now: Nanos) -> bool {
        match self.inquiries.take(answer, from, now) {
            Heard::Taken => true,
            Heard::PassOn(port) => {
                self.send_inquiry(port, &Inquiry::Answer(answer.clone()));
                false
            }
            Heard::Unasked => false,
        }
    }

    /// The tables were looked into: each connection with the token is an answer.
    pub(super) fn looked(&mut self, question: Question, claims: Vec<Claim>, now: Nanos) -> bool {
        let mut is_for_us = false;
        for Claim { peer, subflows } in claims {
            let sibling = |claimed: &crate::connections::Claimed| {
                let edge = self.controller.names().name(claimed.edge)?.to_owned();
                Some(Sibling { hash: claimed.hash, rank: claimed.rank, stays: claimed.stays, edge })
            };
            let subflows = subflows.iter().filter_map(sibling).take(SUBFLOWS).collect();
            let answer = Answer { question, peer, edge: self.config.switch.clone(), subflows };
            is_for_us |= self.heard_answer(&answer, None, now);
        }
        is_for_us
    }

    fn send_inquiry(&mut self, port: PortNumber, inquiry: &Inquiry) {
        if let Some(mac) = self.socket_mac(port) {
            self.send_sealed(port, inquiry.frame(mac));
        }
    }

    /// What follows from answers; `None` if nobody knows the connection, or edges name different ones.
    fn settlement(&self, stray: &Stray, round: usize, answers: &[Answer]) -> Option<Settlement> {
        let peers: BTreeSet<u32> = answers.iter().map(|answer| answer.peer).collect();
        if peers.len() > 1 {
            warn!(token = stray.token, "several connections have the token of a join: it stays where it is");
            return None;
        }
        let peer = peers.first().copied()?;
        let own = stray.hash();
        let mut siblings: BTreeMap<u32, (&str, &Sibling)> = BTreeMap::new();
        for answer in answers {
            siblings.extend(answer.subflows.iter().map(|sibling| (sibling.hash, (&*answer.edge, sibling))));
        }
        siblings.remove(&own);
        let subflows = siblings.len() as u32 + 1;
        // Every other time all make room for all. In between, of two that may both move the one with the lower hash stays: else
        // they would follow each other for ever; but alone that leaves one in the way that has the lowest hash of all.
        siblings.retain(|hash, (_, sibling)| round.is_multiple_of(2) || sibling.stays || *hash < own);
        let rank = if stray.is_ours { self.rank_beside(stray, siblings.into_values()) } else { None };
        debug!(token = stray.token, round, ?rank, subflows, "other edges know the connection of a join");
        Some(Settlement { stray: *stray, peer, subflows, rank: rank.unwrap_or(stray.rank) })
    }

    /// The rank on which a stray overlaps its siblings least.
    fn rank_beside<'a>(
        &self,
        stray: &Stray,
        siblings: impl Iterator<Item = (&'a str, &'a Sibling)>,
    ) -> Option<u8> {
        let to = self.controller.toward(&self.topology, stray.edge)?;
        let ranked = &self.controller.paths(to)?.ranked;
        let paths: Vec<Vec<LinkId>> = ranked.iter().map(|path| path.links.clone()).collect();
        let others: Vec<Vec<LinkId>> = siblings
            .filter_map(|(edge, sibling)| self.path_between(edge, &sibling.edge, sibling.rank))
            .collect();
        let is_up = |rank: usize| !self.failures.paths.contains(&(to, Rank::new(rank as u8)));
        let current = usize::from(stray.rank) % paths.len().max(1);
        choose(&paths, is_up, current, &others).map(|rank| rank as u8)
    }

    /// The links of a rank between two edges, neither of which need be this switch.
    fn path_between(&self, from: &str, to: &str, rank: u8) -> Option<Vec<LinkId>> {
        let (from, to) = (self.topology.find_switch(from)?, self.topology.find_switch(to)?);
        let links = |book: &PathBook, to: SwitchId| {
            let ranked = &book.to(to)?.ranked;
            let path = ranked.get(usize::from(rank) % ranked.len().max(1))?;
            Some(path.links.clone())
        };
        let book = self.controller.book();
        let known = if from == self.this { links(book, to) } else { None };
        let known = known.or_else(|| if to == self.this { links(book, from) } else { None });
        known.or_else(|| {
            let mut other = PathBook::new(from, *book.options());
            other.extend(&self.topology, &BTreeSet::from([to])).ok()?;
            other.set_down(&self.topology, book.down()).ok()?;
            links(&other, to)
        })
    }
}
