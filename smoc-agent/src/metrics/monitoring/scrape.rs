//! How Prometheus is told of a fabric.

use std::net::SocketAddr;

/// A configuration for Prometheus that scrapes these agents, by name; other addresses can be added to it.
pub fn scrape(agents: &[(String, SocketAddr)]) -> String {
    let mut text = "\
global:
  scrape_interval: 10s
rule_files:
  - smoc-alerts.yaml            # smoc metrics alerts
scrape_configs:
  - job_name: smoc
    # scheme: https             # where the agents have cert and key
    # authorization: {credentials_file: /etc/prometheus/smoc.token}    # where they have token_file
    static_configs:
"
    .to_owned();
    for (name, place) in agents {
        // Every address of the switch: its name leads to one.
        let host = if place.ip().is_unspecified() { name.clone() } else { place.ip().to_string() };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let port = place.port();
        text += &format!("      - targets: [\"{host}:{port}\"]\n        labels: {{instance: \"{name}\"}}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_are_reached_by_address_or_else_by_name() {
        let agents = [("e1", "10.0.0.1:9852"), ("e2", "[2001:db8::1]:9852"), ("m1", "0.0.0.0:9000")];
        let text = scrape(&agents.map(|(name, place)| (name.to_owned(), place.parse().unwrap())));
        for line in [
            "      - targets: [\"10.0.0.1:9852\"]",
            "      - targets: [\"[2001:db8::1]:9852\"]",
            "      - targets: [\"m1:9000\"]",
            "        labels: {instance: \"m1\"}",
        ] {
            assert!(text.lines().any(|found| found == line), "{text}");
        }
    }
}
