//! A report as CSV files (RFC 4180): one for each table of the page, with a line for each switch and row.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Report, SwitchReport};

/// Why the files cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SheetsError {
    /// The directory or a file in it.
    #[error("{path}: {source}: name a directory that can be written to")]
    Io {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that could not be written whole.
    #[error("{path}: {source}")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
}

/// Writes `links.csv`, `load.csv`, `paths.csv`, `diversity.csv`, `outages.csv`, `joins.csv` and `hosts.csv` into a directory,
/// which is made if it is not there. Times are microseconds since 1970, rates bit/s.
///
/// # Errors
/// [`SheetsError`].
pub fn write(report: &Report, directory: &Path) -> Result<(), SheetsError> {
    fs::create_dir_all(directory).map_err(|source| SheetsError::Io { path: directory.into(), source })?;
    let write = |name: &str, heading: &[&str], rows: &dyn Fn(&SwitchReport) -> Vec<Vec<String>>| {
        let path = directory.join(name);
        let failed = |source| SheetsError::Csv { path: path.clone(), source };
        let mut sheet = csv::Writer::from_path(&path).map_err(failed)?;
        sheet.write_record([&["switch"], heading].concat()).map_err(failed)?;
        for switch in &report.switches {
            for row in rows(switch) {
                let cells = std::iter::once(switch.switch.as_str()).chain(row.iter().map(String::as_str));
                sheet.write_record(cells).map_err(failed)?;
            }
        }
        sheet.flush().map_err(|source| SheetsError::Io { path, source })
    };
    let links = [
        "port",
        "link",
        "neighbor",
        "capacity",
        "sent_bytes",
        "sent_mean",
        "sent_peak",
        "sent_drops",
        "received_bytes",
        "received_mean",
        "received_peak",
        "received_drops",
    ];
    write("links.csv", &links, &ports)?;
    write("load.csv", &["port", "direction", "at", "bits_per_second"], &load)?;
    write(
        "paths.csv",
        &["edge", "rule", "rank", "sent_bytes", "received_bytes", "mean", "round_trip_ms"],
        &paths,
    )?;
    write("diversity.csv", &["edge", "rule", "paths", "apart", "least_apart"], &diversity)?;
    write(
        "outages.csv",
        &["kind", "subject", "text", "began", "ended", "moved_frames", "lost_frames"],
        &outages,
    )?;
    write("joins.csv", &["what", "times", "meaning"], &joins)?;
    write("hosts.csv", &["address", "name", "connections", "single", "most_subflows"], &hosts)
}

/// A cell of something that may be unknown.
fn known(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

fn ports(switch: &SwitchReport) -> Vec<Vec<String>> {
    let row = |port: &super::PortUse| {
        let mut row = vec![
            port.port.to_string(),
            known(port.link.as_ref()),
            port.neighbor.clone(),
            known(port.capacity),
        ];
        for direction in [&port.sent, &port.received] {
            row.extend([
                direction.bytes.to_string(),
                format!("{:.0}", direction.mean),
                format!("{:.0}", direction.peak),
                direction.drops.to_string(),
            ]);
        }
        row
    };
    switch.ports.iter().map(row).collect()
}

fn load(switch: &SwitchReport) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for port in &switch.ports {
        for (name, direction) in [("sent", &port.sent), ("received", &port.received)] {
            let row = |(at, rate): &(u64, f64)| {
                vec![port.port.to_string(), name.to_owned(), at.to_string(), format!("{rate:.0}")]
            };
            rows.extend(direction.rates.iter().map(row));
        }
    }
    rows
}

fn paths(switch: &SwitchReport) -> Vec<Vec<String>> {
    let row = |path: &super::PathUse| {
        let numbers = [u64::from(path.rank), path.sent, path.received].map(|number| number.to_string());
        let mut row = vec![path.edge.clone(), path.rule.clone()];
        row.extend(numbers);
        row.extend([format!("{:.0}", path.mean), known(path.round_trip_ms)]);
        row
    };
    switch.paths.iter().map(row).collect()
}

fn diversity(switch: &SwitchReport) -> Vec<Vec<String>> {
    let row = |edge: &super::EdgeDiversity| {
        let numbers = [edge.paths, edge.apart, edge.least_apart].map(|number| number.to_string());
        [vec![edge.edge.clone(), edge.rule.clone()], numbers.to_vec()].concat()
    };
    switch.edges.iter().map(row).collect()
}

fn outages(switch: &SwitchReport) -> Vec<Vec<String>> {
    let row = |outage: &super::Outage| {
        vec![
            outage.kind.to_string(),
            outage.subject.clone(),
            outage.text.clone(),
            known(outage.began),
            known(outage.ended),
            outage.moved.to_string(),
            outage.lost.to_string(),
        ]
    };
    switch.outages.iter().map(row).collect()
}

fn joins(switch: &SwitchReport) -> Vec<Vec<String>> {
    switch
        .noticed
        .iter()
        .map(|note| vec![note.name.clone(), note.times.to_string(), note.help.clone()])
        .collect()
}

fn hosts(switch: &SwitchReport) -> Vec<Vec<String>> {
    let row = |host: &super::OpenerReport| {
        let opener = host.opener;
        let numbers =
            [opener.connections, opener.single, opener.most.into()].map(|number| number.to_string());
        [vec![host.address.to_string(), known(host.name.as_ref())], numbers.to_vec()].concat()
    };
    switch.openers.iter().map(row).collect()
}
