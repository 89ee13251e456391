//! Axes: which values there are, where they lie and what is written at them.

use std::time::{Duration, UNIX_EPOCH};

use crate::number::{number, with_step};

const DAY: f64 = 86_400.0;
/// Distances between the ticks of a time of day, in seconds.
const TIME_STEPS: [f64; 21] = [
    1.0,
    2.0,
    5.0,
    10.0,
    15.0,
    30.0,
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    10_800.0,
    21_600.0,
    43_200.0,
    DAY,
    2.0 * DAY,
    7.0 * DAY,
    28.0 * DAY,
];

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// By their logarithm. What is zero or less lies at a tick of its own below all others, "0".
    Log,
    /// Evenly; values are seconds since 1970 and are written as dates and times of day in UTC.
    Time,
}

/// An axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How values lie along it.
    pub scale: Scale,
    /// Its least value; that of the data or a round one below if there is none.
    pub from: Option<f64>,
    /// Its greatest value; that of the data or a round one above if there is none.
    pub to: Option<f64>,
}

impl Axis {
    /// Values that lie evenly.
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// Values that lie by their logarithm.
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Log, ..Self::default() }
    }

    /// Seconds since 1970.
    pub fn time(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Time, ..Self::default() }
    }

    /// Begins there.
    #[must_use]
    pub fn from(self, least: f64) -> Self {
        Self { from: Some(least), ..self }
    }

    /// Ends there.
    #[must_use]
    pub fn to(self, greatest: f64) -> Self {
        Self { to: Some(greatest), ..self }
    }

    /// The same axis, but with the values themselves as its ends, where it would otherwise take round ones.
    pub(crate) fn tight(&self, values: impl Iterator<Item = f64>) -> Self {
        let is_on = |value: &f64| value.is_finite() && (self.scale != Scale::Log || *value > 0.0);
        let values: Vec<f64> = values.filter(is_on).collect();
        let least = || values.iter().copied().reduce(f64::min);
        let greatest = || values.iter().copied().reduce(f64::max);
        Self { from: self.from.or_else(least), to: self.to.or_else(greatest), ..self.clone() }
    }

    /// The axis for these values, with about so many ticks.
    pub(crate) fn ruler(&self, values: impl Iterator<Item = f64>, ticks: usize) -> Ruler {
        let values: Vec<f64> =
            values.chain(self.from).chain(self.to).filter(|value| value.is_finite()).collect();
        match self.scale {
            Scale::Linear => self.linear_ruler(&values, ticks),
            Scale::Time => self.time_ruler(&values, ticks),
            Scale::Log => self.log_ruler(&values, ticks),
        }
    }

    /// Both ends, apart from each other, as asked for or as the values have them.
    fn ends(&self, values: &[f64]) -> (f64, f64) {
        let least = values.iter().copied().reduce(f64::min).unwrap_or(0.0);
        let greatest = values.iter().copied().reduce(f64::max).unwrap_or(1.0);
        let (low, high) = (self.from.unwrap_or(least), self.to.unwrap_or(greatest));
        (low, if high > low { high } else { low + low.abs().max(1.0) })
    }

    fn linear_ruler(&self, values: &[f64], ticks: usize) -> Ruler {
        let (mut low, mut high) = self.ends(values);
        let step = round_step((high - low) / ticks.max(2) as f64);
        if self.from.is_none() {
            low = (low / step + 1e-9).floor() * step;
        }
        if self.to.is_none() {
            high = (high / step - 1e-9).ceil() * step;
        }
        let label = |value| with_step(value, step);
        Ruler { scale: self.scale, low, high, zero: None, ticks: every(step, low, high, label) }
    }

    fn time_ruler(&self, values: &[f64], ticks: usize) -> Ruler {
        let (low, high) = self.ends(values);
        let wanted = (high - low) / ticks.max(2) as f64;
        let step = TIME_STEPS.into_iter().find(|step| *step >= wanted).unwrap_or_else(|| round_step(wanted));
        let has_days = (low / DAY).floor() != (high / DAY).floor();
        let label = |value| time_of_day(value, step, has_days);
        Ruler { scale: self.scale, low, high, zero: None, ticks: every(step, low, high, label) }
    }

    fn log_ruler(&self, values: &[f64], ticks: usize) -> Ruler {
        let positive: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
        let has_zero = positive.len() < values.len();
        let least = positive.iter().copied().reduce(f64::min).unwrap_or(1.0);
        let greatest = positive.iter().copied().reduce(f64::max).unwrap_or(1.0);
        let end = |asked: Option<f64>, value: f64, is_low: bool| {
            let round = || round_end(value, greatest / least > 1e3, is_low);
            asked.filter(|asked| *asked > 0.0).unwrap_or_else(round).log10()
        };
        let (low, high) = (end(self.from, least, true), end(self.to, greatest, false));
        let high = if high > low { high } else { low + 1.0 };
        let zero = has_zero.then_some(low - 0.12 * (high - low));
        let every_nth = ((high - low) / ticks.max(2) as f64).ceil().max(1.0) as i32;
        let factors: &[f64] = if (high - low) * 3.0 <= ticks as f64 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let decades = (low.ceil() as i32 - 1..=high.floor() as i32)
            .filter(|decade| (decade - low.ceil() as i32).rem_euclid(every_nth) == 0);
        let value = |decade: i32| factors.iter().map(move |factor| factor * 10f64.powi(decade));
        let inside = |value: &f64| (low - 1e-9..=high + 1e-9).contains(&value.log10());
        let ticks = decades.flat_map(value).filter(inside).map(|value| (value.log10(), number(value)));
        let ticks = zero.map(|zero| (zero, "0".to_owned())).into_iter().chain(ticks).collect();
        Ruler { scale: self.scale, low: zero.unwrap_or(low), high, zero, ticks }
    }
}

/// An axis with ends and ticks, both as places: values, or their logarithms.
pub struct Ruler {
    scale: Scale,
    pub low: f64,
    pub high: f64,
    /// The place of zero where logarithms have none.
    zero: Option<f64>,
    /// Places and what is written there.
    pub ticks: Vec<(f64, String)>,
}

impl Ruler {
    /// Where a value lies: 0 at the beginning, 1 at the end, and never beyond them.
    pub fn share(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Log if value <= 0.0 => self.zero.unwrap_or(self.low),
            Scale::Log => value.log10(),
            Scale::Linear | Scale::Time => value,
        };
        self.share_of_place(place)
    }

    pub fn share_of_place(&self, place: f64) -> f64 {
        ((place - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// The least of 1, 2, 5, 10, ... that is no less.
fn round_step(least: f64) -> f64 {
    let decade = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|factor| factor * decade)
        .into_iter()
        .find(|step| *step >= least * (1.0 - 1e-9))
        .unwrap_or(10.0 * decade)
}

/// The nearest power of ten at or beyond a positive value, or, where not only they count, the nearest of 1, 2, 5, 10, 20, ...
fn round_end(value: f64, only_powers: bool, is_low: bool) -> f64 {
    let decade = 10f64.powf((value.log10() + 1e-9).floor());
    let factors: &[f64] = if only_powers { &[1.0, 10.0] } else { &[1.0, 2.0, 5.0, 10.0] };
    let mut ends = factors.iter().map(|factor| factor * decade);
    if is_low {
        ends.rfind(|end| *end <= value * (1.0 + 1e-9)).unwrap_or(decade)
    } else {
        ends.find(|end| *end >= value * (1.0 - 1e-9)).unwrap_or(10.0 * decade)
    }
}

fn every(step: f64, low: f64, high: f64, label: impl Fn(f64) -> String) -> Vec<(f64, String)> {
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    (first..=last).map(|tick| tick as f64 * step).map(|value| (value, label(value))).collect()
}

/// `14:05`, with seconds where ticks are closer than a minute, with the day where there are several.
fn time_of_day(seconds: f64, step: f64, has_days: bool) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(seconds.max(0.0) as u64);
    // 2026-09-21T14:13:20Z
    let text = humantime::format_rfc3339_seconds(time).to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default().to_owned();
    let time = part(if step < 60.0 { 11..19 } else { 11..16 });
    match has_days {
        _ if step >= DAY => part(0..10),
        true => format!("{} {time}", part(5..10)),
        false => time,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ruler: &Ruler) -> Vec<&str> {
        ruler.ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn a_linear_axis_ends_at_round_numbers() {
        let ruler = Axis::linear("Mbit/s").from(0.0).ruler([12.0, 377.0].into_iter(), 5);
        assert_eq!(labels(&ruler), ["0", "100", "200", "300", "400"]);
        assert_eq!((ruler.share(0.0), ruler.share(200.0), ruler.share(400.0)), (0.0, 0.5, 1.0));
    }

    #[test]
    fn a_logarithmic_axis_has_a_place_for_zero() {
        let ruler = Axis::log("ms").ruler([0.0, 3.0, 4_000.0].into_iter(), 8);
        assert_eq!(labels(&ruler), ["0", "1", "10", "100", "1,000", "10,000"]);
        assert_eq!((ruler.share(0.0), ruler.share(10_000.0)), (0.0, 1.0));
        assert!(ruler.share(1.0) > 0.05, "zero is apart from one");
        let short = Axis::log("ms").ruler([3.0, 40.0].into_iter(), 8);
        assert_eq!(labels(&short), ["2", "5", "10", "20", "50"]);
    }

    #[test]
    fn times_of_day_have_round_ticks() {
        let afternoon = 1_790_000_000.0_f64; // 2026-09-21 14:13:20 UTC
        let ruler = Axis::time("UTC").ruler([afternoon, afternoon + 3_000.0].into_iter(), 5);
        assert_eq!(labels(&ruler), ["14:20", "14:30", "14:40", "14:50", "15:00"]);
        let days = Axis::time("UTC").ruler([afternoon, afternoon + 86_400.0].into_iter(), 4);
        assert_eq!(labels(&days), ["09-21 18:00", "09-22 00:00", "09-22 06:00", "09-22 12:00"]);
    }

    #[test]
    fn no_values_and_equal_values_make_an_axis_too() {
        assert!(!Axis::linear("").ruler([].into_iter(), 5).ticks.is_empty());
        assert!(!Axis::log("").ruler([0.0].into_iter(), 5).ticks.is_empty());
        let ruler = Axis::linear("").ruler([7.0, 7.0, f64::NAN].into_iter(), 5);
        assert!(ruler.high > ruler.low);
    }
}
