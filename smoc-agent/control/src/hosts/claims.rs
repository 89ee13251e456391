//! Who says that an address is there, and who of them is believed.

use std::time::Duration;

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use super::origins::Origin;
use crate::clock::Nanos;

/// An address moves at once; again only after the first of these, twice as long with each move, up to the second. After the
/// second without a move its past is forgotten. A MAC address that is new behind the same port waits no longer for it than it has
/// to anyway: one host was replaced by another, and not two fight.
pub const HELD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Who says that an address is there: the switch, `None` being this one, and the port.
pub(super) type Claimant = (Option<Origin>, PortNumber);

#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) mac: MacAddress,
    /// When the host was last heard. Where nobody else claims the address, announcements that say the same do not raise
    /// this: [`super::origins::Origins::seen`] does that once somebody does.
    pub(super) seen: Nanos,
}

/// What is known of one address. A large network has tens of thousands of these in each agent.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims {
    /// Sorted by claimant. Nearly always there is one.
    pub(super) all: Vec<(Claimant, Claim)>,
    /// The claim that counts, as it was when it was chosen.
    pub(super) chosen: Option<(Claimant, MacAddress)>,
    /// The MAC address of the choice before.
    left: MacAddress,
    moved: Nanos,
    /// Moves in a row.
    moves: u32,
}

impl Claims {
    /// Where the claim of a claimant is, or where it belongs.
    pub(super) fn place(&self, claimant: &Claimant) -> Result<usize, usize> {
        self.all.binary_search_by(|(other, _)| other.cmp(claimant))
    }

    pub(super) fn of(&self, claimant: &Claimant) -> Option<&Claim> {
        self.place(claimant).ok().map(|place| &self.all[place].1)
    }

    pub(super) fn is_contested(&self) -> bool {
        self.all.len() > 1
    }

    /// From when on the address may move.
    pub(super) fn free_at(&self) -> Nanos {
        let (first, longest) = HELD;
        let hold = match self.moves {
            0 => Duration::ZERO,
            moves => first.saturating_mul(1u32.checked_shl(moves - 1).unwrap_or(u32::MAX)).min(longest),
        };
        self.moved + hold
    }

    pub(super) fn choose(&mut self, best: Option<(Claimant, MacAddress)>, now: Nanos) {
        if let (Some((place, mac)), Some((to, new))) = (self.chosen, best) {
            let is_soon = self.moves > 0 && now < self.free_at() + HELD.1;
            let is_replaced = place == to && new != self.left;
            self.moves = if is_soon { self.moves.saturating_add(u32::from(!is_replaced)) } else { 1 };
            (self.moved, self.left) = (now, mac);
        }
        self.chosen = best;
    }
}
