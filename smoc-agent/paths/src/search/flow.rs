//! A flow of whole units through the graph, and what one more unit would cost on each link.
//!
//! The cost of a link that n units use is n(n-1)/2 sharings plus n times its cost, which is convex, so the
//! marginal cost of the next unit (n sharings plus the cost) never falls and the residual network of
//! Ahuja, Magnanti, Orlin, "Network Flows" (1993), section 14.5, needs one arc a link and direction.
//! Under `protect: node` each transit switch is split in two, joined by an arc whose cost is convex too.

use super::graph::{Arc, Graph, Weight};

/// One step of the residual network.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// State it leads to.
    pub to: u32,
    /// Link, or [`Step::INSIDE`] for the passage through a switch.
    pub link: u32,
    /// Marginal cost without the tie.
    pub base: Weight,
    /// +1 sends a unit, -1 takes one back: the sign of the tie.
    pub sign: i8,
}

impl Step {
    /// The `link` of a passage through a switch.
    pub const INSIDE: u32 = u32::MAX;
}

/// The residual network of a flow; states are switches, or switches' two halves.
pub(super) trait Residual {
    /// Whether states are switches; else also passages through switches count.
    const IS_BY_SWITCH: bool;
    /// How many states `switches` switches have.
    fn states(switches: usize) -> usize;
    /// The state in which a path leaves its first switch.
    fn start(switch: u32) -> u32;
    /// The state in which a path arrives at its last switch.
    fn goal(switch: u32) -> u32;
    /// The switch of a state.
    fn switch(state: u32) -> u32;
    /// All steps from a state.
    fn steps(&self, graph: &Graph, state: u32, visit: impl FnMut(Step));
    /// All steps into a state from another switch, with the state that each comes from; none where a state is not a
    /// switch.
    fn steps_into(&self, graph: &Graph, state: u32, visit: impl FnMut(u32, Step));
    /// Sends a unit along a step.
    fn push(&mut self, from: u32, to: u32, link: u32);
    /// Units on a link, towards the higher switch if positive.
    fn units(&self, link: u32) -> i32;
    /// Forgets the flow; every link that carries some is among `links`.
    fn clear(&mut self, links: impl Iterator<Item = u32>);
}

/// Links alone are protected: a state is a switch.
pub(super) struct LinkFlow {
    units: Vec<i32>,
}

impl LinkFlow {
    /// No flow on any of so many links.
    pub fn new(links: usize) -> Self {
        Self { units: vec![0; links] }
    }
}

impl LinkFlow {
    /// The step over a link from one switch to the other.
    #[inline]
    fn step(&self, graph: &Graph, from: u32, to: u32, arc: &Arc) -> Step {
        let units = self.units[arc.link as usize];
        let units = if from < to { units } else { -units };
        let cost = Weight::from(arc.cost) * graph.unit;
        let (base, sign) = if units >= 0 {
            (cost + Weight::from(units) * graph.link_share, 1)
        } else {
            (Weight::from(units + 1) * graph.link_share - cost, -1)
        };
        Step { to, link: arc.link, base, sign }
    }
}

impl Residual for LinkFlow {
    const IS_BY_SWITCH: bool = true;

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

    #[inline]
    fn steps(&self, graph: &Graph, state: u32, mut visit: impl FnMut(Step)) {
        for arc in graph.arcs(state) {
            visit(self.step(graph, state, arc.to, arc));
        }
    }

    fn steps_into(&self, graph: &Graph, state: u32, mut visit: impl FnMut(u32, Step)) {
        for arc in graph.arcs(state) {
            visit(arc.to, self.step(graph, arc.to, state, arc));
        }
    }

    fn push(&mut self, from: u32, to: u32, link: u32) {
        self.units[link as usize] += if from < to { 1 } else { -1 };
    }

    fn units(&self, link: u32) -> i32 {
        self.units[link as usize]
    }

    fn clear(&mut self, links: impl Iterator<Item = u32>) {
        for link in links {
            self.units[link as usize] = 0;
        }
    }
}

/// Links, then transit switches are protected: state 2v is where a path enters switch v, 2v + 1 where it
/// leaves.
pub(super) struct NodeFlow {
    links: LinkFlow,
    through: Vec<i32>,
}

impl NodeFlow {
    /// No flow on any of so many links.
    pub fn new(links: usize, switches: usize) -> Self {
        Self { links: LinkFlow::new(links), through: vec![0; switches] }
    }
}

impl Residual for NodeFlow {
    const IS_BY_SWITCH: bool = false;

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

    fn steps(&self, graph: &Graph, state: u32, mut visit: impl FnMut(Step)) {
        let switch = state / 2;
        let through = Weight::from(self.through[switch as usize]);
        let leaving = state % 2 == 1;
        if leaving && through > 0 {
            let base = (1 - through) * graph.switch_share;
            visit(Step { to: state - 1, link: Step::INSIDE, base, sign: 1 });
        } else if !leaving {
            visit(Step { to: state + 1, link: Step::INSIDE, base: through * graph.switch_share, sign: 1 });
        }
        for arc in graph.arcs(switch) {
            let units = self.links.units[arc.link as usize];
            let out = if switch < arc.to { units } else { -units };
            let cost = Weight::from(arc.cost) * graph.unit;
            if leaving {
                let base = cost + Weight::from(out.max(0)) * graph.link_share;
                visit(Step { to: 2 * arc.to, link: arc.link, base, sign: 1 });
            } else if out < 0 {
                let base = Weight::from(out + 1) * graph.link_share - cost;
                visit(Step { to: 2 * arc.to + 1, link: arc.link, base, sign: -1 });
            }
        }
    }

    fn steps_into(&self, _: &Graph, _: u32, _: impl FnMut(u32, Step)) {}

    fn push(&mut self, from: u32, to: u32, link: u32) {
        if link == Step::INSIDE {
            self.through[from as usize / 2] += if from < to { 1 } else { -1 };
        } else {
            self.links.push(from / 2, to / 2, link);
        }
    }

    fn units(&self, link: u32) -> i32 {
        self.links.units(link)
    }

    fn clear(&mut self, links: impl Iterator<Item = u32>) {
        self.links.clear(links);
        self.through.fill(0);
    }
}
