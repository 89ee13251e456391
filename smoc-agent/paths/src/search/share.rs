//! How often the links and switches of ranked paths are used.
//!
//! Two links of one shared-risk group count as shared, so using a link uses every link that *meets* it: itself, and
//! all that have a group in common with it.

use crate::topology::{LinkId, Topology};

/// How many links of ranked paths meet each link, and how many such paths pass each switch. Clearing costs as much as
/// what was added.
pub(super) struct Shares {
    switches_count: bool,
    /// The links that each link meets; empty where there are no groups and each meets itself alone.
    meets: Vec<Vec<u32>>,
    links: Vec<u32>,
    switches: Vec<u32>,
    touched: (Vec<u32>, Vec<u32>),
}

impl Shares {
    /// Nothing used; `switches_count` under `protect: node`.
    pub fn new(topology: &Topology, switches_count: bool) -> Self {
        let meets = if topology.srlgs().is_empty() {
            Vec::new()
        } else {
            topology.link_ids().map(|link| meeting(topology, link)).collect()
        };
        Self {
            switches_count,
            meets,
            links: vec![0; topology.links().len()],
            switches: vec![0; topology.switches().len()],
            touched: (Vec::new(), Vec::new()),
        }
    }

    /// Nothing is used any more.
    pub fn clear(&mut self) {
        self.touched.0.drain(..).for_each(|link| self.links[link as usize] = 0);
        self.touched.1.drain(..).for_each(|switch| self.switches[switch as usize] = 0);
    }

    /// Uses a path's links and the switches behind them but the last, where all paths end.
    pub fn add(&mut self, links: &[u32], switches: impl Iterator<Item = u32>) {
        for link in links {
            let meets = self.meets.get(*link as usize).map_or(std::slice::from_ref(link), Vec::as_slice);
            for &other in meets {
                self.links[other as usize] += 1;
                self.touched.0.push(other);
            }
        }
        if self.switches_count {
            for switch in switches.take(links.len().saturating_sub(1)) {
                self.switches[switch as usize] += 1;
                self.touched.1.push(switch);
            }
        }
    }

    /// Whether a path that was added uses this link or one of its groups.
    pub fn shared(&self, link: u32) -> bool {
        self.links[link as usize] > 0
    }

    /// How many links that were added meet this one.
    #[inline]
    pub fn links(&self, link: u32) -> u32 {
        self.links[link as usize]
    }

    /// How many paths that were added pass this switch; 0 unless switches count.
    #[inline]
    pub fn switches(&self, switch: u32) -> u32 {
        self.switches[switch as usize]
    }
}

/// The link itself and all that have a group in common with it, each once.
fn meeting(topology: &Topology, link: LinkId) -> Vec<u32> {
    let groups = &topology.link(link).srlg;
    let meets = |other: &LinkId| {
        *other == link || topology.link(*other).srlg.iter().any(|group| groups.contains(group))
    };
    if groups.is_empty() {
        return vec![link.0];
    }
    topology.link_ids().filter(meets).map(|other| other.0).collect()
}
