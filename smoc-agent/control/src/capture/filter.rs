//! Which frames are wanted: words such as `host 10.0.0.1 tcp-port 80,443 path e2/1`. Each name is followed by one or more
//! values; of the values one is to fit, of the names all.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use smoc_common::{
    capture::{Filter as ProgramFilter, MAX_SNAPLEN, MAX_TERMS},
    event::Outcome,
    route::{PortNumber, Rank},
};
use thiserror::Error;

use super::{Direction, Told};
use crate::{connections::Question, hosts::map_address, switch::Snapshot};

/// Why nothing can be captured.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FilterError {
    /// No name of anything to go by.
    #[error("filter \"{0}\": write {NAMES}")]
    Name(String),
    /// A name without values.
    #[error("filter {0}: say which, as in `{0} {1}`")]
    Missing(&'static str, &'static str),
    /// A value that is none.
    #[error("filter {0} \"{1}\": write it as in `{0} {2}`")]
    Value(&'static str, String, &'static str),
    /// Nothing of this name is there.
    #[error("filter {0} \"{1}\": there is none here; {2} shows which there are")]
    Unknown(&'static str, String, &'static str),
}

/// For the error.
const NAMES: &str = "host, port, tcp-port, token, connection, path, rank or outcome, and what it should be";
/// Names, and a value of each.
const EXAMPLES: [(&str, &str); 8] = [
    ("host", "10.0.0.1"),
    ("port", "9"),
    ("tcp-port", "80"),
    ("token", "8a3f12cd"),
    ("connection", "10.0.0.1:40000-10.0.1.1:80"),
    ("path", "e2/1"),
    ("rank", "1"),
    ("outcome", "established"),
];
/// Outcomes of frames that smoc itself sends; captured only where they are named.
const OWN: [Outcome; 6] = [
    Outcome::ProbeTransit,
    Outcome::ProbeReflected,
    Outcome::ProbeReturned,
    Outcome::ProbeLost,
    Outcome::Answered,
    Outcome::LoopProbe,
];

/// Which frames are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    hosts: Vec<IpAddr>,
    /// By number or interface.
    ports: Vec<String>,
    transport_ports: Vec<u16>,
    tokens: Vec<u32>,
    connections: Vec<[SocketAddr; 2]>,
    /// The edge to which it leads, or from which it comes, and the rank.
    paths: Vec<(String, Option<u8>)>,
    ranks: Vec<u8>,
    outcomes: Vec<Outcome>,
}

impl Filter {
    /// From words. `and` between them means nothing.
    ///
    /// # Errors
    /// They say nothing to go by.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        let mut words = words.into_iter().flat_map(str::split_whitespace).filter(|word| *word != "and");
        while let Some(word) = words.next() {
            let known = EXAMPLES.into_iter().find(|(name, _)| *name == word);
            let (name, example) = known.ok_or_else(|| FilterError::Name(word.to_owned()))?;
            let values = words.next().ok_or(FilterError::Missing(name, example))?;
            for value in values.split(',') {
                let taken = filter.take(name, value);
                taken.ok_or_else(|| FilterError::Value(name, value.to_owned(), example))?;
            }
        }
        Ok(filter)
    }

    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        fn number<T: FromStr + PartialOrd + Default>(text: &str) -> Option<T> {
            text.parse().ok()
        }
        match name {
            "host" => self.hosts.push(value.parse().ok()?),
            "port" if !value.is_empty() => self.ports.push(value.to_owned()),
            "tcp-port" => self.transport_ports.push(number(value).filter(|port| *port != 0)?),
            "token" => match Question::of_token(value).ok()? {
                Question::Token(token) => self.tokens.push(token),
                Question::Flow { .. } => return None,
            },
            "connection" => {
                let (one, other) = value.split_once('-')?;
                self.connections.push([one.parse().ok()?, other.parse().ok()?]);
            }
            "path" => {
                let (edge, rank) =
                    value.split_once('/').map_or((value, None), |(edge, rank)| (edge, Some(rank)));
                let rank =
                    rank.map(|rank| number(rank).filter(|rank| usize::from(*rank) < Rank::COUNT).ok_or(()));
                self.paths
                    .push((Some(edge).filter(|edge| !edge.is_empty())?.to_owned(), rank.transpose().ok()?));
            }
            "rank" => self.ranks.push(number(value).filter(|rank| usize::from(*rank) < Rank::COUNT)?),
            "outcome" => self.outcomes.push(*Outcome::ALL.iter().find(|outcome| outcome.name() == value)?),
            _ => return None,
        }
        Some(())
    }

    /// The same words again.
    pub fn words(&self) -> String {
        fn all<T>(name: &str, values: &[T], word: impl Fn(&T) -> String) -> Option<String> {
            let words: Vec<_> = values.iter().map(word).collect();
            (!words.is_empty()).then(|| format!("{name} {}", words.join(",")))
        }
        let path = |(edge, rank): &(String, Option<u8>)| match rank {
            Some(rank) => format!("{edge}/{rank}"),
            None => edge.clone(),
        };
        let terms = [
            all("host", &self.hosts, IpAddr::to_string),
            all("port", &self.ports, String::clone),
            all("tcp-port", &self.transport_ports, u16::to_string),
            all("token", &self.tokens, |token| format!("{token:08x}")),
            all("connection", &self.connections, |[one, other]| format!("{one}-{other}")),
            all("path", &self.paths, path),
            all("rank", &self.ranks, u8::to_string),
            all("outcome", &self.outcomes, |outcome| outcome.name().to_owned()),
        ];
        terms.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Whether everything that it names is there.
    ///
    /// # Errors
    /// A port or a switch that does not exist.
    pub fn check(&self, snapshot: &Snapshot) -> Result<(), FilterError> {
        let is_port =
            |name: &&String| snapshot.ports.iter().any(|port| is_port(name, port.number, &port.interface));
        if let Some(port) = self.ports.iter().find(|name| !is_port(name)) {
            return Err(FilterError::Unknown("port", port.clone(), "`smoc status`"));
        }
        let is_switch = |(name, _): &&(String, _)| snapshot.topology.find_switch(name).is_some();
        match self.paths.iter().find(|path| !is_switch(path)) {
            Some((edge, _)) => Err(FilterError::Unknown("path", edge.clone(), "`smoc topology`")),
            None => Ok(()),
        }
    }

    /// What the program goes by: it lets no frame go that is wanted, and some that are not.
    pub fn program(&self, sample: u32, snaplen: u32) -> ProgramFilter {
        let mut program = ProgramFilter { sample, snaplen: snaplen.min(MAX_SNAPLEN), ..ProgramFilter::ALL };
        let own = OWN.iter().fold(0, |bits, outcome| bits | 1 << outcome.counter());
        program.outcomes = match self.outcomes.as_slice() {
            [] => !own,
            outcomes => outcomes.iter().fold(0, |bits, outcome| bits | 1 << outcome.counter()),
        };
        let ends = || self.connections.iter().flatten();
        let hosts = match self.hosts.as_slice() {
            [] => ends().map(|end| map_address(end.ip())).collect(),
            hosts => hosts.iter().map(|host| map_address(*host)).collect::<Vec<_>>(),
        };
        if (1..=MAX_TERMS).contains(&hosts.len()) {
            program.hosts[..hosts.len()].copy_from_slice(&hosts);
            program.host_count = hosts.len() as u32;
        }
        let ports = match self.transport_ports.as_slice() {
            [] => ends().map(SocketAddr::port).collect(),
            ports => ports.to_vec(),
        };
        if (1..=MAX_TERMS).contains(&ports.len()) {
            program.transport_ports[..ports.len()].copy_from_slice(&ports);
            program.transport_port_count = ports.len() as u32;
        }
        program
    }

    /// Whether a frame is wanted that the program let through.
    pub fn wants(&self, told: &Told, snapshot: &Snapshot) -> bool {
        let flow = told.flow.as_ref();
        let ends = || flow.into_iter().flat_map(|flow| [flow.source, flow.destination]);
        let through = |port: Option<PortNumber>, name: &String| {
            let state = snapshot.ports.iter().find(|state| Some(state.number) == port);
            state.is_some_and(|state| is_port(name, state.number, &state.interface))
        };
        let is_on = |[one, other]: &[SocketAddr; 2]| ends().eq([*one, *other]) || ends().eq([*other, *one]);
        let follows = |(edge, rank): &(String, Option<u8>)| {
            let is_meant = told.edges.iter().any(|switch| snapshot.topology.switch(*switch).name == *edge);
            is_meant && (rank.is_none() || *rank == told.rank())
        };
        fits(&self.hosts, |host| ends().any(|end| end.ip() == *host))
            && fits(&self.transport_ports, |port| ends().any(|end| end.port() == *port))
            && fits(&self.ports, |name| through(told.left_by, name) || through(told.came_by, name))
            && fits(&self.tokens, |token| told.tokens.contains(token))
            && fits(&self.connections, is_on)
            && fits(&self.paths, follows)
            && fits(&self.ranks, |rank| told.rank() == Some(*rank))
            && fits(&self.outcomes, |outcome| told.outcome == *outcome)
    }
}

impl Told {
    /// The port at which it is seen.
    pub fn port(&self) -> Option<PortNumber> {
        match self.direction() {
            Direction::Out => self.left_by,
            Direction::In => self.came_by,
        }
    }
}

fn fits<T>(values: &[T], does: impl Fn(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(does)
}

fn is_port(name: &str, number: PortNumber, interface: &str) -> bool {
    name == interface || name.parse() == Ok(number.get())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(words: &str) -> Result<Filter, FilterError> {
        Filter::parse([words])
    }

    #[test]
    fn words_are_read_and_written_the_same() {
        let words = "host 10.0.0.1,fd00::1 port 9,eth0 tcp-port 80 token 0000abcd connection \
                     10.0.0.1:4000-10.0.1.1:80,[fd00::1]:1-[fd00::2]:2 path e2,e3/1 rank 0,7 outcome established,plain";
        let filter = parse(words).unwrap();
        assert_eq!(filter.words(), words);
        assert_eq!(parse(&filter.words()), Ok(filter));
        assert_eq!(parse("host 10.0.0.1 and tcp-port 80"), parse("tcp-port 80 host 10.0.0.1"));
        assert_eq!(parse(""), Ok(Filter::default()));
    }

    #[test]
    fn what_is_wrong_is_told_with_what_to_write() {
        for (words, told) in [
            ("10.0.0.1", "filter \"10.0.0.1\": write host, port,"),
            ("host", "filter host: say which, as in `host 10.0.0.1`"),
            ("host h1", "filter host \"h1\": write it as in `host 10.0.0.1`"),
            ("host 10.0.0.1,", "filter host \"\": write it"),
            ("tcp-port 0", "filter tcp-port \"0\""),
            ("tcp-port 65536", "filter tcp-port \"65536\""),
            ("token xyz", "filter token \"xyz\": write it as in `token 8a3f12cd`"),
            ("connection 10.0.0.1:1", "filter connection \"10.0.0.1:1\""),
            ("path e2/8", "filter path \"e2/8\": write it as in `path e2/1`"),
            ("path /1", "filter path \"/1\""),
            ("rank 8", "filter rank \"8\""),
            ("outcome lost", "filter outcome \"lost\": write it as in `outcome established`"),
        ] {
            let error = parse(words).unwrap_err().to_string();
            assert!(error.starts_with(told), "{words}: {error}");
        }
    }

    #[test]
    fn the_program_looks_for_what_it_can_compare() {
        let program =
            parse("connection 10.0.0.1:4000-10.0.1.1:80 outcome plain").unwrap().program(10, 1 << 20);
        assert_eq!((program.host_count, program.transport_port_count), (2, 2));
        assert_eq!((program.outcomes, program.sample, program.snaplen), (1 << 3, 10, MAX_SNAPLEN));
        let many = parse("host 10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5").unwrap().program(1, 64);
        assert_eq!(many.host_count, 0, "more than it has room for: the agent looks at all");
    }

    #[test]
    fn what_smoc_sends_itself_is_captured_only_where_it_is_named() {
        let all = Filter::default().program(1, 64);
        let left_out: Vec<_> = Outcome::ALL.iter().filter(|it| !all.wants(it.counter())).collect();
        assert_eq!(left_out, OWN.iter().collect::<Vec<_>>());
        let named = parse("outcome probe_returned").unwrap().program(1, 64);
        assert!(named.wants(Outcome::ProbeReturned.counter()));
    }

    proptest! {
        #[test]
        fn no_words_make_it_fail(words in ".{0,60}") {
            let _ = parse(&words);
        }
    }
}
