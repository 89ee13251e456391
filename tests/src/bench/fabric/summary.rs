//! What the samples of all rounds come to.

use super::connect::Transport;
use super::line::{FRAME_BYTES, Sample};
use super::report::{Connecting, Report, Row, Spread, Through, Verdict};
use super::{Connected, FabricOptions, KINDS, Measured, Way};

/// The report of these samples.
pub fn report(
    options: &FabricOptions,
    load: f64,
    measured: &[Measured],
    connected: &Connected,
    connecting_missing: Option<String>,
) -> Report {
    let cable = times(measured, "cable", 0);
    let bridge = hops(&measured[place("bridge")], &cable);
    let rows: Vec<Row> = KINDS
        .iter()
        .zip(measured)
        .map(|(kind, row)| summed(kind.name, kind.way, row, &cable, &bridge))
        .collect();
    let connecting: Vec<Connecting> = Transport::ALL
        .into_iter()
        .zip(connected)
        .filter_map(|(transport, times)| connecting(transport, times))
        .collect();
    let verdicts = verdicts(measured, &rows, &connecting);
    Report {
        rounds: options.rounds,
        seconds: options.seconds,
        frame_bytes: FRAME_BYTES,
        load,
        rows,
        connecting,
        connecting_missing,
        verdicts,
    }
}

fn place(name: &str) -> usize {
    KINDS.iter().position(|kind| kind.name == name).unwrap_or_default()
}

/// The nanoseconds of a row for each round, through so many switches.
fn times(measured: &[Measured], name: &str, switches: usize) -> Vec<f64> {
    through(&measured[place(name)], switches).unwrap_or_default()
}

fn through(row: &Measured, switches: usize) -> Option<Vec<f64>> {
    let (_, samples) = row.through.iter().find(|(count, _)| *count == switches)?;
    Some(samples.iter().map(|sample| sample.nanoseconds).collect())
}

/// The nanoseconds of a hop for each round.
fn hops(row: &Measured, cable: &[f64]) -> Vec<f64> {
    match (through(row, 1), through(row, 3)) {
        (Some(one), Some(three)) => paired(&three, &one, |three, one| (three - one) / 2.0),
        (None, Some(three)) => paired(&three, cable, |three, cable| (three - cable) / 3.0),
        _ => Vec::new(),
    }
}

/// What two measurements of the same round come to, for each round.
fn paired(a: &[f64], b: &[f64], of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| of(a, b)).collect()
}

fn summed(name: &'static str, way: Way, row: &Measured, cable: &[f64], bridge: &[f64]) -> Row {
    let hops = if way == Way::Cable { Vec::new() } else { hops(row, cable) };
    Row {
        name,
        missing: row.missing.clone(),
        through: row
            .through
            .iter()
            .filter_map(|(switches, samples)| counted(*switches, samples, cable))
            .collect(),
        hop: Spread::of(&hops),
        hop_to_bridge: Spread::of(&paired(&hops, bridge, |hop, bridge| hop / bridge)),
    }
}

fn counted(switches: usize, samples: &[Sample], cable: &[f64]) -> Option<Through> {
    let times: Vec<f64> = samples.iter().map(|sample| sample.nanoseconds).collect();
    let rates: Vec<f64> = times.iter().map(|time| 1e9 / time).collect();
    Some(Through {
        switches,
        sent: samples.iter().map(|sample| sample.sent).sum(),
        delivered: samples.iter().map(|sample| sample.delivered).sum(),
        frames_per_second: Spread::of(&rates)?,
        nanoseconds: Spread::of(&times)?,
        share_of_cable: Spread::of(&paired(cable, &times, |cable, time| cable / time))?,
    })
}

fn connecting(transport: Transport, times: &[[f64; 2]]) -> Option<Connecting> {
    let column = |of: fn(&[f64; 2]) -> f64| Spread::of(&times.iter().map(of).collect::<Vec<f64>>());
    Some(Connecting {
        transport,
        smoc: column(|[smoc, _]| *smoc)?,
        bridges: column(|[_, bridges]| *bridges)?,
        ratio: column(|[smoc, bridges]| smoc / bridges)?,
    })
}

fn verdicts(measured: &[Measured], rows: &[Row], connecting: &[Connecting]) -> Vec<Verdict> {
    const SEVENTH: f64 = 1.0 / 7.0;
    let mut verdicts = Vec::new();
    let mut at_most = |what, found: Option<Spread>, limit: f64| {
        let found = found.map(|spread| spread.median);
        verdicts.extend(found.map(|found| Verdict { what, found, limit, met: found <= limit }));
    };
    at_most(
        "a transit hop is at most a seventh of a bridge's",
        rows[place("smoc transit")].hop_to_bridge,
        SEVENTH,
    );
    let (cable, smoc) = (times(measured, "cable", 0), times(measured, "smoc, 64 Ki subflows", 3));
    let bridges = paired(&times(measured, "bridge", 3), &cable, |bridges, cable| bridges - cable);
    let ours = paired(&smoc, &cable, |smoc, cable| smoc - cable);
    let share = Spread::of(&paired(&ours, &bridges, |ours, bridges| ours / bridges));
    at_most(
        "three switches, 64 Ki subflows, are at most a seventh of three bridges, both less the cable",
        share,
        SEVENTH,
    );
    for Connecting { transport, ratio, .. } in connecting {
        let what = match transport {
            Transport::Tcp => "connect() of TCP takes at most 1.02 of that over three bridges",
            Transport::Mptcp => "connect() of MPTCP takes at most 1.02 of that over three bridges",
        };
        at_most(what, Some(*ratio), 1.02);
    }
    let rate = Spread::of(&paired(&cable, &smoc, |cable, smoc| cable / smoc)).map(|spread| spread.median);
    let what = "three switches, 64 Ki subflows, have at least 0.65 of the cable's rate";
    verdicts.extend(rate.map(|found| Verdict { what, found, limit: 0.65, met: found >= 0.65 }));
    verdicts
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: FabricOptions,
    }

    /// Two rounds, in nanoseconds, of 100 frames each.
    fn samples(rounds: [f64; 2]) -> Vec<Sample> {
        rounds.map(|nanoseconds| Sample { sent: 100, delivered: 100, nanoseconds }).to_vec()
    }

    fn row(through: &[(usize, [f64; 2])]) -> Measured {
        let through = through.iter().map(|&(switches, rounds)| (switches, samples(rounds))).collect();
        Measured { missing: None, through }
    }

    fn measured() -> Vec<Measured> {
        let of = |kind: &super::super::Kind| match kind.way {
            Way::Cable => row(&[(0, [100.0, 200.0])]),
            Way::Bridge => row(&[(1, [800.0, 900.0]), (3, [2_200.0, 2_300.0])]),
            Way::Transit => row(&[(1, [170.0, 270.0]), (3, [310.0, 410.0])]),
            Way::Smoc => row(&[(3, [400.0, 500.0])]),
            _ => Measured { missing: Some("no such thing".to_owned()), through: vec![] },
        };
        KINDS.iter().map(of).collect()
    }

    fn summed_up() -> Report {
        let options = Line::parse_from(["bench", "--rounds", "2"]).options;
        let connected = [vec![[10.0, 10.0], [12.0, 10.0]], vec![]];
        report(&options, 0.5, &measured(), &connected, None)
    }

    #[test]
    fn a_hop_is_of_three_and_one_switches_or_of_three_and_the_cable() {
        let report = summed_up();
        let hop = |name| report.rows[place(name)].hop.map(|hop| (hop.min, hop.median, hop.max));
        assert_eq!(hop("cable"), None);
        assert_eq!(hop("bridge"), Some((700.0, 700.0, 700.0)));
        assert_eq!(hop("smoc transit"), Some((70.0, 70.0, 70.0)));
        assert_eq!(hop("smoc, UDP"), Some((100.0, 100.0, 100.0)));
        let transit = report.rows[place("smoc transit")].hop_to_bridge.unwrap();
        assert!((transit.median - 0.1).abs() < 1e-9);
        assert_eq!(report.rows[place("tc redirect")].missing.as_deref(), Some("no such thing"));
    }

    #[test]
    fn verdicts_compare_what_was_measured_in_the_same_round() {
        let report = summed_up();
        let verdicts: Vec<(f64, bool)> = report.verdicts.iter().map(|it| (it.found, it.met)).collect();
        // A transit hop; three switches; connect() of TCP alone; the rate: 100 / 400 and 200 / 500.
        assert_eq!(verdicts.len(), 4);
        assert_eq!(verdicts.iter().map(|it| it.1).collect::<Vec<_>>(), [true, true, false, false]);
        assert!((verdicts[1].0 - 1.0 / 7.0).abs() < 1e-9);
        assert!((verdicts[3].0 - 0.325).abs() < 1e-9);
    }

    #[test]
    fn rounds_that_disagree_and_frames_that_are_lost_are_warned_of() {
        let mut report = summed_up();
        let warnings = report.warnings();
        assert!(
            warnings.iter().any(|it| it == "cable through 0: rounds disagree, 100 to 200 ns"),
            "{warnings:?}"
        );
        assert!(!warnings.iter().any(|it| it.starts_with("bridge")), "{warnings:?}");
        report.rows[place("bridge")].through[0].delivered = 150;
        assert!(report.warnings().contains(&"bridge through 1: 150 of 200 frames arrived".to_owned()));
    }

    #[test]
    fn the_table_and_the_picture_have_every_row() {
        let report = summed_up();
        let (table, svg) = (report.to_string(), super::super::picture::figure(&report).svg());
        for kind in KINDS {
            assert!(table.contains(kind.name), "{table}");
            assert!(svg.contains(kind.name) || !measured_at_all(kind.way), "{svg}");
        }
        assert!(table.contains("not here: no such thing"), "{table}");
        assert!(svg.contains("700 ns, 1.00 of a bridge"), "{svg}");
    }

    fn measured_at_all(way: Way) -> bool {
        matches!(way, Way::Cable | Way::Bridge | Way::Transit | Way::Smoc)
    }
}
