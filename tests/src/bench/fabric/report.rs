//! What switches cost, as people and programs read it.

use std::fmt;

use serde::Serialize;
use smoc_plot::Range;

use super::connect::Transport;

/// Rounds whose greatest is more than that many times their least disagree.
const DISAGREE: f64 = 1.25;
/// Less than this share delivered is worth a warning.
const DELIVERED: f64 = 0.99;

/// The least, the median and the greatest of all rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The least.
    pub min: f64,
    /// The median.
    pub median: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of these; `None` if there are none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let Range { low, middle, high, .. } = Range::of(values)?;
        Some(Self { min: low, median: middle, max: high })
    }

    fn disagrees(&self) -> bool {
        self.max > self.min * DISAGREE
    }
}

/// Frames through so many switches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Through {
    /// How many.
    pub switches: usize,
    /// Frames that were sent in all rounds.
    pub sent: u64,
    /// Those that were counted at the far end.
    pub delivered: u64,
    /// Delivered frames a second.
    pub frames_per_second: Spread,
    /// Nanoseconds for each delivered frame, the sender's and the receiver's part included.
    pub nanoseconds: Spread,
    /// Its rate, of the cable's in the same round.
    pub share_of_cable: Spread,
}

/// One way to forward.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Which.
    pub name: &'static str,
    /// Why it was not measured, where it was not.
    pub missing: Option<String>,
    /// What was measured, fewest switches first.
    pub through: Vec<Through>,
    /// Nanoseconds of one hop: see the legend.
    pub hop: Option<Spread>,
    /// The same beside the bridge's hop in the same round.
    pub hop_to_bridge: Option<Spread>,
}

/// connect() through three switches.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Connecting {
    /// What is connected.
    pub transport: Transport,
    /// Microseconds over smoc: of the medians of the rounds.
    pub smoc: Spread,
    /// Microseconds over bridges.
    pub bridges: Spread,
    /// One beside the other in the same round.
    pub ratio: Spread,
}

/// Something that is wanted of smoc, and what was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What.
    pub what: &'static str,
    /// The median that was found.
    pub found: f64,
    /// What it may be at most, or must be at least.
    pub limit: f64,
    /// It is.
    pub met: bool,
}

/// All that was measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// How often everything was measured.
    pub rounds: u32,
    /// Seconds of each measurement.
    pub seconds: f64,
    /// Bytes of each frame.
    pub frame_bytes: usize,
    /// The machine's load average over a minute when it began.
    pub load: f64,
    /// Each way to forward.
    pub rows: Vec<Row>,
    /// connect() for each transport; none where it was left out.
    pub connecting: Vec<Connecting>,
    /// Why connect() was not measured, where it was not.
    pub connecting_missing: Option<String>,
    /// What is wanted of smoc, where it could be measured.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    /// What a reader must know before believing a figure.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for row in &self.rows {
            for through in &row.through {
                let place = format!("{} through {}", row.name, through.switches);
                let Spread { min, max, .. } = through.nanoseconds;
                if through.nanoseconds.disagrees() {
                    warnings.push(format!("{place}: rounds disagree, {min:.0} to {max:.0} ns"));
                }
                if (through.delivered as f64) < through.sent as f64 * DELIVERED {
                    warnings
                        .push(format!("{place}: {} of {} frames arrived", through.delivered, through.sent));
                }
            }
        }
        for connecting in self.connecting.iter().filter(|it| it.ratio.disagrees()) {
            let Spread { min, max, .. } = connecting.ratio;
            warnings.push(format!(
                "connect() of {:?}: rounds disagree, {min:.2} to {max:.2}",
                connecting.transport
            ));
        }
        warnings
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Median of {} rounds of {} s each (least-greatest); frames of {} bytes on one CPU; load average {:.2}.\n",
            self.rounds, self.seconds, self.frame_bytes, self.load
        )?;
        writeln!(
            f,
            "{:<24} {:>3} {:>9} {:>20} {:>9} {:>18} {:>18}",
            "WAY", "SW", "MFRAME/S", "NS A FRAME", "OF CABLE", "NS A HOP", "OF BRIDGE HOP"
        )?;
        for row in &self.rows {
            if let Some(why) = &row.missing {
                writeln!(f, "{:<24} not here: {why}", row.name)?;
            }
            for (at, through) in row.through.iter().enumerate() {
                // A hop is of all of a row's measurements: it stands at the last one.
                let last = at + 1 == row.through.len();
                let cell = |spread: Option<Spread>, digits| {
                    spread.filter(|_| last).map_or_else(|| "-".to_owned(), |spread| cell(spread, digits))
                };
                writeln!(
                    f,
                    "{:<24} {:>3} {:>9.3} {:>20} {:>9.2} {:>18} {:>18}",
                    row.name,
                    through.switches,
                    through.frames_per_second.median / 1e6,
                    self::cell(through.nanoseconds, 0),
                    through.share_of_cable.median,
                    cell(row.hop, 0),
                    cell(row.hop_to_bridge, 3)
                )?;
            }
        }
        self.connections(f)?;
        self.conclusions(f)
    }
}

impl Report {
    fn connections(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.connecting_missing {
            writeln!(f, "\nconnect() was not measured: {why}")?;
        }
        if !self.connecting.is_empty() {
            writeln!(
                f,
                "\n{:<24} {:>20} {:>20} {:>20}",
                "CONNECT(), 3 SWITCHES", "SMOC US", "BRIDGES US", "RATIO"
            )?;
        }
        for Connecting { transport, smoc, bridges, ratio } in &self.connecting {
            let cells = (cell(*smoc, 1), cell(*bridges, 1), cell(*ratio, 3));
            writeln!(f, "{:<24} {:>20} {:>20} {:>20}", format!("{transport:?}"), cells.0, cells.1, cells.2)?;
        }
        Ok(())
    }

    fn conclusions(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.verdicts.is_empty() {
            writeln!(f)?;
        }
        for Verdict { what, found, limit, met } in &self.verdicts {
            let word = if *met { "met" } else { "missed" };
            writeln!(f, "{word:<7} {what}: {found:.3} ({limit:.3})")?;
        }
        f.write_str(
            "\nSW: switches between the two ends. NS A FRAME: sender and receiver included; the cable has nothing else.\n\
             NS A HOP: (three switches - one switch) / 2; where only three are measured, (three switches - cable) / 3.\n\
             OF CABLE: the rate, of the cable's; OF BRIDGE HOP: the time of a hop, of the bridge's; both of the same round.\n\
             Only frames that were counted at the far end count, and of smoc's those that all its switches redirected.\n",
        )?;
        self.warnings().iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

fn cell(spread: Spread, digits: usize) -> String {
    format!("{:.digits$} ({:.digits$}-{:.digits$})", spread.median, spread.min, spread.max)
}
