//! `smoc decode`: what MPTCP does in a capture.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use anyhow::Error;
use serde::Serialize;
use smoc_decode::{Decoded, Details, Flags, Phase, Place};

use super::{Failure, Format, input, print, print_json, table::Table};

/// Arguments of `smoc decode`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "MPTCP is found behind tags of any kind and number, LLC/SNAP, PPPoE, MPLS and pseudowires, IP in IP, GRE,\n\
VXLAN, Geneve, GTP-U, L2TP and some more; \"encapsulation\" names them, the outermost first. Fragments are not\n\
reassembled: what the first one holds is read. Frames that could not be read are counted by reason on standard error.\n\n\
Flags of MP_CAPABLE: A checksums are required, C no subflow may be opened to this address and port, H the algorithm.\n\
Keys are never printed, only their tokens.\n\n\
Exit status 1: the file is cut off or damaged; what there is was printed.\n\nExamples:\n  \
tcpdump -i eth0 -w handshakes.pcap tcp\n  \
smoc decode handshakes.pcap\n  \
smoc decode handshakes.pcap --format json\n  \
smoc decode handshakes.pcapng.zst --summary\n  \
ssh router tcpdump -i any -c 1000 -w - tcp | smoc decode - --ignored"
)]
pub struct DecodeArgs {
    /// A pcap or pcapng file, as tcpdump -w writes it, plain or packed with gzip, zstd or xz; - is standard input
    file: PathBuf,
    /// List the MPTCP options that hosts ignore instead, and why they do
    #[arg(long, conflicts_with = "summary")]
    ignored: bool,
    /// Count instead: frames, segments by encapsulation, options by kind, and what could not be read
    #[arg(long)]
    summary: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Prints every MPTCP option other than DSS that the file holds, or what else was asked for.
///
/// # Errors
/// The file is no capture (bad input), or it is cut off or damaged (failed, after what there is was printed).
pub fn run(args: &DecodeArgs) -> Result<(), Failure> {
    let name = input::name(&args.file).into_owned();
    let bad_input = |error: Error| Failure::BadInput(error.context(name.clone()));
    let file = input::open(&args.file).map_err(|error| bad_input(error.into()))?;
    let decoded = smoc_decode::decode(file).map_err(|error| bad_input(error.into()))?;
    match (args.format, args.summary, args.ignored) {
        (Format::Json, true, _) => print_json(&Summary::of(&decoded))?,
        (Format::Json, _, true) => print_json(&decoded.ignored)?,
        (Format::Json, ..) => print_json(&decoded.options)?,
        (Format::Table, true, _) => print(Summary::of(&decoded).table().to_string().trim_end())?,
        (Format::Table, _, true) => print(ignored(&decoded).to_string().trim_end())?,
        (Format::Table, ..) => print(options(&decoded).to_string().trim_end())?,
    }
    note(args, &decoded);
    decoded.damage.map_or(Ok(()), |damage| Err(Failure::Failed(Error::from(damage).context(name))))
}

/// The options as rows; a column for the encapsulation only if there is any.
fn options(decoded: &Decoded) -> Table {
    let is_wrapped = decoded.options.iter().any(|seen| !seen.place.encapsulation.is_empty());
    let mut table = if is_wrapped {
        let heading =
            ["FRAME", "SOURCE", "DESTINATION", "OPTION", "PHASE", "CONNECTION", "ENCAPSULATION", "DETAILS"];
        Table::new(heading)
    } else {
        Table::new(["FRAME", "SOURCE", "DESTINATION", "OPTION", "PHASE", "CONNECTION", "DETAILS"])
    };
    for seen in &decoded.options {
        let [frame, source, destination] = place(&seen.place);
        let option = seen.subtype.to_owned();
        let phase = seen.details.phase.map_or("-", Phase::name).to_owned();
        let connection = seen.connection.map_or("-".to_owned(), |index| index.to_string());
        let details = details(&seen.details);
        if is_wrapped {
            let encapsulation = encapsulation(&seen.place);
            table.row([frame, source, destination, option, phase, connection, encapsulation, details]);
        } else {
            table.row([frame, source, destination, option, phase, connection, details]);
        }
    }
    table
}

fn ignored(decoded: &Decoded) -> Table {
    let mut table =
        Table::new(["FRAME", "SOURCE", "DESTINATION", "OPTION", "ENCAPSULATION", "IGNORED BECAUSE"]);
    for option in &decoded.ignored {
        let [frame, source, destination] = place(&option.place);
        let (subtype, reason) = (option.subtype.to_owned(), option.reason.to_string());
        table.row([frame, source, destination, subtype, encapsulation(&option.place), reason]);
    }
    table
}

fn place(place: &Place) -> [String; 3] {
    let end = |address, port| SocketAddr::new(address, port).to_string();
    [place.frame.to_string(), end(place.src, place.sport), end(place.dst, place.dport)]
}

fn encapsulation(place: &Place) -> String {
    if place.encapsulation.is_empty() { "-".to_owned() } else { place.encapsulation.to_string() }
}

fn details(details: &Details) -> String {
    let ids = |ids: &Vec<u8>| ids.iter().map(u8::to_string).collect::<Vec<_>>().join(",");
    let if_set = |flag: Option<bool>, name: &str| flag.filter(|&flag| flag).map(|_| name.to_owned());
    [
        details.version.map(|version| format!("v{version}")),
        details.sender_token.map(|token| format!("sender {token}")),
        details.receiver_token.map(|token| format!("receiver {token}")),
        details.token.map(|token| format!("token {token}")),
        details.flags.map(flags),
        details.address_id.map(|id| format!("id {id}")),
        details.address_ids.as_ref().map(|list| format!("ids {}", ids(list))),
        details.address.map(|address| announced(address, details.port)),
        if_set(details.echo, "echo"),
        if_set(details.backup, "backup"),
        details.data_sequence.map(|number| format!("data sequence {number}")),
        details.reason.map(|reason| match details.reason_name {
            Some(name) => format!("reason {reason} ({name})"),
            None => format!("reason {reason}"),
        }),
        if_set(details.transient, "transient"),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}

fn announced(address: IpAddr, port: Option<u16>) -> String {
    port.map_or_else(|| address.to_string(), |port| SocketAddr::new(address, port).to_string())
}

fn flags(flags: Flags) -> String {
    let name = |letter| match letter {
        'A' => "A (checksum)".to_owned(),
        'B' => "B (extension)".to_owned(),
        'C' => "C (no joins to this address and port)".to_owned(),
        other => other.to_string(),
    };
    format!("flags {}", flags.letters().map(name).collect::<Vec<_>>().join(" "))
}

/// `--summary`: how many of what.
#[derive(Serialize)]
struct Summary {
    frames: u64,
    /// TCP segments.
    segments: u64,
    /// Those of them that are wrapped in something, by what that is.
    encapsulations: BTreeMap<String, u64>,
    /// Frames that carry no TCP.
    without_tcp: u64,
    /// Frames that could not be read, by reason.
    unread: BTreeMap<String, u64>,
    /// Segments cut off within their TCP options.
    cut: u64,
    /// MPTCP options other than DSS by name.
    options: BTreeMap<&'static str, u64>,
    /// MPTCP options that hosts ignore.
    ignored: usize,
    /// MP_CAPABLE connections.
    connections: usize,
}

impl Summary {
    fn of(decoded: &Decoded) -> Self {
        let counts = &decoded.counts;
        let wrapped = counts.segments.iter().filter(|(trail, _)| !trail.is_empty());
        let mut options = BTreeMap::new();
        for seen in &decoded.options {
            *options.entry(seen.subtype).or_default() += 1;
        }
        Self {
            frames: counts.frames,
            segments: counts.segments(),
            encapsulations: wrapped.map(|(trail, &segments)| (trail.to_string(), segments)).collect(),
            without_tcp: counts.without_tcp,
            unread: counts.unread.iter().map(|(why, &frames)| (why.to_string(), frames)).collect(),
            cut: counts.cut,
            options,
            ignored: decoded.ignored.len(),
            connections: decoded.connections,
        }
    }

    fn table(&self) -> Table {
        let mut table = Table::new(["WHAT", "COUNT"]);
        let mut row = |what: &str, count: u64| table.row([what.to_owned(), count.to_string()]);
        row("frames", self.frames);
        row("TCP segments", self.segments);
        for (encapsulation, &segments) in &self.encapsulations {
            row(&format!("  in {encapsulation}"), segments);
        }
        row("  cut off within their options", self.cut);
        row("frames without TCP", self.without_tcp);
        row("frames that could not be read", self.unread.values().sum());
        for (reason, &frames) in &self.unread {
            row(&format!("  {reason}"), frames);
        }
        row("MPTCP connections", self.connections as u64);
        row("MPTCP options", self.options.values().sum());
        for (name, &options) in &self.options {
            row(&format!("  {name}"), options);
        }
        row("MPTCP options that hosts ignore", self.ignored as u64);
        table
    }
}

/// Says on standard error what the answer does not: what could not be read, and that nothing was found.
fn note(args: &DecodeArgs, decoded: &Decoded) {
    let counts = &decoded.counts;
    let ignored = decoded.ignored.len();
    let found = if args.ignored { ignored } else { decoded.options.len() };
    if !args.summary && found == 0 {
        let what = if args.ignored { "ignored MPTCP options" } else { "MPTCP options" };
        let segments = count(counts.segments(), "TCP segment");
        eprintln!("smoc: 0 {what} in {}, {segments}", count(counts.frames, "frame"));
    }
    for (reason, &frames) in &counts.unread {
        eprintln!("smoc: {} not read: {reason}", count(frames, "frame"));
    }
    if !args.ignored && ignored > 0 {
        let options = count(ignored as u64, "MPTCP option");
        eprintln!("smoc: left out {options} that hosts ignore; --ignored lists them and says why");
    }
    if counts.cut > 0 {
        let frames = count(counts.cut, "frame");
        eprintln!("smoc: {frames} captured without all of the TCP options; capture with a larger -s");
    }
}

fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
