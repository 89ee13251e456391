//! What is wrong with a host or a switch, judged from facts that the rim has read ([`Facts`]): `smoc doctor`.
//!
//! | file | what |
//! |---|---|
//! | `check` | the one list of what is checked and why; `smoc doctor --list` and docs/doctor.md come from it |
//! | `facts` | what there is, as plain values |
//! | `finding` | what is said of it, and what would mend it |
//! | `host`, `switch` | from facts to findings: a function for each check |

mod check;
mod facts;
mod finding;
mod host;
mod switch;
#[cfg(test)]
mod testing;

pub use check::{Check, Side};
pub use facts::{
    Agent, BrokenPath, Channels, DEFAULT_ROUND_TRIP, EndpointFact, Facts, Host, Kernel, Link, Loopback, Peer,
    Pins, Switch, per_interface_settings, settings,
};
pub use finding::{Finding, Fix, Offload, Severity};

/// What is found: at least one finding for every check of the sides that the facts are about, in the order of the list.
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let host = facts.host.iter().flat_map(|host| host::findings(facts, host));
    let switch = facts.switch.iter().flat_map(|switch| switch::findings(facts, switch));
    let mut all: Vec<Finding> = host.chain(switch).collect();
    all.sort_by_key(|finding| finding.check);
    all
}

#[cfg(test)]
mod tests {
    use super::{testing, *};

    #[test]
    fn every_check_says_something_of_a_machine_that_is_well_and_nothing_bad() {
        let found = examine(&testing::well());
        for check in Check::ALL {
            let of_it: Vec<_> = found.iter().filter(|finding| finding.check == *check).collect();
            assert!(!of_it.is_empty(), "{} says nothing", check.id());
            for finding in of_it {
                assert!(finding.severity <= Severity::Note, "{finding:?}");
            }
        }
    }

    #[test]
    fn sides_that_are_not_asked_about_are_not_judged() {
        let facts = Facts { switch: None, ..testing::well() };
        assert!(examine(&facts).iter().all(|finding| finding.check.side() == Side::Host));
        let facts = Facts { host: None, ..testing::well() };
        assert!(examine(&facts).iter().all(|finding| finding.check.side() == Side::Switch));
    }
}
