//! The topology file as it stands: texts with positions, no meaning yet.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use serde_saphyr::Spanned;

use super::draft::{Place, Section};
use crate::input::shown;

/// A scalar and where it stands.
pub(super) type Text = Spanned<String>;

/// A key of a mapping.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let single = String::deserialize(deserializer);
        single.map(Self).map_err(|_| D::Error::custom("expected a single value as key, such as links"))
    }
}

/// Declares the raw form of a mapping: every known key optional, unknown keys kept with their position.
macro_rules! raw_mapping {
    ($name:ident { $($key:ident: $kind:ty),+ }) => {
        #[derive(Clone, Debug, Default)]
        pub(super) struct $name {
            $(pub(super) $key: Option<$kind>,)+
            unknown: Vec<Spanned<String>>,
        }

        impl $name {
            const KEYS: &[&str] = &[$(stringify!($key)),+];
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Keys(PhantomData<$name>);
                impl<'de> Visitor<'de> for Keys {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "a mapping with the keys {}", $name::KEYS.join(", "))
                    }
                    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name, A::Error> {
                        let mut raw = $name::default();
                        while let Some(key) = map.next_key::<Key>()? {
                            match key.0.as_str() {
                                $(stringify!($key) => raw.$key = map.next_value()?,)+
                                _ => {
                                    let value: Spanned<IgnoredAny> = map.next_value()?;
                                    raw.unknown.push(Spanned::new(key.0, value.referenced, value.defined));
                                }
                            }
                        }
                        Ok(raw)
                    }
                }
                deserializer.deserialize_map(Keys(PhantomData))
            }
        }
    };
}

raw_mapping!(RawFile {
    switches: Vec<Spanned<RawSwitch>>,
    links: Vec<Spanned<RawLink>>,
    hosts: Vec<Spanned<RawHost>>
});
raw_mapping!(RawSwitch { name: Text, agent: Text, port_width: Text });
raw_mapping!(RawLink { a: Text, b: Text, capacity: Text, latency: Text, cost: Text, srlg: Vec<Text> });
raw_mapping!(RawHost { name: Text, port: Text, mac: Text, addresses: Vec<Text>, prefixes: Vec<Text> });

impl RawSwitch {
    fn field(&self, field: &str) -> Option<&Text> {
        match field {
            "agent" => self.agent.as_ref(),
            "port_width" => self.port_width.as_ref(),
            _ => self.name.as_ref(),
        }
    }
}

impl RawLink {
    fn field(&self, field: &str) -> Option<&Text> {
        match field {
            "a" => self.a.as_ref(),
            "b" => self.b.as_ref(),
            "capacity" => self.capacity.as_ref(),
            "latency" => self.latency.as_ref(),
            "cost" => self.cost.as_ref(),
            _ => self.srlg.as_ref().and_then(|all| all.first()),
        }
    }
}

impl RawHost {
    fn field(&self, field: &str) -> Option<&Text> {
        match field {
            "name" => self.name.as_ref(),
            "port" => self.port.as_ref(),
            "mac" => self.mac.as_ref(),
            "prefixes" => self.prefixes.as_ref().and_then(|all| all.first()),
            _ => self.addresses.as_ref().and_then(|all| all.first()),
        }
    }
}

fn entry_line<T>(
    section: Option<&Vec<Spanned<T>>>,
    entry: usize,
    field: impl Fn(&T) -> Option<&Text>,
) -> u64 {
    let Some(raw) = section.and_then(|all| all.get(entry)) else { return 0 };
    field(&raw.value).map_or(raw.referenced, |text| text.referenced).line()
}

impl RawFile {
    /// Line of a place; of its entry where the field is missing; 0 if there is none.
    pub(super) fn line(&self, place: Option<Place>) -> u64 {
        let Some(Place { section, entry, field }) = place else { return 0 };
        match section {
            Section::Switches => entry_line(self.switches.as_ref(), entry, |raw| raw.field(field)),
            Section::Links => entry_line(self.links.as_ref(), entry, |raw| raw.field(field)),
            Section::Hosts => entry_line(self.hosts.as_ref(), entry, |raw| raw.field(field)),
        }
    }

    pub(super) fn unknown_keys(&self) -> Vec<(u64, String)> {
        let mut faults = Vec::new();
        let mut list = |prefix: String, unknown: &[Text], known: &[&str]| {
            for key in unknown {
                let known = known.join(", ");
                let message = format!("{prefix}{}: unknown key; known here: {known}", shown(&key.value));
                faults.push((key.referenced.line(), message));
            }
        };
        list(String::new(), &self.unknown, Self::KEYS);
        for (i, raw) in self.switches.iter().flatten().enumerate() {
            list(format!("switches[{i}]."), &raw.value.unknown, RawSwitch::KEYS);
        }
        for (i, raw) in self.links.iter().flatten().enumerate() {
            list(format!("links[{i}]."), &raw.value.unknown, RawLink::KEYS);
        }
        for (i, raw) in self.hosts.iter().flatten().enumerate() {
            list(format!("hosts[{i}]."), &raw.value.unknown, RawHost::KEYS);
        }
        faults
    }

    /// Line and field that first name each switch.
    pub(super) fn mentions(&self) -> HashMap<String, (u64, String)> {
        let mut found: HashMap<String, (u64, String)> = HashMap::new();
        let mut look = |field: String, text: Option<&Text>| {
            let Some(text) = text else { return };
            let switch = text.value.rsplit_once(':').map_or(text.value.as_str(), |(switch, _)| switch);
            let here = (text.referenced.line(), field);
            match found.get_mut(switch) {
                Some(first) if *first <= here => {}
                Some(first) => *first = here,
                None => {
                    found.insert(switch.to_owned(), here);
                }
            }
        };
        for (i, raw) in self.switches.iter().flatten().enumerate() {
            look(format!("switches[{i}].name"), raw.value.name.as_ref());
        }
        for (i, raw) in self.links.iter().flatten().enumerate() {
            look(format!("links[{i}].a"), raw.value.a.as_ref());
            look(format!("links[{i}].b"), raw.value.b.as_ref());
        }
        for (i, raw) in self.hosts.iter().flatten().enumerate() {
            look(format!("hosts[{i}].port"), raw.value.port.as_ref());
        }
        found
    }
}
