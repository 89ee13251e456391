//! What is the same for all switches of a fabric and said once, in the fabric's store.
//!
//! A switch heeds it where its own file says nothing, value by value: `hellos: {interval: 5ms}` in the file leaves
//! `hellos.multiplier` to the fabric. Only values that apply while an agent runs may be said so.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value as Json};
use smoc_paths::{
    input::{self, Fault, Tree, Value},
    search::PathOptions,
};

use super::{Border, Config, file};
use crate::store::{RecordError, VERSION, record};

/// The keys of a configuration that a fabric may say for all of its switches.
pub const SHARED_KEYS: [&str; 8] =
    ["hellos", "openings", "paths", "port_openings", "port_width", "prefixes", "probes", "spread"];

/// What the record asks of its readers.
const COMPATIBLE: u32 = 1;

/// Values by name, such as `hellos.interval`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shared(BTreeMap<String, Json>);

/// A value that a switch's own file has otherwise than the fabric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name.
    pub key: String,
    /// What the file says, which counts.
    pub here: String,
    /// What the fabric says.
    pub fabric: String,
}

/// The record of the store.
#[derive(Serialize, Deserialize)]
struct ConfigRecord {
    version: u32,
    compatible: Option<u32>,
    #[serde(default)]
    written: u64,
    config: Map<String, Json>,
}

impl Shared {
    /// Reads a file: YAML with some of the keys of a configuration.
    ///
    /// # Errors
    /// The faults in it.
    pub fn from_yaml(text: &str) -> Result<Self, Vec<Fault>> {
        let tree = input::yaml_tree(text).map_err(|fault| vec![fault])?;
        let keys = match tree.value {
            Value::Null => Vec::new(),
            Value::Map(keys) => keys,
            _ => return Err(vec![(1, "write key: value".into())]),
        };
        let unknown = |(key, tree): &(String, Tree)| {
            (!SHARED_KEYS.contains(&key.as_str())).then(|| (tree.line, not_shared(key)))
        };
        let faults: Vec<Fault> = keys.iter().filter_map(unknown).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let shared = Self::of(keys);
        shared.check().map_err(|faults| faults.into_iter().map(|fault| (0, fault)).collect::<Vec<_>>())?;
        Ok(shared)
    }

    /// Those values of a switch's file that a fabric may say; none if it is no configuration.
    pub(super) fn of_file(text: &str) -> Self {
        match input::yaml_tree(text).map(|tree| tree.value) {
            Ok(Value::Map(keys)) => Self::of(keys),
            _ => Self::default(),
        }
    }

    fn of(keys: Vec<(String, Tree)>) -> Self {
        let shared = keys.into_iter().filter(|(key, _)| SHARED_KEYS.contains(&key.as_str()));
        Self::flat(shared.map(|(key, tree)| (key, json(tree))))
    }

    /// Groups become their values.
    fn flat(keys: impl Iterator<Item = (String, Json)>) -> Self {
        let mut values = BTreeMap::new();
        for (key, value) in keys {
            match value {
                Json::Object(group) => {
                    values.extend(group.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
                }
                value => drop(values.insert(key, value)),
            }
        }
        Self(values)
    }

    fn nested(&self) -> Map<String, Json> {
        let mut keys = Map::new();
        for (name, value) in &self.0 {
            match name.split_once('.') {
                Some((group, name)) => {
                    let group = keys.entry(group).or_insert_with(|| Json::Object(Map::new()));
                    if let Json::Object(group) = group {
                        group.insert(name.to_owned(), value.clone());
                    }
                }
                None => drop(keys.insert(name.clone(), value.clone())),
            }
        }
        keys
    }

    /// Reads the record of the store, and when it was written, in microseconds since 1970.
    ///
    /// # Errors
    /// It is none, of a version that this one would misread, or says what cannot be.
    pub fn parse(bytes: &[u8]) -> Result<(Self, u64), RecordError> {
        let record: ConfigRecord = record::parse(bytes)?;
        if let Some(key) = record.config.keys().find(|key| !SHARED_KEYS.contains(&key.as_str())) {
            return Err(RecordError::Malformed(not_shared(key)));
        }
        let shared = Self::flat(record.config.into_iter());
        shared.check().map_err(|faults| RecordError::Malformed(faults.join("; ")))?;
        Ok((shared, record.written))
    }

    /// The record of the store.
    pub fn to_bytes(&self, written: u64) -> Vec<u8> {
        let record =
            ConfigRecord { version: VERSION, compatible: Some(COMPATIBLE), written, config: self.nested() };
        // Maps with text as keys always become JSON.
        serde_json::to_vec(&record).unwrap_or_default()
    }

    /// As a file.
    pub fn to_yaml(&self) -> String {
        self.nested().iter().map(|(key, value)| format!("{key}: {}\n", flow(value))).collect()
    }

    /// As one JSON document.
    pub fn to_json(&self) -> Json {
        Json::Object(self.nested())
    }

    /// These values with one that is written as in a file: `hellos.interval`, `20ms`.
    ///
    /// # Errors
    /// No such value may be said, or not so.
    pub fn with(&self, key: &str, text: &str) -> Result<Self, String> {
        let group = key.split_once('.').map_or(key, |(group, _)| group);
        if !SHARED_KEYS.contains(&group) {
            return Err(not_shared(group));
        }
        let tree = input::yaml_tree(text).map_err(|(_, why)| format!("{key}: {why}"))?;
        let mut shared = self.without(key);
        shared.0.extend(Self::flat(std::iter::once((key.to_owned(), json(tree)))).0);
        shared.check().map_err(|faults| faults.join("\n"))?;
        Ok(shared)
    }

    /// These values without one, or without a group of them.
    pub fn without(&self, key: &str) -> Self {
        let group = format!("{key}.");
        let other = |(name, _): &(&String, &Json)| *name != key && !name.starts_with(&group);
        Self(self.0.iter().filter(other).map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// How paths are chosen, where nobody says anything else.
    pub fn paths(&self) -> PathOptions {
        self.read("any").map(|config| config.paths).unwrap_or_default()
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names and values, as in a file.
    pub fn values(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, value)| (name.as_str(), flow(value)))
    }

    /// What cannot be.
    fn check(&self) -> Result<(), Vec<String>> {
        self.read("any").map(drop)
    }

    /// As the configuration of a switch that says nothing else.
    fn read(&self, switch: &str) -> Result<Config, Vec<String>> {
        let mut keys = self.nested();
        keys.insert("switch".into(), switch.into());
        keys.insert("bridge".into(), "any".into());
        // JSON is YAML.
        let text = Json::Object(keys).to_string();
        file::parse(Path::new(""), &text).map_err(|faults| faults.into_iter().map(|(_, why)| why).collect())
    }
}

impl Config {
    /// This configuration with what the fabric says where its own file says nothing.
    ///
    /// # Errors
    /// What cannot be, together.
    pub fn sharing(&self, shared: &Shared) -> Result<Self, String> {
        let mut all = shared.clone();
        all.0.extend(self.said.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        let read = all.read(&self.switch).map_err(|faults| faults.join("; "))?;
        let Border { openings, port_openings, .. } = read.border;
        Ok(Self {
            port_width: read.port_width,
            paths: read.paths,
            spread: read.spread,
            border: Border { openings, port_openings, ..self.border.clone() },
            prefixes: read.prefixes,
            hellos: read.hellos,
            probes: read.probes,
            ..self.clone()
        })
    }

    /// Whether the two say the same of what a fabric may say.
    pub fn shares_with(&self, other: &Self) -> bool {
        let of = |config: &Self| {
            let Border { openings, port_openings, .. } = config.border;
            (config.port_width, config.paths, config.spread, openings, port_openings)
        };
        of(self) == of(other)
            && (self.hellos, self.probes) == (other.hellos, other.probes)
            && self.prefixes == other.prefixes
    }

    /// What its own file has otherwise.
    pub fn differences(&self, shared: &Shared) -> Vec<Difference> {
        let differs = |(key, fabric): (&String, &Json)| {
            let here = self.said.0.get(key).filter(|here| *here != fabric)?;
            Some(Difference { key: key.clone(), here: flow(here), fabric: flow(fabric) })
        };
        shared.0.iter().filter_map(differs).collect()
    }
}

fn not_shared(key: &str) -> String {
    let shown = input::shown(key);
    format!("{shown}: is not said for a whole fabric: write one of {}", SHARED_KEYS.join(", "))
}

fn json(tree: Tree) -> Json {
    match tree.value {
        Value::Null => Json::Null,
        Value::Bool(value) => value.into(),
        Value::Number(text) => {
            let whole = text.parse::<u64>().map(Number::from).ok();
            let number = whole.or_else(|| Number::from_f64(text.parse().ok()?));
            number.map_or(Json::String(text), Json::Number)
        }
        Value::Text(text) => Json::String(text),
        Value::List(all) => all.into_iter().map(json).collect(),
        Value::Map(all) => Json::Object(all.into_iter().map(|(key, tree)| (key, json(tree))).collect()),
    }
}

/// A value as YAML in one line: text without quotes where none are needed.
fn flow(value: &Json) -> String {
    let is_plain = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/-".contains(c))
    };
    match value {
        Json::String(text) if is_plain(text) => text.clone(),
        Json::Bool(false) => "off".into(),
        Json::Array(all) => format!("[{}]", all.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Json::Object(all) => {
            let one = |(key, value): (&String, &Json)| format!("{key}: {}", flow(value));
            format!("{{{}}}", all.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Spread;

    const FILE: &str = "
hellos: {interval: 20ms, multiplier: 5}
probes: {interval: off}
prefixes: [10.0.0.0/16, \"2001:db8::/32\"]
spread: flows
paths: {count: 4, max_stretch: 1.5}
port_width: 8
openings: 5
";

    fn shared() -> Shared {
        Shared::from_yaml(FILE).unwrap()
    }

    fn config(text: &str) -> Config {
        Config::parse(Path::new("e1.yaml"), &format!("switch: e1\nbridge: br0\n{text}")).unwrap()
    }

    #[test]
    fn what_the_file_says_counts_and_the_fabric_says_the_rest() {
        let own = config("hellos: {interval: 5ms}\nprefixes: [10.1.0.0/16]\nopenings: 5\n");
        let both = own.sharing(&shared()).unwrap();
        assert_eq!((both.hellos.interval, both.hellos.multiplier), (Duration::from_millis(5), 5));
        assert_eq!(both.hellos.hold_down, own.hellos.hold_down, "nobody says that");
        assert_eq!(both.prefixes, own.prefixes);
        assert_eq!((both.spread, both.port_width, both.paths.count), (Spread::Flows, 8, 4));
        assert!(both.probes.interval.is_zero());
        assert_eq!((both.border.openings, both.border.port_openings), (5, Border::PORT_OPENINGS));
        let differences = own.differences(&shared());
        let told: Vec<_> = differences.iter().map(|it| (&it.key[..], &it.here[..], &it.fabric[..])).collect();
        let prefixes = ("prefixes", "[10.1.0.0/16]", "[10.0.0.0/16, \"2001:db8::/32\"]");
        assert_eq!(told, [("hellos.interval", "5ms", "20ms"), prefixes]);
        assert!(own.sharing(&Shared::default()).unwrap().shares_with(&own));
        assert!(!own.shares_with(&both));
    }

    #[test]
    fn a_record_and_a_file_are_read_as_they_were_written() {
        assert_eq!(Shared::parse(&shared().to_bytes(7)), Ok((shared(), 7)));
        assert_eq!(Shared::from_yaml(&shared().to_yaml()), Ok(shared()));
        assert_eq!(Shared::from_yaml(""), Ok(Shared::default()));
        let one = Shared::from_yaml("port_width: 8").unwrap();
        let text = String::from_utf8(one.to_bytes(7)).unwrap();
        assert_eq!(text, r#"{"version":1,"compatible":1,"written":7,"config":{"port_width":8}}"#);
    }

    #[test]
    fn values_are_set_and_taken_back_one_by_one_or_by_group() {
        let some = Shared::default().with("hellos.interval", "20ms").unwrap();
        let some = some.with("prefixes", "[10.0.0.0/16]").unwrap().with("hellos.multiplier", "4").unwrap();
        assert_eq!(some.to_yaml(), "hellos: {interval: 20ms, multiplier: 4}\nprefixes: [10.0.0.0/16]\n");
        assert_eq!(
            some.without("hellos.interval").to_yaml(),
            "hellos: {multiplier: 4}\nprefixes: [10.0.0.0/16]\n"
        );
        assert_eq!(some.without("hellos").without("prefixes"), Shared::default());
        let group = some.with("hellos", "{hold_down: 2s}").unwrap();
        assert_eq!(
            group.values().next(),
            Some(("hellos.hold_down", "2s".into())),
            "a group is said as a whole"
        );
    }

    #[test]
    fn what_cannot_be_is_refused_by_name() {
        for (key, value, said) in [
            ("hellos.interval", "20", "has no unit"),
            ("hellos.interval", "20us", "hellos.interval"),
            ("hellos.every", "1s", "every"),
            ("hellos", "7", "hellos"),
            ("paths.count", "9", "paths.count"),
            ("port_width", "11", "port_width"),
            ("prefixes", "[10.0.0.1/8]", "10.0.0.0/8"),
            ("switch", "e1", "is not said for a whole fabric"),
            ("", "x", "is not said for a whole fabric"),
            ("spread", "[", "spread"),
            ("spread.x", "y", "spread"),
        ] {
            let error = Shared::default().with(key, value).unwrap_err();
            assert!(error.contains(said), "{key}: {error}");
        }
        let faults = Shared::from_yaml("spread: none\nlearn: false\n").unwrap_err();
        assert_eq!((faults.len(), faults[0].0), (1, 2), "{faults:?}");
        for (record, said) in [
            ("{", "no record"),
            (r#"{"version":1,"config":{"learn":false}}"#, "learn"),
            (r#"{"version":2,"config":{}}"#, "version 2"),
            (r#"{"version":1,"config":{"hellos":{"interval":"1h"}}}"#, "hellos"),
            (r#"{"version":1,"config":[]}"#, "no record"),
        ] {
            let error = Shared::parse(record.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(said), "{record}: {error}");
        }
        assert!(Shared::parse(br#"{"version":2,"compatible":1,"config":{},"more":1}"#).is_ok());
    }
}
