//! Who sends to whom.

use crate::topology::Topology;
use crate::topology::generate::Random;

/// A traffic matrix of connections that all have data without end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// Every host sends to one other and receives from one other, drawn at random.
    Permutation,
    /// Every host sends to every other.
    AllToAll,
    /// These: indexes into [`Topology::hosts`].
    Given(Vec<(usize, usize)>),
}

impl Traffic {
    /// Reads `from to` a line, names of hosts; empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// One line for each fault, with its number.
    pub fn parse(topology: &Topology, text: &str) -> Result<Self, String> {
        let mut given = Vec::new();
        let mut faults = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let words: Vec<_> = line.split_whitespace().collect();
            if line.trim_start().starts_with('#') || words.is_empty() {
                continue;
            }
            let host = |name: &str| topology.hosts().iter().position(|host| host.name == name);
            match words[..] {
                [from, to] => match (host(from), host(to)) {
                    (Some(from), Some(to)) if from != to => given.push((from, to)),
                    (Some(_), Some(_)) => faults.push(format!("{number}: {from} sends to itself")),
                    (None, _) => faults.push(format!("{number}: there is no host \"{from}\"")),
                    _ => faults.push(format!("{number}: there is no host \"{to}\"")),
                },
                _ => faults.push(format!("{number}: write two hosts, who sends and who receives")),
            }
        }
        if faults.is_empty() { Ok(Self::Given(given)) } else { Err(faults.join("\n")) }
    }

    /// The connections (sender, receiver) of one draw among so many hosts.
    pub fn connections(&self, hosts: usize, random: &mut Random) -> Vec<(usize, usize)> {
        match self {
            Self::Given(given) => given.clone(),
            Self::AllToAll => (0..hosts)
                .flat_map(|from| (0..hosts).filter(move |&to| to != from).map(move |to| (from, to)))
                .collect(),
            Self::Permutation => derangement(hosts, random).into_iter().enumerate().collect(),
        }
    }
}

/// A random permutation that leaves nobody in place: one cycle through all (Sattolo 1986). Empty for fewer
/// than two.
fn derangement(count: usize, random: &mut Random) -> Vec<usize> {
    let mut to: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        to.swap(i, random.below(i));
    }
    if count < 2 { Vec::new() } else { to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_sends_from_everyone_to_another() {
        let mut random = Random(3);
        for hosts in 2..40 {
            let connections = Traffic::Permutation.connections(hosts, &mut random);
            assert!(connections.iter().all(|(from, to)| from != to));
            let mut to: Vec<_> = connections.iter().map(|c| c.1).collect();
            to.sort_unstable();
            assert_eq!(to, (0..hosts).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_file_of_connections_is_read_and_its_faults_are_named() {
        let topology = crate::topology::generate::fat_tree(2).unwrap().build().unwrap();
        let read = |text: &str| Traffic::parse(&topology, text);
        assert_eq!(read("# who\nh0-0-0 h1-0-0\n"), Ok(Traffic::Given(vec![(0, 1)])));
        let faults = read("h0-0-0\nh0-0-0 h0-0-0\nh0-0-0 x\n").unwrap_err();
        assert_eq!(
            faults,
            "1: write two hosts, who sends and who receives\n2: h0-0-0 sends to itself\n3: there is no host \"x\""
        );
    }
}
