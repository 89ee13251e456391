//! Metrics: what there is to measure, and how it is written for those who collect it.
//!
//! | file | what |
//! |---|---|
//! | `catalog` | the list of all metrics: exposition, documentation, dashboard and alerts are made from it |
//! | `sheet` | the values of one scrape, in the text format of OpenMetrics 1.0 |
//! | `control` | how long control takes, measured where it runs |
//! | `notes` | what the packet path notices, by path |
//! | `monitoring/` | a dashboard for Grafana, alert rules and a scrape configuration for Prometheus |
//!
//! What a switch's metrics are made of, apart from these, is in `api`.

mod catalog;
mod control;
pub mod monitoring;
mod notes;
mod sheet;

pub use catalog::{ALL, Kind, Metric, REMEMBERED};
pub use control::ControlMeter;
pub use notes::{NotedPaths, PathNotes};
pub use sheet::{CONTENT_TYPE, Sheet};

pub(crate) use catalog::*;
