//! What Prometheus and Grafana need, made from the list of metrics.

mod alerts;
mod dashboard;
mod scrape;

pub use alerts::{Rules, rules};
pub use dashboard::dashboard;
pub use scrape::scrape;
