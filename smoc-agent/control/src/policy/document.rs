//! A policy as operators write it.
//!
//! ```yaml
//! tenants:
//!   gold: [10.1.0.0/16, "fd00:1::/64", h7]
//! rules:
//!   - {between: [h1, h2], metric: latency}
//!   - {name: backup, between: [gold, any], count: 2, avoid: [m1, "e1:2", duct-7]}
//! ```

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use smoc_common::route::Rank;
use smoc_paths::{
    input::{self, Fault, shown},
    search::{Metric, PathOptions, Policy, Protect},
    topology::check_name,
};

/// Most rules of a document.
pub const MAX_RULES: usize = 64;
/// What stands for every address.
pub const ANY: &str = "any";

/// A policy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Lists of hosts, addresses and prefixes, by name.
    #[serde(default)]
    pub tenants: BTreeMap<String, Vec<String>>,
    /// The rules; of those that are about a pair the first counts.
    pub rules: Vec<Rule>,
}

/// How the paths between some hosts are chosen. What it does not say is as for all other pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Both sides: tenants, hosts, addresses, prefixes or [`ANY`].
    pub between: [String; 2],
    /// [`PathOptions::policy`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// [`PathOptions::count`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// [`PathOptions::protect`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protect: Option<Protect>,
    /// [`PathOptions::metric`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    /// [`PathOptions::max_stretch`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_stretch: Option<f64>,
    /// Which of the ranked paths are used, in this order; all if none is named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ranks: Vec<usize>,
    /// Switches, ports, links and shared-risk groups that paths keep off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoid: Vec<String>,
}

/// The file as it stands.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    tenants: BTreeMap<String, Spanned<Vec<String>>>,
    rules: Vec<Spanned<Rule>>,
}

impl Document {
    /// Reads a file. What its names mean in a network is not looked at.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Vec<Fault>> {
        Self::parse_with_lines(text).map(|(document, _)| document)
    }

    /// The same, and the line of each rule.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parse_with_lines(text: &str) -> Result<(Self, Vec<u64>), Vec<Fault>> {
        let Raw { tenants, rules } = input::read_yaml(text).map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        for (name, members) in &tenants {
            check_tenant(name, members, &mut faults);
        }
        if rules.len() > MAX_RULES {
            faults.push((0, format!("rules: {} are too many: {MAX_RULES} at most", rules.len())));
        }
        let lines = rules.iter().map(|rule| rule.referenced.line()).collect();
        let mut names = BTreeSet::new();
        let rules: Vec<Rule> = rules
            .into_iter()
            .enumerate()
            .map(|(at, Spanned { mut value, referenced, .. })| {
                if value.name.is_empty() {
                    value.name = format!("{}--{}", value.between[0], value.between[1]);
                }
                let mut say = |message| faults.push((referenced.line(), format!("rules[{at}].{message}")));
                check_rule(&value, &mut say);
                if !names.insert(value.name.clone()) {
                    say(format!(
                        "name: another rule is called \"{}\": give one of them another name",
                        value.name
                    ));
                }
                value
            })
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let tenants = tenants.into_iter().map(|(name, members)| (name, members.value)).collect();
        Ok((Self { tenants, rules }, lines))
    }

    /// The document as text that [`Document::parse`] reads.
    pub fn to_text(&self) -> String {
        // Lists of text and numbers always become JSON, which is YAML.
        serde_json::to_string(self).unwrap_or_default()
    }
}

fn check_tenant(name: &str, members: &Spanned<Vec<String>>, faults: &mut Vec<Fault>) {
    let mut say = |message| faults.push((members.referenced.line(), format!("tenants.{name}: {message}")));
    if let Err(why) = check_name(name) {
        say(why);
    }
    if name == ANY {
        say(format!("\"{ANY}\" means every address: give the tenant another name"));
    }
    if members.value.is_empty() {
        say("has no member: list hosts, addresses or prefixes".to_owned());
    }
    for member in &members.value {
        if member.contains('/')
            && let Err(why) = input::prefix(member)
        {
            say(why);
        }
    }
}

fn check_rule(rule: &Rule, say: &mut impl FnMut(String)) {
    if rule.name.len() > 128 || rule.name.chars().any(char::is_control) {
        say(format!("name: \"{}\" is no name: use up to 128 bytes that can be printed", shown(&rule.name)));
    }
    for (at, side) in rule.between.iter().enumerate().filter(|(_, side)| side.contains('/')) {
        if let Err(why) = input::prefix(side) {
            say(format!("between[{at}]: {why}"));
        }
    }
    if let Err(error) = rule.options(&PathOptions::default()).check() {
        say(error.to_string());
    } else if rule.count.is_some_and(|count| count > Rank::COUNT) {
        say(format!("count: is too many: the packet path has {} ranks", Rank::COUNT));
    }
    for rank in &rule.ranks {
        if *rank >= Rank::COUNT {
            say(format!("ranks: there is no rank {rank}: they are 0 to {}", Rank::COUNT - 1));
        }
    }
    let different: BTreeSet<_> = rule.ranks.iter().collect();
    if different.len() != rule.ranks.len() {
        say("ranks: one is named twice".to_owned());
    }
    if (Rule { name: String::new(), between: Default::default(), ..rule.clone() }) == Rule::default() {
        say("says nothing of paths: write policy, count, protect, metric, max_stretch, ranks or avoid"
            .to_owned());
    }
}

impl Rule {
    /// How paths are chosen where all others are chosen by `base`.
    pub fn options(&self, base: &PathOptions) -> PathOptions {
        PathOptions {
            policy: self.policy.unwrap_or(base.policy),
            count: self.count.unwrap_or(base.count),
            protect: self.protect.unwrap_or(base.protect),
            metric: self.metric.unwrap_or(base.metric),
            max_stretch: self.max_stretch.or(base.max_stretch),
            ..*base
        }
    }

    /// What it does, in words.
    pub fn does(&self) -> String {
        fn word<T: Serialize>(value: &T) -> String {
            serde_json::to_value(value)
                .ok()
                .and_then(|value| Some(value.as_str()?.to_owned()))
                .unwrap_or_default()
        }
        let list = |items: &[String]| items.join(", ");
        let numbers: Vec<String> = self.ranks.iter().map(ToString::to_string).collect();
        let said = [
            self.policy.map(|policy| format!("policy {}", word(&policy))),
            self.metric.map(|metric| format!("metric {metric}")),
            self.count.map(|count| format!("count {count}")),
            self.protect.map(|protect| format!("protect {protect}")),
            self.max_stretch.map(|stretch| format!("max_stretch {stretch}")),
            (!numbers.is_empty()).then(|| format!("ranks {}", list(&numbers))),
            (!self.avoid.is_empty()).then(|| format!("avoid {}", list(&self.avoid))),
        ];
        said.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }
}

/// An address or prefix, as a prefix.
pub(super) fn prefix_of(text: &str) -> Option<IpNet> {
    text.parse::<std::net::IpAddr>().ok().map(IpNet::from).or_else(|| input::prefix(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_of_one_line_is_a_policy() {
        let document = Document::parse("rules: [{between: [h1, h2], metric: latency}]").unwrap();
        assert_eq!(document.rules[0].name, "h1--h2");
        assert_eq!(document.rules[0].does(), "metric latency");
        assert_eq!(Document::parse(&document.to_text()), Ok(document));
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_its_line() {
        let text = "\
tenants:
  any: [h1]
  gold: []
  odd: [10.1.0.1/16]
rules:
  - {between: [a, b], count: 9}
  - {between: [a, b], ranks: [8, 1, 1]}
  - {between: [a, 10.0.0.0/99], name: empty}
  - {between: [a, b], max_stretch: 0.5, name: short}
";
        let faults = Document::parse(text).unwrap_err();
        let lines: Vec<u64> = faults.iter().map(|(line, _)| *line).collect();
        assert_eq!(lines, [2, 3, 4, 6, 7, 7, 7, 8, 8, 9], "{faults:?}");
        for (text, what) in [
            ("rules: [{between: [a], count: 1}]", "between"),
            ("rules: [{between: [a, b], colour: red}]", "colour"),
            ("rules: [{between: [a, b], metric: beauty}]", "metric"),
            ("rule: []", "rule"),
            ("", "end of file"),
        ] {
            let faults = Document::parse(text).unwrap_err();
            assert!(faults[0].1.contains(what), "{text}: {faults:?}");
        }
    }

    #[test]
    fn an_empty_list_of_rules_is_a_policy_that_says_nothing() {
        assert_eq!(Document::parse("rules: []"), Ok(Document::default()));
    }
}
