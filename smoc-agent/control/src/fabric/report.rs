//! What a switch says of its own ports.

use serde::{Deserialize, Serialize};
use smoc_common::route::PortNumber;

/// The switch behind one port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adjacency {
    /// The port.
    pub port: PortNumber,
    /// The switch behind it, by name.
    pub switch: String,
    /// The port of that switch.
    pub there: PortNumber,
    /// What the port carries, in Mbit/s; 0 if that is not known.
    pub megabits: u32,
}

/// What a switch says of itself: slow facts only, never which links are up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The bits of its port numbers in routes, at least; 0 to have as many as its links need.
    #[serde(default)]
    pub port_width: u8,
    /// Its ports to other switches, sorted.
    #[serde(default, with = "ports")]
    pub adjacencies: Vec<Adjacency>,
}

/// `{port: {switch, port, megabits}}`, as the store holds them.
mod ports {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use smoc_common::route::PortNumber;

    use super::Adjacency;

    #[derive(Serialize, Deserialize)]
    struct Neighbor {
        switch: String,
        port: u16,
        #[serde(default)]
        megabits: u32,
    }

    pub fn serialize<S: Serializer>(all: &[Adjacency], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(all.iter().map(|adjacency| {
            let Adjacency { port, switch, there, megabits } = adjacency;
            (port.get(), Neighbor { switch: switch.clone(), port: there.get(), megabits: *megabits })
        }))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<Adjacency>, D::Error> {
        let number = |number: u16| {
            PortNumber::new(number)
                .ok_or_else(|| D::Error::custom(format_args!("{number} is no port number")))
        };
        let read = |(port, Neighbor { switch, port: there, megabits })| {
            Ok(Adjacency { port: number(port)?, switch, there: number(there)?, megabits })
        };
        BTreeMap::<u16, Neighbor>::deserialize(deserializer)?.into_iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_reads_back_and_what_is_no_port_is_refused() {
        let port = |number| PortNumber::new(number).unwrap();
        let adjacency = |at, to: &str, there| Adjacency {
            port: port(at),
            switch: to.to_owned(),
            there: port(there),
            megabits: 1000,
        };
        let report =
            Report { port_width: 4, adjacencies: vec![adjacency(1, "m1", 2), adjacency(10, "m2", 1)] };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
        assert_eq!(serde_json::from_str::<Report>("{}").unwrap(), Report::default());
        let newer = r#"{"ports": 1, "adjacencies": {"1": {"switch": "m1", "port": 2, "color": "red"}}}"#;
        assert_eq!(serde_json::from_str::<Report>(newer).unwrap().adjacencies[0].there, port(2));
        for bad in ["0", "1024", "x"] {
            let text = format!(r#"{{"adjacencies": {{"{bad}": {{"switch": "m1", "port": 2}}}}}}"#);
            assert!(serde_json::from_str::<Report>(&text).is_err(), "{bad}");
        }
    }
}
