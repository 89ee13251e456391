//! From what is there to what is wanted, without touching what others have set.

use serde::{Deserialize, Serialize};

use super::{Endpoint, Installed, Limits, Present, Wanted};

/// What smoc has set, kept outside of the process so that the next one knows it. An endpoint is in it before the kernel has
/// it, and limits as well: whoever is killed in between remembers what is not there, which does no harm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// The limits.
    pub limits: Option<Restore>,
}

/// Limits that were changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// As they were, and will be again.
    pub before: Limits,
    /// As smoc has set them last, or was about to.
    pub set: Limits,
    /// As smoc had set them before that; the same if it had not.
    pub last: Limits,
}

/// A change to what the kernel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// An endpoint more.
    Add(Endpoint),
    /// An endpoint of ours less.
    Remove(Installed),
    /// Other limits.
    SetLimits(Limits),
}

impl Restore {
    /// Whether these limits are smoc's, also if it was killed before it could set others.
    fn made(&self, limits: Limits) -> bool {
        self.set == limits || self.last == limits
    }
}

impl Memory {
    /// Whether smoc has set this.
    pub fn owns(&self, endpoint: &Endpoint) -> bool {
        self.endpoints.contains(endpoint)
    }

    /// Whether smoc may set limits: it has set those that are there, or nobody has set any.
    pub fn may_set(&self, limits: Limits) -> bool {
        match self.limits {
            Some(restore) => restore.made(limits),
            None => limits == Limits::DEFAULT,
        }
    }

    /// Forgets what is not there any more: others have removed it, or set other limits since.
    pub fn refresh(&mut self, present: &Present) {
        self.endpoints.retain(|own| present.endpoints.iter().any(|there| there.endpoint == *own));
        self.limits = self.limits.filter(|restore| restore.made(present.limits));
    }

    /// What is remembered from before the change on, so that it is known whenever the process ends.
    pub fn note(&mut self, change: &Change, present: Limits) {
        match change {
            Change::Add(endpoint) if !self.owns(endpoint) => self.endpoints.push(*endpoint),
            Change::Add(_) | Change::Remove(_) => {}
            Change::SetLimits(set) => {
                let (before, last) = self.limits.map_or((present, *set), |own| (own.before, present));
                self.limits = Some(Restore { before, set: *set, last });
            }
        }
    }

    /// What is forgotten once the change was made.
    pub fn done(&mut self, change: &Change) {
        match change {
            Change::Add(_) => {}
            Change::Remove(old) => self.forget(&old.endpoint),
            Change::SetLimits(set) => {
                self.limits = self.limits.map(|own| Restore { last: *set, ..own });
            }
        }
    }

    /// Forgets an endpoint that could not be added.
    pub fn forget(&mut self, endpoint: &Endpoint) {
        self.endpoints.retain(|own| own != endpoint);
    }
}

/// The changes that lead to what is wanted: first what goes, so that there is room, then limits, then what comes, so that
/// running connections may have it. None if all is as it should be.
///
/// A wanted endpoint whose address and port another one has already is not added: it is there.
pub fn changes(present: &Present, wanted: &Wanted, memory: &Memory) -> Vec<Change> {
    let own = present.endpoints.iter().filter(|there| memory.owns(&there.endpoint));
    let gone = own.filter(|there| !wanted.endpoints.contains(&there.endpoint));
    let gone: Vec<Installed> = gone.copied().collect();
    let stays = |there: &&Installed| !gone.contains(there);
    let is_there = |endpoint: &&Endpoint| {
        present.endpoints.iter().filter(stays).any(|there| endpoint.collides(&there.endpoint))
    };
    let limits = wanted.limits.filter(|limits| *limits != present.limits && memory.may_set(present.limits));
    let new = wanted.endpoints.iter().filter(|endpoint| !is_there(endpoint));
    let removals = gone.iter().copied().map(Change::Remove);
    removals.chain(limits.map(Change::SetLimits)).chain(new.copied().map(Change::Add)).collect()
}

/// The changes that take away all that smoc has set; limits only if nobody has changed them since.
pub fn ends(present: &Present, memory: &Memory) -> Vec<Change> {
    let mut ends = changes(present, &Wanted::default(), memory);
    let restored = memory.limits.filter(|restore| restore.made(present.limits));
    ends.extend(restored.map(|restore| Change::SetLimits(restore.before)));
    ends
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::{Flags, MOST_ENDPOINTS};
    use super::*;

    /// The kernel, as far as it keeps endpoints and limits.
    struct Kernel(Present);

    impl Kernel {
        fn add(&mut self, endpoint: Endpoint) -> Result<(), &'static str> {
            let there = &mut self.0.endpoints;
            if there.iter().any(|other| endpoint.collides(&other.endpoint)) {
                return Err("duplicate");
            }
            if there.len() >= MOST_ENDPOINTS {
                return Err("too many");
            }
            let id = (1..=255).find(|id| there.iter().all(|other| other.id != *id)).ok_or("no number")?;
            there.push(Installed { id, endpoint });
            Ok(())
        }

        fn make(&mut self, change: Change, memory: &mut Memory) {
            memory.note(&change, self.0.limits);
            match change {
                Change::Add(endpoint) => {
                    if self.add(endpoint).is_err() {
                        memory.forget(&endpoint);
                    }
                }
                Change::Remove(installed) => self.0.endpoints.retain(|there| there.id != installed.id),
                Change::SetLimits(limits) => self.0.limits = limits,
            }
            memory.done(&change);
        }

        /// Does what the daemon does, but is killed after so many changes, when it has noted the next one.
        fn settle(&mut self, wanted: &Wanted, memory: &mut Memory, most: usize) -> usize {
            memory.refresh(&self.0);
            let changes = changes(&self.0, wanted, memory);
            changes.iter().take(most).for_each(|change| self.make(*change, memory));
            changes.get(most).iter().for_each(|change| memory.note(change, self.0.limits));
            changes.len()
        }

        fn end(&mut self, memory: &mut Memory) {
            memory.refresh(&self.0);
            ends(&self.0, memory).into_iter().for_each(|change| self.make(change, memory));
        }
    }

    fn endpoint() -> impl Strategy<Value = Endpoint> {
        let address = (1u8..4).prop_map(|last| [10, 0, 0, last].into());
        let flags = prop_oneof![Just(Flags::SIGNAL), Just(Flags::SUBFLOW)];
        (address, 0u16..4, flags).prop_map(|(address, port, flags)| Endpoint {
            address,
            port,
            flags,
            interface: 2,
        })
    }

    fn limits() -> impl Strategy<Value = Limits> {
        let any = (0u32..9, 0u32..9)
            .prop_map(|(subflows, add_addr_accepted)| Limits { subflows, add_addr_accepted });
        prop_oneof![Just(Limits::DEFAULT), any]
    }

    fn wanted() -> impl Strategy<Value = Wanted> {
        let endpoints = proptest::collection::btree_set(endpoint(), 0..6);
        (endpoints, limits()).prop_map(|(endpoints, limits)| {
            // As `wanted` makes them: an address with its port once.
            let keys: BTreeSet<_> = endpoints.iter().map(|it| (it.address, it.port)).collect();
            let once = keys
                .iter()
                .filter_map(|key| endpoints.iter().find(|it| (it.address, it.port) == *key).copied());
            Wanted { endpoints: once.collect(), limits: Some(limits) }
        })
    }

    proptest! {
        #[test]
        fn what_others_set_stays_and_all_else_goes(
            foreign in proptest::collection::vec(endpoint(), 0..5),
            before in limits(),
            wishes in proptest::collection::vec((wanted(), 0usize..8), 1..5),
            later in proptest::option::of(endpoint()),
        ) {
            let mut kernel = Kernel(Present { endpoints: vec![], limits: before });
            for endpoint in foreign {
                let _ = kernel.add(endpoint);
            }
            let mut others = kernel.0.endpoints.clone();
            let mut memory = Memory::default();
            for (wanted, killed_after) in &wishes {
                kernel.settle(wanted, &mut memory, *killed_after);
                kernel.settle(wanted, &mut memory, usize::MAX);
                let missing = |it: &&Endpoint| !kernel.0.endpoints.iter().any(|there| it.collides(&there.endpoint));
                let missing = wanted.endpoints.iter().filter(missing).count();
                prop_assert!(missing == 0 || kernel.0.endpoints.len() == MOST_ENDPOINTS);
                prop_assert!(others.iter().all(|other| kernel.0.endpoints.contains(other)));
                prop_assert!(others.iter().all(|other| !memory.owns(&other.endpoint)));
                if missing == 0 {
                    prop_assert_eq!(kernel.settle(wanted, &mut memory, usize::MAX), 0, "once is enough");
                }
                if before != Limits::DEFAULT {
                    prop_assert_eq!(kernel.0.limits, before, "set by others");
                }
            }
            if let Some(later) = later && kernel.add(later).is_ok() {
                others.push(*kernel.0.endpoints.last().unwrap());
            }
            kernel.end(&mut memory);
            kernel.0.endpoints.sort();
            others.sort();
            prop_assert_eq!(&kernel.0.endpoints, &others);
            prop_assert_eq!(kernel.0.limits, before);
        }

        #[test]
        fn limits_that_others_set_meanwhile_stay(wanted in wanted(), theirs in limits(), next in wanted()) {
            let mut kernel = Kernel(Present { endpoints: vec![], limits: Limits::DEFAULT });
            let mut memory = Memory::default();
            kernel.settle(&wanted, &mut memory, usize::MAX);
            prop_assume!(Some(theirs) != wanted.limits && theirs != Limits::DEFAULT);
            kernel.0.limits = theirs;
            kernel.settle(&next, &mut memory, usize::MAX);
            prop_assert_eq!(kernel.0.limits, theirs);
            kernel.end(&mut memory);
            prop_assert_eq!(kernel.0.limits, theirs);
        }
    }
}
