//! What `bench fabric` is told.

use std::str::FromStr;

use clap::Args;
use smoc_plot::SvgFile;

/// What `--help` explains.
const HELP: &str = "\
Frames are sent with BPF_PROG_TEST_RUN as live frames: they travel over veth pairs through one and three switches, a network
namespace each, and are counted at the far end. Everything happens on one CPU, so that the time of a frame is the sum of what it
costs everywhere. All ways are measured in every round, in another order each time: what changes meanwhile meets all of them.

Subflows of smoc are opened by their handshakes, and each has carried a frame before it is measured. A switch looks up the
connection of a subflow once a second: measurements of less than a second have this more often or less often than traffic has.

Namespaces have no names and are gone with the process, however it ends. Nothing of the machine's own network is changed.
What this kernel does not have is named in its row, and the rest is measured. Where rounds disagree a warning says so: something
else was busy; give it more rounds, or a quiet machine. Needs root.

Examples:
  cargo xtask bench fabric
  cargo xtask bench fabric --rounds 3 --json - | jq '.rows[] | {name, hop}'";

/// What `bench fabric` is told.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP)]
pub struct FabricOptions {
    /// How often everything is measured.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub rounds: u32,
    /// Seconds of each measurement, of which a round has sixteen.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub seconds: f64,
    /// Frames of each measurement, at least.
    #[arg(long, default_value_t = 16_384, value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    pub burst: u32,
    /// Connections of each measurement of connect(); 0 leaves them out.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub connects: u32,
    /// Where to write everything as JSON; - is standard output, and then nothing else is printed there.
    #[arg(long, value_name = "FILE")]
    pub json: Option<JsonTarget>,
    /// Where to draw it: what a hop costs in each way.
    #[arg(long, value_name = "FILE", default_value_t = SvgFile::in_target("bench-fabric.svg"))]
    pub svg: SvgFile,
}

/// Where results go as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonTarget {
    /// Standard output.
    Standard,
    /// A file that can be written.
    File(SvgFile),
}

impl FromStr for JsonTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::Standard) } else { text.parse().map(Self::File) }
    }
}

fn seconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| (0.0..=60.0).contains(number));
    number.ok_or_else(|| "seconds are a number from 0 to 60, such as 0.3".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_a_number_and_not_for_ever() {
        assert_eq!(seconds("0.3"), Ok(0.3));
        for bad in ["-1", "61", "NaN", "inf", "long", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
