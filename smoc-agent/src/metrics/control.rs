//! How long control takes.

use std::time::Duration;

use prometheus_client::{
    metrics::{
        family::Family,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

use super::{CONTROL, sheet::unit};

/// Measures events; clones share what they measure.
#[derive(Clone, Debug)]
pub struct ControlMeter(Family<[(&'static str, &'static str); 1], Histogram>);

impl Default for ControlMeter {
    fn default() -> Self {
        // 10 us to 2.6 s, each four times the one before.
        Self(Family::new_with_constructor(|| Histogram::new(exponential_buckets(1e-5, 4.0, 10))))
    }
}

impl ControlMeter {
    /// An event of this name took so long.
    pub fn took(&self, event: &'static str, time: Duration) {
        self.0.get_or_create(&[(CONTROL.labels[0], event)]).observe(time.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        // The library ends help texts itself.
        let help = CONTROL.help.trim_end_matches('.');
        match unit(&CONTROL) {
            Some(unit) => registry.register_with_unit(CONTROL.stem, help, unit, self.0.clone()),
            None => registry.register(CONTROL.stem, help, self.0.clone()),
        }
    }
}
