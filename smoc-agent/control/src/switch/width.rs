//! The width of this switch's port numbers, where the network is discovered. All routes through the switch are written with it, so
//! it becomes another one only while none leads through it: the switch drains itself, waits until all others have left it, changes the
//! width and tells so, waits again, and takes the drain back.
//!
//! An agent that is configured with another width than the one in the maps begins with that one. Of switches that want this at the same
//! time one after the other does it, in the order of their names: what several drain at once may have to be used after all.

use std::{sync::Arc, time::Duration};

use smoc_paths::topology::{SwitchId, Topology};
use tracing::info;

use super::{Switch, discovering::alone};
use crate::{clock::Nanos, config::Config, fabric::drain::DRAIN, ports::Role};

/// What others need to hear of a drain and of a width, and to follow it, if an announcement is lost: they are repeated every 5 s.
pub(super) const HEARD: Duration = Duration::from_secs(7);
/// Why a switch drains itself.
pub(super) const REASON: &str = "its port numbers get another width in routes";

/// The width in use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Width {
    /// In bits.
    pub bits: u8,
    /// Since when the others may have left this switch, or know the new width.
    since: Option<Nanos>,
}

/// The width to begin with, the one in the maps unless that is 0, and the network with it: the file's, if there is one.
pub(super) fn begin(
    config: &Config,
    in_maps: u8,
    file: (Arc<Topology>, SwitchId),
) -> (Width, Arc<Topology>, SwitchId) {
    let bits = if in_maps == 0 { config.discovered_width() } else { in_maps };
    let (topology, this) = if config.is_discovered() { alone(config, bits) } else { file };
    (Width { bits, since: None }, topology, this)
}

impl Switch {
    /// Takes the next step to the width that is wanted.
    pub(super) fn look_at_width(&mut self, now: Nanos) {
        if !self.config.is_discovered() {
            return;
        }
        let wanted = self.config.discovered_width();
        let is_done = self.width.bits == wanted;
        let this = self.config.switch.as_str();
        let drained: Vec<_> = self.records.under(DRAIN).collect();
        let own = drained.iter().find(|(name, _)| *name == this).map(|(_, why)| *why == REASON);
        let mut others = drained.iter().filter(|(name, why)| *why == REASON && *name != this);
        let (is_any, is_first) = (others.clone().next().is_some(), others.all(|(name, _)| this < *name));
        let may_drain = !is_any || own == Some(true) && is_first;
        if own.is_none() || !is_done && is_any {
            self.width.since = None;
        }
        match own {
            _ if !is_done && !self.may_be_passed() => self.set_width(wanted, now),
            None if !is_done && may_drain => self.drain_for_width(true, now),
            Some(true) if !is_done && !may_drain => self.drain_for_width(false, now),
            Some(_) if !is_done && !is_any && self.has_waited(now) => self.set_width(wanted, now),
            Some(true) if is_done && self.has_waited(now) => self.drain_for_width(false, now),
            _ => {}
        }
    }

    /// Whether routes of others may lead through this switch.
    fn may_be_passed(&self) -> bool {
        self.config.ports.keys().filter(|port| self.roles.of(**port) == Role::Fabric).count() > 1
    }

    fn has_waited(&mut self, now: Nanos) -> bool {
        now.since(*self.width.since.get_or_insert(now)) >= HEARD
    }

    fn set_width(&mut self, bits: u8, now: Nanos) {
        info!(before = self.width.bits, bits, "port numbers have another width in routes");
        self.width = Width { bits, since: Some(now) };
        self.neighbors.set_port_width(bits);
        self.tell_report(now);
        self.stale.view = true;
    }

    fn drain_for_width(&mut self, drains: bool, now: Nanos) {
        let name = format!("{DRAIN}{}", self.config.switch);
        let text = drains.then(|| REASON.to_owned());
        // Without a clock: what an operator orders later is later.
        if let Ok(Some(record)) = self.records.clone().write(&name, text, 0) {
            self.recorded(&[record], now);
        }
        self.width.since = None;
        self.stale.view = true;
    }

    /// What is to be known while the width is about to change.
    pub(super) fn width_warning(&self) -> Option<String> {
        let (bits, wanted) = (self.width.bits, self.config.discovered_width());
        (self.config.is_discovered() && bits != wanted).then(|| {
            format!(
                "port numbers have {bits} bits in routes and are to have {wanted}: that changes when traffic has left this switch, which \
                 is drained for it; other switches that are drained for the same reason come first (`smoc fabric status` names them; \
                 start their agents, or undrain those that are gone)"
            )
        })
    }
}
