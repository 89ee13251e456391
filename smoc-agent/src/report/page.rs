//! A report as one HTML page that needs nothing else: no script, no font, no picture from elsewhere.

use std::time::{Duration, UNIX_EPOCH};

use maud::{DOCTYPE, Markup, PreEscaped, html};
use smoc_plot::{Axis, Level, Lines, Series};

use super::{Direction, PortUse, Report, SwitchReport, counters::Rates};
use crate::units::{rate, size};

const STYLE: &str = include_str!("page.css");

/// The page.
pub fn page(report: &Report) -> String {
    let title = format!("smoc: {}", names(report));
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (names(report)) }
                    p { (span(Duration::from_secs(report.seconds))) " until " (time(report.until)) " (UTC)" }
                }
                (summary(report))
                @for (socket, why) in &report.silent {
                    p.bad { "No answer on " (socket) ": " (why) }
                }
                @for switch in &report.switches { (section(switch, report)) }
            }
        }
    };
    markup.into_string()
}

fn names(report: &Report) -> String {
    let names: Vec<&str> = report.switches.iter().map(|switch| switch.switch.as_str()).collect();
    match &names[..] {
        [] => "no switch answered".to_owned(),
        [only] => format!("Switch {only}"),
        [first, .., last] if names.len() > 8 => format!("{} switches, {first} to {last}", names.len()),
        _ => format!("Switches {}", names.join(", ")),
    }
}

/// A table whose numbers stand at the right.
fn table(heading: &[&str], rows: Vec<Vec<String>>) -> Markup {
    // Texts are at the left: what is no number in the first row.
    let is_number = |cell: &String| cell.is_empty() || cell.starts_with(|first: char| first.is_ascii_digit());
    let right: Vec<bool> = (0..heading.len())
        .map(|column| rows.iter().all(|row| row.get(column).is_none_or(is_number)))
        .collect();
    html! {
        div.table {
            table {
                thead { tr { @for (cell, right) in heading.iter().zip(&right) { th.right[*right] { (cell) } } } }
                tbody {
                    @for row in &rows {
                        tr { @for (cell, right) in row.iter().zip(&right) { td.right[*right] { (cell) } } }
                    }
                }
            }
        }
    }
}

/// The figures that an operator looks for first.
fn summary(report: &Report) -> Markup {
    let outages: usize = report.switches.iter().map(|switch| switch.outages.len()).sum();
    let open =
        report.switches.iter().flat_map(|switch| &switch.outages).filter(|it| it.ended.is_none()).count();
    let peak = report.switches.iter().flat_map(|switch| &switch.ports).filter_map(PortUse::peak_share);
    let peak = peak.reduce(f64::max).map_or_else(|| "unknown".to_owned(), percent);
    let noticed = |name: &str| -> u64 {
        let all = report.switches.iter().flat_map(|switch| &switch.noticed);
        all.filter(|note| note.name == name).map(|note| note.times).sum()
    };
    let unbound = noticed("join_unknown_token") + noticed("join_ambiguous_token");
    let openers = || report.switches.iter().flat_map(|switch| &switch.openers);
    let single = openers().filter(|host| host.opener.single == host.opener.connections).count();
    let facts = [
        (outages.to_string(), format!("outages, {open} of them not over")),
        (peak, "the most that a link was used".to_owned()),
        (noticed("joined").to_string(), format!("joins, {unbound} with a token that is not known")),
        (noticed("fell_back").to_string(), format!("fallbacks to TCP, {} black holes", noticed("blackhole"))),
        (single.to_string(), format!("of {} hosts open one subflow only", openers().count())),
    ];
    html! {
        dl.facts { @for (value, what) in facts { div { dt { (value) } dd { (what) } } } }
    }
}

fn section(switch: &SwitchReport, report: &Report) -> Markup {
    let SwitchReport { connections, .. } = switch;
    html! {
        section {
            @if report.switches.len() > 1 { h2 { "Switch " (switch.switch) } }
            p.note {
                "Agent version " (switch.version) ", up " (span(Duration::from_secs_f64(switch.uptime_seconds.max(0.0)))) ". "
                @match switch.from {
                    Some(from) => { "Measured since " (time(from)) "." }
                    None => { "Nothing was measured in this period." }
                }
            }
            @for warning in &switch.warnings { p.bad { (warning) } }
            h3 { "Links and ports" }
            (ports(switch))
            div.charts { @for port in &switch.ports { (chart(port)) } }
            h3 { "Outages" }
            (outages(switch))
            h3 { "Diversity" }
            p {
                (connections.now) " MPTCP connections now: " (connections.single) " with one subflow, "
                (connections.apart) " with subflows that share no link."
            }
            (connections_chart(switch))
            (diversity(switch))
            h3 { "Paths in use" }
            (paths(switch))
            h3 { "Handshakes and joins" }
            (table(&["times", "what", "meaning"], switch.noticed.iter().filter(|note| note.times > 0).map(|note| {
                vec![note.times.to_string(), note.name.clone(), note.help.clone()]
            }).collect()))
            h3 { "Hosts by the subflows that they open" }
            (hosts(switch))
        }
    }
}

fn ports(switch: &SwitchReport) -> Markup {
    let row = |port: &PortUse| {
        let peak = port.peak_share().map_or_else(String::new, percent);
        let mut row = vec![
            port.port.to_string(),
            port.neighbor.clone(),
            port.capacity.map_or_else(String::new, |it| rate(it as f64)),
            peak,
        ];
        for Direction { bytes, drops, mean, peak, .. } in [&port.sent, &port.received] {
            row.extend([size(*bytes), rate(*mean), rate(*peak), drops.to_string()]);
        }
        row
    };
    let heading = [
        "port",
        "leads to",
        "capacity",
        "most used",
        "sent",
        "mean",
        "peak",
        "drops",
        "received",
        "mean",
        "peak",
        "drops",
    ];
    table(&heading, switch.ports.iter().map(row).collect())
}

/// Seconds since 1970, and a value in a greater unit.
fn points(rates: &Rates, unit: f64) -> Vec<(f64, f64)> {
    rates.iter().map(|(at, value)| (*at as f64 / 1e6, value / unit)).collect()
}

/// What a port carried over time; nothing if that was nothing.
fn chart(port: &PortUse) -> Markup {
    if port.sent.peak.max(port.received.peak) < 1000.0 || port.sent.rates.len() < 2 {
        return html! {};
    }
    let name = port.link.clone().unwrap_or_else(|| format!("port {}", port.port));
    let capacity = port.capacity.map(|bits| Level { at: bits as f64 / 1e6, label: "capacity".into() });
    // A level far above would make the rest flat.
    let is_near = |level: &Level| level.at < 4e-6 * port.sent.peak.max(port.received.peak);
    let lines = Lines {
        title: name,
        x: Axis::time("UTC"),
        y: Axis::linear("Mbit/s").from(0.0),
        series: vec![
            Series::line("sent", points(&port.sent.rates, 1e6)),
            Series::line("received", points(&port.received.rates, 1e6)),
        ],
        levels: capacity.into_iter().filter(is_near).collect(),
        ..Lines::default()
    };
    html! { figure { (PreEscaped(lines.svg())) } }
}

fn connections_chart(switch: &SwitchReport) -> Markup {
    let SwitchReport { connections, .. } = switch;
    if connections.all.len() < 2 || connections.all.iter().all(|(_, value)| *value == 0.0) {
        return html! {};
    }
    let lines = Lines {
        title: "MPTCP connections".into(),
        x: Axis::time("UTC"),
        y: Axis::linear("connections").from(0.0),
        series: vec![
            Series::line("all", points(&connections.all, 1.0)),
            Series::line("subflows apart", points(&connections.all_apart, 1.0)),
        ],
        ..Lines::default()
    };
    html! { div.charts { figure { (PreEscaped(lines.svg())) } } }
}

fn outages(switch: &SwitchReport) -> Markup {
    if switch.outages.is_empty() && switch.missing_events == 0 {
        return html! { p { "None." } };
    }
    let row = |outage: &super::Outage| {
        let lasted = match (outage.seconds(), outage.ended) {
            (Some(seconds), _) => span(Duration::from_secs_f64(seconds)),
            (None, Some(_)) => "since before".to_owned(),
            (None, None) => "not over".to_owned(),
        };
        vec![
            outage.began.map_or_else(String::new, time),
            lasted,
            outage.kind.to_string(),
            outage.subject.clone(),
            outage.text.clone(),
            outage.moved.to_string(),
            outage.lost.to_string(),
        ]
    };
    html! {
        @if switch.missing_events > 0 {
            p.bad { (switch.missing_events) " events of this period are not there any more: ask for a shorter one." }
        }
        (table(
            &["began (UTC)", "lasted", "kind", "which", "what", "frames on another way", "frames that found none"],
            switch.outages.iter().map(row).collect(),
        ))
        p.note { "Frames are counted between the looks around an outage, some seconds apart, whatever moved them." }
    }
}

fn diversity(switch: &SwitchReport) -> Markup {
    let row = |edge: &super::EdgeDiversity| {
        let numbers = [edge.paths, edge.apart, edge.least_apart].map(|number| number.to_string());
        [vec![edge.edge.clone(), edge.rule.clone()], numbers.to_vec()].concat()
    };
    table(
        &["to edge", "by policy", "paths", "without shared links", "fewest in the period"],
        switch.edges.iter().map(row).collect(),
    )
}

fn paths(switch: &SwitchReport) -> Markup {
    if switch.paths.is_empty() {
        return html! { p { "None." } };
    }
    let row = |path: &super::PathUse| {
        vec![
            path.edge.clone(),
            path.rule.clone(),
            path.rank.to_string(),
            size(path.sent),
            size(path.received),
            rate(path.mean),
            path.round_trip_ms.map_or_else(String::new, |ms| format!("{ms:.2} ms")),
        ]
    };
    table(
        &["to edge", "by policy", "rank", "sent", "received", "mean", "round trip"],
        switch.paths.iter().map(row).collect(),
    )
}

fn hosts(switch: &SwitchReport) -> Markup {
    if switch.openers.is_empty() {
        return html! { p { "No host of this switch has opened an MPTCP connection." } };
    }
    let row = |host: &super::OpenerReport| {
        let opener = host.opener;
        vec![
            host.address.to_string(),
            host.name.clone().unwrap_or_default(),
            opener.connections.to_string(),
            opener.single.to_string(),
            opener.most.to_string(),
        ]
    };
    html! {
        (table(
            &["address", "host", "connections", "with one subflow", "most subflows"],
            switch.openers.iter().map(row).collect(),
        ))
        p.note {
            "Since the agent was started. Where all have one subflow, the host has no endpoints, or its limits are 0: "
            code { "ip mptcp endpoint" } " and " code { "ip mptcp limits" } " show them."
        }
    }
}

fn time(at: u64) -> String {
    let text = humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_micros(at)).to_string();
    text.replace('T', " ").trim_end_matches('Z').to_owned()
}

/// A time span with its two greatest units.
fn span(time: Duration) -> String {
    let rounded = match time.as_millis() {
        ..1000 => Duration::from_millis(time.as_millis() as u64),
        1000..60_000 => Duration::from_millis(time.as_millis() as u64 / 100 * 100),
        _ => Duration::from_secs(time.as_secs()),
    };
    let text = humantime::format_duration(rounded).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        assert_eq!(span(Duration::from_secs(7 * 86_400 + 3 * 3600 + 5)), "7days 3h");
        assert_eq!(span(Duration::from_millis(2345)), "2s 300ms");
        assert_eq!(time(1_790_000_000_123_456), "2026-09-21 14:13:20");
    }
}
