//! The topology file: YAML with positions, so that every fault names file, line and field.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_saphyr::Spanned;

use super::draft::{Draft, DraftHost, DraftLink, DraftSwitch, Place, Section};
use super::format::Format;
use super::raw::{RawFile, RawHost, RawLink, RawSwitch, Text};
use super::values::{address, cost, end, mac_address};
use crate::input::{self, Fault};

use super::{SwitchId, Topology};

/// A topology together with where in its file things stand.
#[derive(Clone, Debug)]
pub struct TopologyFile {
    /// What the file describes; it may be in pieces, see [`TopologyFile::connected`].
    pub topology: Topology,
    path: PathBuf,
    mentions: Mentions,
}

/// Line and field (node, ...) that first name each switch.
pub(super) type Mentions = HashMap<String, (u64, String)>;

/// Why a topology file is refused: one line per fault, `file:line: field: what to change`.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file could not be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// It says something that cannot be.
    #[error("{}", input::lines(path, problems))]
    Faulty {
        /// The file.
        path: PathBuf,
        /// In the order of the file.
        problems: Vec<Fault>,
    },
}

impl TopologyFile {
    /// Reads and checks a file, except for being in one piece.
    ///
    /// # Errors
    /// The file cannot be read, or all faults in it.
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        let text = input::read_text(path)
            .map_err(|reason| TopologyError::Unreadable { path: path.into(), reason })?;
        Self::parse(path, &text)
    }

    /// Checks a text; `path` is for messages.
    ///
    /// # Errors
    /// All faults in it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, TopologyError> {
        let text = input::without_mark(text);
        let fault = match Format::of(text) {
            Format::Smoc => return Self::read(path, text),
            Format::Foreign(what) => (0, what),
            Format::BrokenJson(fault) => fault,
            format => (0, format!("this is {format}: convert it by smoc topology FILE --format yaml")),
        };
        Err(TopologyError::Faulty { path: path.into(), problems: vec![fault] })
    }

    /// Checks a text in our own format.
    pub(super) fn read(path: &Path, text: &str) -> Result<Self, TopologyError> {
        Self::read_sections(path, text).map_err(|error| match Format::neither(text) {
            Some(what) => TopologyError::Faulty { path: path.into(), problems: vec![(0, what)] },
            None => error,
        })
    }

    fn read_sections(path: &Path, text: &str) -> Result<Self, TopologyError> {
        let faulty = |problems| TopologyError::Faulty { path: path.into(), problems };
        let raw: RawFile = input::read_yaml(text).map_err(|fault| faulty(vec![fault]))?;
        let mut reader = Reader { faults: raw.unknown_keys() };
        let draft = reader.draft(&raw);
        let built = draft.build();
        let found = built.as_ref().err().map_or(&[][..], |problems| problems);
        reader.faults.extend(found.iter().map(|problem| (raw.line(problem.place), problem.to_string())));
        match built {
            Ok(topology) if topology.switches().is_empty() && reader.faults.is_empty() => {
                Err(faulty(vec![(1, "links: missing: a topology needs at least one switch".into())]))
            }
            Ok(topology) if reader.faults.is_empty() => {
                Ok(Self { topology, path: path.into(), mentions: raw.mentions() })
            }
            _ => {
                reader.faults.sort();
                Err(faulty(reader.faults))
            }
        }
    }

    /// What a file in another format describes.
    pub(super) fn foreign(path: &Path, topology: Topology, mentions: Mentions) -> Self {
        Self { topology, path: path.into(), mentions }
    }

    /// The topology, if it is in one piece: what the agent needs.
    ///
    /// # Errors
    /// Names the pieces.
    pub fn connected(self) -> Result<Topology, TopologyError> {
        self.check_connected()?;
        Ok(self.topology)
    }

    /// Whether all switches are in one piece.
    ///
    /// # Errors
    /// Names the pieces.
    pub fn check_connected(&self) -> Result<(), TopologyError> {
        let pieces = self.topology.pieces();
        let Some(smallest) = pieces.iter().skip(1).min_by_key(|piece| piece.len()) else {
            return Ok(());
        };
        let listed: Vec<_> = pieces.iter().map(|piece| self.piece_name(piece)).collect();
        let message = format!(
            "the topology is in {} pieces, {}: add the links that join them",
            pieces.len(),
            listed.join(" and ")
        );
        Err(self.fault(&[(smallest[0], message)]))
    }

    /// Faults of switches, each with the line and field that first name the switch, if it has lines.
    pub fn fault(&self, faults: &[(SwitchId, String)]) -> TopologyError {
        let place = |(switch, message): &(SwitchId, String)| match self
            .mentions
            .get(&self.topology.switch(*switch).name)
        {
            Some((line, field)) => (*line, format!("{field}: {message}")),
            None => (0, message.clone()),
        };
        TopologyError::Faulty { path: self.path.clone(), problems: faults.iter().map(place).collect() }
    }

    fn piece_name(&self, piece: &[SwitchId]) -> String {
        let names: Vec<_> = piece.iter().take(4).map(|&s| self.topology.switch(s).name.as_str()).collect();
        let more = if piece.len() > 4 { format!(" and {} more", piece.len() - 4) } else { String::new() };
        format!("{{{}{more}}}", names.join(", "))
    }
}

impl Topology {
    /// Reads a topology file that must be sound and in one piece.
    ///
    /// # Errors
    /// See [`TopologyFile::load`] and [`TopologyFile::connected`].
    pub fn load(path: &Path) -> Result<Self, TopologyError> {
        TopologyFile::load(path)?.connected()
    }
}

/// Turns texts into values, noting what is none.
struct Reader {
    faults: Vec<Fault>,
}

/// What to write where it is missing.
const NAME: &str = "a name, e.g. \"e1\"";
const END: &str = "switch:port, e.g. \"e1:1\"";

impl Reader {
    fn draft(&mut self, raw: &RawFile) -> Draft {
        let mut draft = Draft::default();
        for (i, entry) in raw.switches.iter().flatten().enumerate() {
            draft.switches.extend(self.switch(i, entry));
        }
        for (i, entry) in raw.links.iter().flatten().enumerate() {
            draft.links.extend(self.link(i, entry));
        }
        for (i, entry) in raw.hosts.iter().flatten().enumerate() {
            draft.hosts.extend(self.host(i, entry));
        }
        draft
    }

    fn switch(&mut self, entry: usize, raw: &Spanned<RawSwitch>) -> Option<DraftSwitch> {
        let at = |field| Place { section: Section::Switches, entry, field };
        let name = self.required(at("name"), NAME, raw, raw.value.name.as_ref(), |text| Ok(text.to_owned()));
        let agent = self.optional(at("agent"), raw.value.agent.as_ref(), address);
        let width = self.optional(at("port_width"), raw.value.port_width.as_ref(), |text| {
            text.parse()
                .map_err(|_| format!("\"{}\" is no number of bits: write 1 to 10", input::shown(text)))
        });
        Some(DraftSwitch { entry, name: name?, agent: agent?, port_width: width?.unwrap_or(0) })
    }

    fn link(&mut self, entry: usize, raw: &Spanned<RawLink>) -> Option<DraftLink> {
        let at = |field| Place { section: Section::Links, entry, field };
        let link = &raw.value;
        let a = self.required(at("a"), END, raw, link.a.as_ref(), end);
        let b = self.required(at("b"), END, raw, link.b.as_ref(), end);
        let capacity = self.optional(at("capacity"), link.capacity.as_ref(), |text| {
            text.parse().map_err(|error: super::UnitError| error.to_string())
        });
        let latency = self.optional(at("latency"), link.latency.as_ref(), |text| {
            text.parse().map_err(|error: super::UnitError| error.to_string())
        });
        let cost = self.optional(at("cost"), link.cost.as_ref(), cost);
        let srlg = link.srlg.iter().flatten().map(|name| name.value.clone()).collect();
        Some(DraftLink {
            entry,
            a: a?,
            b: b?,
            capacity: capacity?,
            latency: latency?,
            cost: cost?.unwrap_or(1),
            srlg,
        })
    }

    fn host(&mut self, entry: usize, raw: &Spanned<RawHost>) -> Option<DraftHost> {
        let at = |field| Place { section: Section::Hosts, entry, field };
        let host = &raw.value;
        let name = self.required(at("name"), NAME, raw, host.name.as_ref(), |text| Ok(text.to_owned()));
        let port = self.required(at("port"), END, raw, host.port.as_ref(), end);
        let mac = self.optional(at("mac"), host.mac.as_ref(), mac_address);
        let addresses = self.each(at("addresses"), host.addresses.as_deref(), address);
        let prefixes = self.each(at("prefixes"), host.prefixes.as_deref(), input::prefix);
        let (addresses, prefixes) = (addresses?, prefixes?);
        Some(DraftHost { entry, name: name?, at: port?, mac: mac?, addresses, prefixes })
    }

    /// `None` if any of the texts is no such value (all are noted).
    fn each<T>(
        &mut self,
        place: Place,
        texts: Option<&[Text]>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let texts = texts.unwrap_or_default().iter();
        let values: Vec<_> = texts.map(|text| self.optional(place, Some(text), &read).flatten()).collect();
        values.into_iter().collect()
    }

    fn required<T, E>(
        &mut self,
        place: Place,
        what: &str,
        entry: &Spanned<E>,
        text: Option<&Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        if text.is_none() {
            self.faults.push((entry.referenced.line(), format!("{place}: missing: write {what}")));
        }
        self.optional(place, text, read).flatten()
    }

    /// `None` if the text is no such value (noted), `Some(None)` if it is absent.
    #[expect(
        clippy::option_option,
        reason = "absent and wrong differ, and every caller goes on to the next field before it gives up with `?`"
    )]
    fn optional<T>(
        &mut self,
        place: Place,
        text: Option<&Text>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Option<T>> {
        let Some(text) = text else { return Some(None) };
        match read(&text.value) {
            Ok(value) => Some(Some(value)),
            Err(message) => {
                self.faults.push((text.referenced.line(), format!("{place}: {message}")));
                None
            }
        }
    }
}
