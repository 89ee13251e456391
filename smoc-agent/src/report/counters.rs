//! What counters and gauges did in a period.

use std::collections::BTreeMap;

use smoc_control::history::{Recorded, RecordedSeries};

/// A rate over time: microseconds since 1970 at the end of an interval, and the mean a second in it.
pub type Rates = Vec<(u64, f64)>;

/// The series of one metric with these labels among others.
pub fn find<'a>(recorded: &'a Recorded, metric: &str, labels: &[(&str, &str)]) -> Option<&'a RecordedSeries> {
    recorded.series.iter().find(|series| {
        let has = |(name, value): &(&str, &str)| series.name.labels.get(*name).is_some_and(|it| it == value);
        series.name.metric == metric && labels.iter().all(has)
    })
}

/// All series of one metric.
pub fn all<'a>(recorded: &'a Recorded, metric: &'a str) -> impl Iterator<Item = &'a RecordedSeries> {
    recorded.series.iter().filter(move |series| series.name.metric == metric)
}

/// By how much a counter grew between two looks; one that has begun anew has grown by what it shows.
fn growth(before: f64, after: f64) -> f64 {
    if after < before { after } else { after - before }
}

/// Pairs of successive looks that both have a value, with their times.
fn steps<'a>(
    recorded: &'a Recorded,
    series: &'a RecordedSeries,
) -> impl Iterator<Item = [(u64, f64); 2]> + 'a {
    let mut last = None;
    recorded.at.iter().zip(&series.values).filter_map(move |(at, value)| {
        let now = (*at, (*value)?);
        let before = last.replace(now);
        before.map(|before| [before, now])
    })
}

/// By how much a counter grew in the whole period.
pub fn total(recorded: &Recorded, series: &RecordedSeries) -> f64 {
    steps(recorded, series).map(|[(_, before), (_, after)]| growth(before, after)).sum()
}

/// By how much a counter grew between the looks around two times, in microseconds since 1970.
pub fn between(recorded: &Recorded, series: &RecordedSeries, from: u64, to: u64) -> f64 {
    let touches = |pair: &[(u64, f64); 2]| pair[1].0 >= from && pair[0].0 <= to;
    steps(recorded, series).filter(touches).map(|[(_, before), (_, after)]| growth(before, after)).sum()
}

/// A counter's rate over time. Looks between which the clock was set back have none.
pub fn rates(recorded: &Recorded, series: &RecordedSeries) -> Rates {
    let rate = |[(from, before), (to, after)]: [(u64, f64); 2]| {
        let seconds = to.checked_sub(from).filter(|span| *span > 0)? as f64 / 1e6;
        Some((to, growth(before, after) / seconds))
    };
    steps(recorded, series).filter_map(rate).collect()
}

/// The least value of a gauge in the period, and the last.
pub fn least_and_last(series: &RecordedSeries) -> Option<(f64, f64)> {
    let known = || series.values.iter().flatten().copied();
    Some((known().reduce(f64::min)?, known().last()?))
}

/// Mean over the period and maximum of rates, each weighted by its time; zeros if there are none.
pub fn mean_and_peak(recorded: &Recorded, series: &RecordedSeries) -> (f64, f64) {
    let (mut seconds, mut amount, mut peak) = (0.0, 0.0, 0.0_f64);
    for [(from, before), (to, after)] in steps(recorded, series) {
        let span = to.saturating_sub(from) as f64 / 1e6;
        if span > 0.0 {
            seconds += span;
            amount += growth(before, after);
            peak = peak.max(growth(before, after) / span);
        }
    }
    (if seconds > 0.0 { amount / seconds } else { 0.0 }, peak)
}

/// A map from the value of one label to how much the counter with it grew, without those that did not.
pub fn totals(recorded: &Recorded, metric: &str, label: &str) -> BTreeMap<String, u64> {
    let grown = |series: &RecordedSeries| {
        let by = total(recorded, series) as u64;
        (by > 0).then(|| Some((series.name.labels.get(label)?.clone(), by)))?
    };
    all(recorded, metric).filter_map(grown).collect()
}

#[cfg(test)]
mod tests {
    use smoc_control::history::SeriesName;

    use super::*;

    fn recorded(values: &[Option<f64>]) -> Recorded {
        let labels = [("port".to_owned(), "1".to_owned())].into();
        let name = SeriesName { metric: "m_total".into(), labels };
        let at = (0..values.len() as u64).map(|look| look * 10_000_000).collect();
        Recorded { at, series: vec![RecordedSeries { name, values: values.to_vec() }], untold: 0 }
    }

    #[test]
    fn growth_is_counted_over_gaps_and_from_the_beginning_again() {
        let read = recorded(&[Some(100.0), None, Some(300.0), Some(50.0), Some(60.0)]);
        let series = find(&read, "m_total", &[("port", "1")]).unwrap();
        assert_eq!(total(&read, series), 200.0 + 50.0 + 10.0);
        assert_eq!(between(&read, series, 41_000_000, 50_000_000), 0.0);
        assert_eq!(between(&read, series, 35_000_000, 36_000_000), 10.0);
        assert_eq!(rates(&read, series), [(20_000_000, 10.0), (30_000_000, 5.0), (40_000_000, 1.0)]);
        assert_eq!(mean_and_peak(&read, series), (6.5, 10.0));
        assert_eq!(totals(&read, "m_total", "port"), [("1".to_owned(), 260)].into());
        assert!(find(&read, "m_total", &[("port", "2")]).is_none());
    }

    #[test]
    fn a_clock_that_is_set_back_makes_no_rate() {
        let mut read = recorded(&[Some(1.0), Some(2.0), Some(4.0)]);
        read.at = vec![20_000_000, 10_000_000, 20_000_000];
        let series = &read.series[0];
        assert_eq!(rates(&read, series), [(20_000_000, 0.2)]);
        assert_eq!((total(&read, series), mean_and_peak(&read, series)), (3.0, (0.2, 0.2)));
        assert_eq!(least_and_last(series), Some((1.0, 4.0)));
    }
}
