//! What failures cost, as people and programs read it.

use std::fmt;

use serde::Serialize;

use super::{Failure, Outcome};

/// All that was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Over smoc.
    pub smoc: Vec<Outcome>,
    /// Over kernel ECMP next-hop groups, which need not have met all of them.
    pub ecmp: Vec<Outcome>,
}

impl Report {
    /// What a failure did over ECMP, if it met one.
    pub fn over_ecmp(&self, failure: Failure) -> Option<&Outcome> {
        self.ecmp.iter().find(|outcome| outcome.failure == failure)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "One datagram a millisecond (95 Mbit/s of them while agents restart), and a connection of a subflow on \
             each path.\nLinks carry 100 Mbit/s.\n"
        )?;
        writeln!(f, "{:<26} {:>26}   {:>26}", "", "SMOC", "KERNEL ECMP")?;
        let columns = format!("{:>5} {:>8} {:>10} {:>5}", "LOST", "GAP MS", "BACK MS", "LEFT");
        writeln!(f, "{:<26} {columns}   {columns}", "FAILURE")?;
        for outcome in &self.smoc {
            let ecmp = self.over_ecmp(outcome.failure);
            let ecmp = ecmp.map_or_else(|| "-".to_owned(), cells);
            writeln!(f, "{:<26} {}   {ecmp}", outcome.failure.label(), cells(outcome))?;
        }
        f.write_str(
            "\nLOST: datagrams that never arrived. GAP: longest silence at the receiver. BACK: from the failure to the\n\
             end of that silence. LEFT: goodput afterwards, of what the links that are left carry (ceiling 94 %).\n",
        )
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.share_left.map_or_else(
            || "the connection broke".to_owned(),
            |share| format!("{:.0} % afterwards", share * 100.0),
        );
        write!(f, "{} of {} lost, gap {:.1} ms, {left}", self.lost, self.sent, self.gap_ms)
    }
}

fn cells(outcome: &Outcome) -> String {
    let back = outcome.back_ms.map_or_else(|| "never".to_owned(), |back| format!("{back:.1}"));
    let left =
        outcome.share_left.map_or_else(|| "broke".to_owned(), |share| format!("{:.0} %", share * 100.0));
    format!("{:>5} {:>8.1} {back:>10} {left:>5}", outcome.lost, outcome.gap_ms)
}
