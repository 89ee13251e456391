//! `smoc decode`: what MPTCP does in a capture.

use std::{net::SocketAddr, path::PathBuf};

use super::{Failure, Format, print, print_json};
use smoc_decode::{self, Decoded, Phase, Seen};

/// Arguments of `smoc decode`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit status 1: the file is cut off or damaged; what there is was printed.\n\nExamples:\n  \
tcpdump -i eth0 -w handshakes.pcap tcp\n  \
smoc decode handshakes.pcap\n  \
smoc decode handshakes.pcap --format json"
)]
pub struct DecodeArgs {
    /// A pcap or pcapng file, as tcpdump -w writes it
    file: PathBuf,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints every MPTCP option other than DSS that the file holds.
///
/// # Errors
/// The file is no capture (bad input), or it is cut off or damaged (failed, after what there is was printed).
pub fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let decoded = smoc_decode::decode(&args.file).map_err(Failure::bad_input)?;
    match args.format {
        Format::Json => print_json(&decoded.options)?,
        Format::Table => print(&table(&decoded.options))?,
    }
    note(&decoded);
    decoded.damage.map_or(Ok(()), |damage| {
        Err(Failure::Failed(anyhow::Error::from(damage).context(args.file.display().to_string())))
    })
}

const HEAD: [&str; 7] = ["FRAME", "SOURCE", "DESTINATION", "OPTION", "PHASE", "CONNECTION", "DETAILS"];

fn table(options: &[Seen]) -> String {
    let rows: Vec<_> = [HEAD.map(str::to_owned)].into_iter().chain(options.iter().map(row)).collect();
    let widths: [usize; 7] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or_default());
    let line = |row: &[String; 7]| {
        let cells: Vec<_> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn row(seen: &Seen) -> [String; 7] {
    let end = |address, port| SocketAddr::new(address, port).to_string();
    [
        seen.frame.to_string(),
        end(seen.src, seen.sport),
        end(seen.dst, seen.dport),
        seen.subtype.to_owned(),
        seen.phase.map_or("-", Phase::name).to_owned(),
        seen.connection.map_or("-".to_owned(), |index| index.to_string()),
        details(seen),
    ]
}

fn details(seen: &Seen) -> String {
    let ids = |ids: &Vec<u8>| ids.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    [
        seen.version.map(|version| format!("v{version}")),
        seen.sender_token.map(|token| format!("sender {token}")),
        seen.receiver_token.map(|token| format!("receiver {token}")),
        seen.token.map(|token| format!("token {token}")),
        seen.address_id.map(|id| format!("id {id}")),
        seen.address_ids.as_ref().map(|list| format!("ids {}", ids(list))),
        seen.backup.filter(|&backup| backup).map(|_| "backup".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}

fn note(decoded: &Decoded) {
    for (number, frames) in &decoded.skipped {
        eprintln!("smoc: skipped {frames} frames of link type {number}, which smoc cannot read");
    }
    if decoded.ignored > 0 {
        eprintln!(
            "smoc: left out {} MPTCP options that hosts ignore (length, version or flags)",
            decoded.ignored
        );
    }
    if decoded.cut > 0 {
        eprintln!(
            "smoc: {} frames were captured without all of their TCP options; capture with a larger -s",
            decoded.cut
        );
    }
}
