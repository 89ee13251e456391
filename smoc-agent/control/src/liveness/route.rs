//! The way of a probe along a path and back.

use smoc_common::{
    route::{PortNumber, Route, RouteTooLong},
    wire::probe::Probe,
};

use smoc_paths::{search::Path, topology::Topology};

/// Where a probe goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTripRoute {
    /// This switch's port through which it leaves.
    pub port: PortNumber,
    /// What is pushed.
    pub out: Route,
    /// The port through which the switch where it turns round sends it back.
    pub back_port: PortNumber,
    /// What that switch pushes.
    pub back: Route,
}

impl RoundTripRoute {
    /// Along the first `hops` links of a path and back over the same links.
    ///
    /// # Errors
    /// One of the ways does not fit into a route.
    ///
    /// # Panics
    /// The path has no links.
    pub fn along(topology: &Topology, path: &Path, hops: usize) -> Result<Self, RouteTooLong> {
        let hops = hops.clamp(1, path.links.len());
        let out = Path {
            switches: path.switches[..=hops].to_vec(),
            links: path.links[..hops].to_vec(),
            cost: 0,
            shared_links: 0,
        };
        let mut back = out.clone();
        back.switches.reverse();
        back.links.reverse();
        let first = |path: &Path| path.hops(topology).next().map(|(_, port)| port);
        Ok(Self {
            port: first(&out).expect("a path has links"),
            out: out.route(topology)?,
            back_port: first(&back).expect("a path has links"),
            back: back.route(topology)?,
        })
    }

    /// Fills a probe in.
    pub fn address(&self, probe: Probe) -> Probe {
        Probe { back_route: self.back.bits(), back_port: self.back_port.get().into(), ..probe }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smoc_paths::{
        search::{PathFinder, PathOptions},
        topology::TopologyFile,
    };

    #[test]
    fn the_way_back_is_the_way_out_reversed() {
        let text = "links:\n  - {a: \"e1:1\", b: \"m1:1\"}\n  - {a: \"m1:2\", b: \"m2:3\"}\n  - {a: \"m2:1\", b: \"e2:7\"}\n";
        let topology = TopologyFile::parse(std::path::Path::new("t.yaml"), text).unwrap().topology;
        let end = |name: &str| topology.find_switch(name).unwrap();
        let port = |number| PortNumber::new(number).unwrap();
        let paths = PathFinder::new(&topology, &PathOptions::default()).unwrap().ranked(end("e1"), end("e2"));
        let whole = RoundTripRoute::along(&topology, &paths[0], 9).unwrap();
        assert_eq!((whole.port, whole.back_port), (port(1), port(7)));
        assert_eq!(whole.out, Route::through([(port(2), 2), (port(1), 2)]).unwrap());
        assert_eq!(whole.back, Route::through([(port(3), 2), (port(1), 2)]).unwrap());
        let first = RoundTripRoute::along(&topology, &paths[0], 1).unwrap();
        assert_eq!((first.out, first.back, first.back_port), (Route::END, Route::END, port(1)));
    }
}
