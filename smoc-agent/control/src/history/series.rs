//! Numbers that were looked at again and again, as far back as a fixed budget reaches: the newest at every look, older ones at
//! some.

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Bytes that the values may take together.
pub const SERIES_BUDGET: usize = 16 << 20;
/// Most series that are told apart; values of others are counted.
pub const MOST_SERIES: usize = 16_384;

/// So many looks are kept whole, an hour of them 10 s apart.
const FINE: usize = 360;
/// Of the looks before, every so many-th is kept.
const COARSE: u64 = 6;

/// What a number is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesName {
    /// The metric, as queries name it.
    pub metric: String,
    /// Its labels and their values.
    pub labels: BTreeMap<String, String>,
}

/// Values of one look, in the order in which their series appeared; a series that had none, or was not there yet, has NaN.
#[derive(Clone, Debug)]
struct Look {
    number: u64,
    /// In microseconds since 1970 by the wall clock, which may be set back.
    at: u64,
    values: Box<[f64]>,
}

impl Look {
    fn size(&self) -> usize {
        size_of::<Self>() + size_of_val::<[f64]>(&self.values)
    }
}

/// Looks from the oldest that is left to the newest.
#[derive(Clone, Debug)]
pub struct Series {
    names: Vec<SeriesName>,
    places: HashMap<SeriesName, usize>,
    looks: VecDeque<Look>,
    size: usize,
    budget: usize,
    /// The number of the next look.
    next: u64,
    untold: u64,
}

/// What a reader gets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When it was looked, in microseconds since 1970, oldest first.
    pub at: Vec<u64>,
    /// A series each, in no order.
    pub series: Vec<RecordedSeries>,
    /// Values that were not kept, for there were [`MOST_SERIES`] series.
    pub untold: u64,
}

/// A series and its values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedSeries {
    /// What it is about.
    #[serde(flatten)]
    pub name: SeriesName,
    /// A value for each look; null where there was none.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// No looks yet, within a budget of bytes.
    pub fn new(budget: usize) -> Self {
        let (names, places, looks) = Default::default();
        Self { names, places, looks, size: 0, budget, next: 0, untold: 0 }
    }

    /// Records a look at a time in microseconds since 1970. Older ones make room for it.
    pub fn record(&mut self, at: u64, values: impl IntoIterator<Item = (SeriesName, f64)>) {
        let mut row = vec![f64::NAN; self.names.len()];
        for (name, value) in values {
            match self.place(name) {
                Some(place) => {
                    if row.len() <= place {
                        row.resize(place + 1, f64::NAN);
                    }
                    row[place] = value;
                }
                None => self.untold += 1,
            }
        }
        let look = Look { number: self.next, at, values: row.into() };
        self.next += 1;
        self.size += look.size();
        self.looks.push_back(look);
        self.thin_out();
    }

    fn place(&mut self, name: SeriesName) -> Option<usize> {
        if let Some(place) = self.places.get(&name) {
            return Some(*place);
        }
        let place = self.names.len();
        if place == MOST_SERIES {
            return None;
        }
        self.names.push(name.clone());
        self.places.insert(name, place);
        Some(place)
    }

    /// The look that has just left the newest [`FINE`] stays only if it is one of the coarse ones; then the oldest go.
    fn thin_out(&mut self) {
        if let Some(place) = self.looks.len().checked_sub(FINE + 1)
            && !self.looks[place].number.is_multiple_of(COARSE)
            && let Some(look) = self.looks.remove(place)
        {
            self.size -= look.size();
        }
        while self.size > self.budget
            && let Some(oldest) = self.looks.pop_front()
        {
            self.size -= oldest.size();
        }
    }

    /// The looks since a time, and the last one before it, from which counters count; at most `most` of them, evenly chosen,
    /// with the first and the last.
    pub fn read(&self, since: u64, most: usize) -> Recorded {
        let first = self.looks.iter().position(|look| look.at >= since).unwrap_or(self.looks.len());
        let count = self.looks.len() - first.saturating_sub(1);
        let kept = count.min(most.max(2));
        let place = |index: usize| {
            first.saturating_sub(1) + if kept < 2 { 0 } else { index * (count - 1) / (kept - 1) }
        };
        let looks: Vec<&Look> = (0..kept).map(|index| &self.looks[place(index)]).collect();
        let value =
            |look: &Look, place: usize| look.values.get(place).copied().filter(|value| !value.is_nan());
        let series = self.names.iter().enumerate().map(|(place, name)| RecordedSeries {
            name: name.clone(),
            values: looks.iter().map(|look| value(look, place)).collect(),
        });
        let series = series.filter(|series| series.values.iter().any(Option::is_some)).collect();
        Recorded { at: looks.iter().map(|look| look.at).collect(), series, untold: self.untold }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(port: u32) -> SeriesName {
        let labels = [("port".to_owned(), port.to_string())].into();
        SeriesName { metric: "smoc_port_receive_bytes_total".into(), labels }
    }

    fn record(series: &mut Series, at: u64, values: &[(u32, f64)]) {
        series.record(at, values.iter().map(|(port, value)| (name(*port), *value)));
    }

    #[test]
    fn a_series_that_comes_later_has_no_values_before() {
        let mut series = Series::new(SERIES_BUDGET);
        record(&mut series, 10, &[(1, 5.0)]);
        record(&mut series, 20, &[(2, 7.0), (1, 6.0)]);
        record(&mut series, 30, &[(2, 8.0)]);
        let read = series.read(0, 100);
        assert_eq!(read.at, [10, 20, 30]);
        let values = |port| read.series.iter().find(|it| it.name == name(port)).unwrap().values.clone();
        assert_eq!(values(1), [Some(5.0), Some(6.0), None]);
        assert_eq!(values(2), [None, Some(7.0), Some(8.0)]);
        let read = series.read(30, 100);
        assert_eq!(read.at, [20, 30], "and the look before, from which it counts");
    }

    #[test]
    fn the_newest_looks_are_whole_and_the_oldest_go_when_room_is_needed() {
        let mut series = Series::new(SERIES_BUDGET);
        (0..1000).for_each(|at| record(&mut series, at, &[(1, at as f64)]));
        let read = series.read(0, usize::MAX);
        assert_eq!(read.at.iter().filter(|at| **at >= 640).count(), 360);
        let old: Vec<u64> = read.at.iter().copied().filter(|at| *at < 640).collect();
        assert_eq!((old.len(), old[1] - old[0], old[0]), (107, 6, 0));

        let mut small = Series::new(10 * (size_of::<Look>() + 8));
        (0..1000).for_each(|at| record(&mut small, at, &[(1, at as f64)]));
        assert_eq!(small.read(0, 100).at, (990..1000).collect::<Vec<_>>());
    }

    #[test]
    fn few_looks_are_evenly_chosen_with_first_and_last() {
        let mut series = Series::new(SERIES_BUDGET);
        assert_eq!(series.read(0, 3), Recorded::default());
        (0..101).for_each(|at| record(&mut series, at, &[(1, 1.0)]));
        assert_eq!(series.read(0, 3).at, [0, 50, 100]);
        assert_eq!(series.read(0, 0).at, [0, 100]);
        assert_eq!(series.read(1000, 5).at, [100], "nothing since then but what it would count from");
    }

    #[test]
    fn series_beyond_the_limit_are_counted() {
        let mut series = Series::new(SERIES_BUDGET);
        let all: Vec<(u32, f64)> = (0..MOST_SERIES as u32 + 2).map(|port| (port, 1.0)).collect();
        record(&mut series, 1, &all);
        let read = series.read(0, 10);
        assert_eq!((read.series.len(), read.untold), (MOST_SERIES, 2));
    }
}
