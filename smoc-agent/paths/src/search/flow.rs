//! A flow of whole units through a reduced network, and what one more unit would cost on each link.
//!
//! The cost of a link that n units use is n(n-1)/2 sharings plus n times its cost, which is convex, so the
//! marginal cost of the next unit (n sharings plus the cost) never falls and the residual network of
//! Ahuja, Magnanti, Orlin, "Network Flows" (1993), section 14.5, needs one arc a link and direction.
//! Under `protect: node` each transit switch is split in two, joined by an arc whose cost is convex too.

use super::graph::{Arc, Weight};
use super::reduced::{Network, Reduced};

/// One step of the residual network.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// State it leads to, or comes from where steps into a state are asked for.
    pub to: u32,
    /// Link, or [`Step::INSIDE`] for the passage through a switch.
    pub link: u32,
    /// Marginal weight.
    pub weight: Weight,
}

impl Step {
    /// The `link` of a passage through a switch.
    pub const INSIDE: u32 = u32::MAX;
}

/// The residual network of a flow; states are switches, or switches' two halves.
pub(super) trait Residual: Default {
    /// Whether passages through switches count.
    const COUNTS_SWITCHES: bool;
    /// How many states `switches` switches have.
    fn states(switches: usize) -> usize;
    /// The state in which a path leaves its first switch.
    fn start(switch: u32) -> u32;
    /// The state in which a path arrives at its last switch.
    fn goal(switch: u32) -> u32;
    /// The switch of a state.
    fn switch(state: u32) -> u32;
    /// No flow on any link.
    fn clear(&mut self, network: &Reduced);
    /// All steps from a state.
    fn steps(&self, network: &Reduced, state: u32, visit: impl FnMut(Step));
    /// All steps into a state; [`Step::to`] is the state that each comes from.
    fn steps_into(&self, network: &Reduced, state: u32, visit: impl FnMut(Step));
    /// Sends a unit along a step.
    fn push(&mut self, from: u32, to: u32, link: u32);
    /// The links that carry units, by number, and how many; towards the higher switch if positive.
    fn carrying(&mut self) -> impl Iterator<Item = (u32, i32)>;
}

/// Links alone are protected: a state is a switch.
#[derive(Default)]
pub(super) struct LinkFlow {
    units: Vec<i32>,
    /// The links that have, or had, units.
    touched: Vec<u32>,
}

impl LinkFlow {
    /// The step over a link from one switch to the other.
    #[inline(always)]
    fn step(&self, network: &Reduced, from: u32, to: u32, link: u32) -> Step {
        let units = self.units[link as usize];
        let units = if from < to { units } else { -units };
        let weight = match units {
            0 => network.weight(link),
            1.. => network.weight(link) + Weight::from(units) * network.share(link),
            _ => Weight::from(units + 1) * network.share(link) - network.weight(link),
        };
        Step { to, link, weight }
    }
}

impl Residual for LinkFlow {
    const COUNTS_SWITCHES: bool = false;

    fn states(switches: usize) -> usize {
        switches
    }

    fn start(switch: u32) -> u32 {
        switch
    }

    fn goal(switch: u32) -> u32 {
        switch
    }

    fn switch(state: u32) -> u32 {
        state
    }

    fn clear(&mut self, network: &Reduced) {
        self.touched.drain(..).for_each(|link| self.units[link as usize] = 0);
        self.units.resize(network.links(), 0);
    }

    #[inline]
    fn steps(&self, network: &Reduced, state: u32, mut visit: impl FnMut(Step)) {
        for &Arc { to, link, .. } in network.arcs(state) {
            visit(self.step(network, state, to, link));
        }
    }

    #[inline]
    fn steps_into(&self, network: &Reduced, state: u32, mut visit: impl FnMut(Step)) {
        for &Arc { to: from, link, .. } in network.arcs(state) {
            visit(Step { to: from, ..self.step(network, from, state, link) });
        }
    }

    fn push(&mut self, from: u32, to: u32, link: u32) {
        self.units[link as usize] += if from < to { 1 } else { -1 };
        self.touched.push(link);
    }

    fn carrying(&mut self) -> impl Iterator<Item = (u32, i32)> {
        self.touched.sort_unstable();
        self.touched.dedup();
        let units = |&link: &u32| (link, self.units[link as usize]);
        self.touched.iter().map(units).filter(|(_, units)| *units != 0)
    }
}

/// Links, then transit switches are protected: state 2v is where a path enters switch v, 2v + 1 where it
/// leaves.
#[derive(Default)]
pub(super) struct NodeFlow {
    links: LinkFlow,
    through: Vec<i32>,
}

impl Residual for NodeFlow {
    const COUNTS_SWITCHES: bool = true;

    fn states(switches: usize) -> usize {
        2 * switches
    }

    fn start(switch: u32) -> u32 {
        2 * switch + 1
    }

    fn goal(switch: u32) -> u32 {
        2 * switch
    }

    fn switch(state: u32) -> u32 {
        state / 2
    }

    fn clear(&mut self, network: &Reduced) {
        self.links.clear(network);
        self.through.clear();
        self.through.resize(network.len(), 0);
    }

    fn steps(&self, network: &Reduced, state: u32, mut visit: impl FnMut(Step)) {
        let switch = state / 2;
        let through = Weight::from(self.through[switch as usize]);
        let leaving = state % 2 == 1;
        if leaving && through > 0 {
            let weight = (1 - through) * network.switch_share;
            visit(Step { to: state - 1, link: Step::INSIDE, weight });
        } else if !leaving {
            visit(Step { to: state + 1, link: Step::INSIDE, weight: through * network.switch_share });
        }
        for arc in network.arcs(switch) {
            let units = self.links.units[arc.link as usize];
            let out = if switch < arc.to { units } else { -units };
            if leaving {
                let weight = network.weight(arc.link) + Weight::from(out.max(0)) * network.share(arc.link);
                visit(Step { to: 2 * arc.to, link: arc.link, weight });
            } else if out < 0 {
                let weight = Weight::from(out + 1) * network.share(arc.link) - network.weight(arc.link);
                visit(Step { to: 2 * arc.to + 1, link: arc.link, weight });
            }
        }
    }

    fn steps_into(&self, network: &Reduced, state: u32, mut visit: impl FnMut(Step)) {
        let switch = state / 2;
        let through = Weight::from(self.through[switch as usize]);
        let leaving = state % 2 == 1;
        if leaving {
            visit(Step { to: state - 1, link: Step::INSIDE, weight: through * network.switch_share });
        } else if through > 0 {
            visit(Step { to: state + 1, link: Step::INSIDE, weight: (1 - through) * network.switch_share });
        }
        for arc in network.arcs(switch) {
            let units = self.links.units[arc.link as usize];
            let inwards = if arc.to < switch { units } else { -units };
            if !leaving {
                let weight =
                    network.weight(arc.link) + Weight::from(inwards.max(0)) * network.share(arc.link);
                visit(Step { to: 2 * arc.to + 1, link: arc.link, weight });
            } else if inwards < 0 {
                let weight = Weight::from(inwards + 1) * network.share(arc.link) - network.weight(arc.link);
                visit(Step { to: 2 * arc.to, link: arc.link, weight });
            }
        }
    }

    fn push(&mut self, from: u32, to: u32, link: u32) {
        if link == Step::INSIDE {
            self.through[from as usize / 2] += if from < to { 1 } else { -1 };
        } else {
            self.links.push(from / 2, to / 2, link);
        }
    }

    fn carrying(&mut self) -> impl Iterator<Item = (u32, i32)> {
        self.links.carrying()
    }
}
