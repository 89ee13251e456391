//! What the demo found, as people and programs read it.

use std::fmt::{self, Write as _};

use serde::Serialize;

/// Least share of the capacity that every trial of smoc must reach.
const LEAST: f64 = 0.88;

/// Share of the capacity that the median of smoc's trials must reach.
const MEDIAN: f64 = 0.92;

/// Width of a bar that stands for the whole capacity, in characters.
const BAR: usize = 40;

/// The demo's measurements, in Mbit/s of goodput; its JSON form is a format that others rely on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// What all paths together carry.
    pub capacity_mbit: f64,
    /// One plain TCP connection.
    pub tcp_mbit: f64,
    /// MPTCP over kernel ECMP, by trial.
    pub ecmp_mbit: Vec<f64>,
    /// MPTCP over smoc, by trial.
    pub smoc_mbit: Vec<f64>,
    /// The fewest different paths that the subflows of one connection took over smoc.
    pub paths_used: usize,
    /// How many paths there are.
    #[serde(skip)]
    pub paths: usize,
}

impl Report {
    /// What the demo had to show and did not; empty if it did.
    pub fn shortfalls(&self) -> Vec<String> {
        let mut shortfalls = Vec::new();
        let share = |mbit: f64| mbit / self.capacity_mbit;
        let least = share(minimum(&self.smoc_mbit));
        if least < LEAST {
            shortfalls.push(format!(
                "the worst trial over smoc reached {:.1} % of the capacity, not {:.0} %",
                least * 100.0,
                LEAST * 100.0
            ));
        }
        let middle = share(median(&self.smoc_mbit));
        if middle < MEDIAN {
            shortfalls.push(format!(
                "the median trial over smoc reached {:.1} % of the capacity, not {:.0} %",
                middle * 100.0,
                MEDIAN * 100.0
            ));
        }
        if self.paths_used < self.paths {
            shortfalls.push(format!(
                "in one trial the subflows over smoc took {} of {} paths",
                self.paths_used, self.paths
            ));
        }
        shortfalls
    }

    fn row(&self, name: &str, mbit: f64) -> String {
        let share = mbit / self.capacity_mbit;
        format!("  {name:<24} {mbit:>6.1} Mbit/s  {:>5.1} %  {}", share * 100.0, bar(share))
    }

    fn rows(&self, name: &str, trials: &[f64]) -> String {
        let mut rows = String::new();
        for (what, mbit) in
            [("worst", minimum(trials)), ("median", median(trials)), ("best", maximum(trials))]
        {
            let _ = writeln!(rows, "{}", self.row(&format!("{name}, {what}"), mbit));
        }
        rows
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let trials = self.smoc_mbit.len();
        writeln!(f, "Goodput over {} paths that carry {:.0} Mbit/s:\n", self.paths, self.capacity_mbit)?;
        writeln!(f, "{}\n", self.row("plain TCP", self.tcp_mbit))?;
        writeln!(f, "{}", self.rows("MPTCP over ECMP", &self.ecmp_mbit))?;
        writeln!(f, "{}", self.rows("MPTCP over smoc", &self.smoc_mbit))?;
        let shortfalls = self.shortfalls();
        if shortfalls.is_empty() {
            return write!(
                f,
                "Over smoc every subflow had a path of its own in each of {trials} trials, and their sum filled the paths."
            );
        }
        write!(f, "This is not what smoc should show: {}.", shortfalls.join("; "))
    }
}

/// A bar of blocks and the space it could have filled.
pub fn bar(share: f64) -> String {
    let full = (share.clamp(0.0, 1.0) * BAR as f64).round() as usize;
    format!("|{}{}|", "#".repeat(full), " ".repeat(BAR - full))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values
}

fn minimum(values: &[f64]) -> f64 {
    sorted(values).first().copied().unwrap_or_default()
}

fn maximum(values: &[f64]) -> f64 {
    sorted(values).last().copied().unwrap_or_default()
}

/// The middle value; the mean of the middle two if there are two.
fn median(values: &[f64]) -> f64 {
    let values = sorted(values);
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(smoc_mbit: &[f64], paths_used: usize) -> Report {
        Report {
            capacity_mbit: 400.0,
            tcp_mbit: 95.0,
            ecmp_mbit: vec![280.0, 90.0, 300.0],
            smoc_mbit: smoc_mbit.to_vec(),
            paths_used,
            paths: 4,
        }
    }

    #[test]
    fn full_paths_satisfy() {
        let good = report(&[370.0, 376.0, 353.0], 4);
        assert_eq!(good.shortfalls(), [""; 0]);
        assert!(
            good.to_string()
                .contains("MPTCP over ECMP, median   280.0 Mbit/s   70.0 %  |############################")
        );
    }

    #[test]
    fn one_bad_trial_a_low_median_or_a_shared_path_do_not() {
        assert!(
            report(&[370.0, 376.0, 351.0], 4).shortfalls()[0]
                .contains("worst trial over smoc reached 87.8 %")
        );
        assert!(
            report(&[360.0, 366.0, 376.0], 4).shortfalls()[0]
                .contains("median trial over smoc reached 91.5 %")
        );
        assert!(report(&[370.0; 3], 3).shortfalls()[0].contains("took 3 of 4 paths"));
        assert!(report(&[370.0; 3], 3).to_string().contains("not what smoc should show"));
    }

    #[test]
    fn the_json_form_has_the_agreed_fields() {
        let json = serde_json::to_value(report(&[370.0], 4)).unwrap();
        let fields: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["capacity_mbit", "ecmp_mbit", "paths_used", "smoc_mbit", "tcp_mbit"]);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_two() {
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }
}
