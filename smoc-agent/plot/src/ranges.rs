//! The least, middle and greatest of what was measured, a row for each thing and a mark for each series.

use crate::axis::{Axis, Ruler};
use crate::canvas::{Anchor, Canvas, Colour, Font, Mark, Place, Stroke};
use crate::figure::{Figure, Panel, Row};
use crate::series::Level;

/// Pixels: each mark's share of its row's height, and what is between two rows.
const MARK_HEIGHT: f64 = 17.0;
const ROW_GAP: f64 = 9.0;
/// Pixels beside the rows: axis, its label.
const AXIS_HEIGHT: f64 = 44.0;

/// What was measured of one thing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Range {
    /// The least.
    pub low: f64,
    /// The median: the mark.
    pub middle: f64,
    /// The greatest.
    pub high: f64,
    /// What is written behind it, such as the median in words.
    pub label: String,
}

impl Range {
    /// Of several measurements; `None` if there is none. Those that are no numbers do not count.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let middle = match values.len() {
            n if n % 2 == 1 => *values.get(n / 2)?,
            n => f64::midpoint(*values.get((n / 2).checked_sub(1)?)?, *values.get(n / 2)?),
        };
        Some(Self { low: *values.first()?, middle, high: *values.last()?, label: String::new() })
    }

    /// With this behind it.
    #[must_use]
    pub fn label(self, label: impl Into<String>) -> Self {
        Self { label: label.into(), ..self }
    }
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Category {
    /// What was measured.
    pub name: String,
    /// For each series, in their order; `None` where it has none.
    pub ranges: Vec<Option<Range>>,
    /// How much it may be at most: a line at its row.
    pub limit: Option<f64>,
}

/// A chart of ranges.
#[derive(Clone, Debug, Default)]
pub struct Ranges {
    /// What is seen.
    pub title: String,
    /// Below. On a linear one from zero bars lead to the marks.
    pub axis: Axis,
    /// Names; those of one alone are left out.
    pub series: Vec<(String, Colour)>,
    /// From above.
    pub rows: Vec<Category>,
    /// Vertical lines.
    pub levels: Vec<Level>,
}

impl Ranges {
    /// The chart alone, as an SVG file.
    pub fn svg(self) -> String {
        let title = self.title.clone();
        let panel = Panel::Ranges(Self { title: String::new(), ..self });
        Figure { title, rows: vec![Row::of(panel)], ..Figure::default() }.svg()
    }

    fn has_legend(&self) -> bool {
        self.series.len() > 1
    }

    fn has_limits(&self) -> bool {
        self.rows.iter().any(|row| row.limit.is_some())
    }

    /// Pixels above the rows.
    fn head(&self) -> f64 {
        let title = if self.title.is_empty() { 0.0 } else { 24.0 };
        let legend = if self.has_legend() { 22.0 } else { 0.0 };
        title + legend + if self.levels.is_empty() { 0.0 } else { 18.0 }
    }

    fn row_height(&self) -> f64 {
        MARK_HEIGHT * self.series.len().max(1) as f64 + ROW_GAP
    }

    /// Pixels that it needs.
    pub(crate) fn height(&self) -> f64 {
        self.head() + self.row_height() * self.rows.len() as f64 + AXIS_HEIGHT
    }

    fn all(&self) -> impl Iterator<Item = &Range> {
        self.rows.iter().flat_map(|row| row.ranges.iter().flatten())
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, place: Place) {
        let names = self.rows.iter().map(|row| Font::TEXT.width(&row.name)).fold(0.0, f64::max);
        let labels = self.all().map(|range| Font::AXIS.width(&range.label)).fold(12.0, f64::max);
        let (left, top) = (place.left + names + 12.0, place.top + self.head());
        let height = place.bottom() - AXIS_HEIGHT - top;
        let inner = Place { left, top, width: place.right() - labels - 16.0 - left, height };
        let values = self.all().flat_map(|range| [range.low, range.middle, range.high]);
        let limits = self.rows.iter().filter_map(|row| row.limit);
        let values = values.chain(limits).chain(self.levels.iter().map(|level| level.at));
        let ruler = self.axis.ruler(values, (inner.width / 80.0) as usize);
        self.frame(canvas, place, inner, &ruler);
        let step = height / self.rows.len().max(1) as f64;
        for (number, row) in self.rows.iter().enumerate() {
            let band = Place { top: top + step * number as f64, height: step, ..inner };
            canvas.text((left - 10.0, band.top + step / 2.0 + 4.5), Anchor::End, Font::TEXT, &row.name);
            self.row(canvas, band, &ruler, row);
        }
    }

    /// Title, names of series, axis and grid.
    fn frame(&self, canvas: &mut Canvas, place: Place, inner: Place, ruler: &Ruler) {
        let mut y = place.top;
        if !self.title.is_empty() {
            canvas.text((place.left, y + 12.0), Anchor::Start, Font::PANEL, &self.title);
            y += 24.0;
        }
        if self.has_legend() {
            let mut x = inner.left;
            for (number, (name, colour)) in self.series.iter().enumerate() {
                canvas.mark(Mark::nth(number), (x + 5.0, y + 6.0), 5.0, *colour, 1.0);
                canvas.text((x + 16.0, y + 10.5), Anchor::Start, Font::TEXT, name);
                x += 40.0 + Font::TEXT.width(name);
            }
        }
        for (at, label) in &ruler.ticks {
            let x = inner.left + ruler.share_of_place(*at) * inner.width;
            canvas.line((x, inner.top), (x, inner.bottom()), Stroke::GRID);
            canvas.text((x, inner.bottom() + 18.0), Anchor::Middle, Font::AXIS, label);
        }
        canvas.line((inner.left, inner.bottom()), (inner.right(), inner.bottom()), Stroke::FRAME);
        let middle = inner.left + inner.width / 2.0;
        canvas.text((middle, inner.bottom() + 37.0), Anchor::Middle, Font::AXIS, &self.axis.label);
        for level in &self.levels {
            let x = inner.left + ruler.share(level.at) * inner.width;
            let stroke = Stroke { dashed: true, width: 1.5, ..Stroke::FRAME };
            canvas.line((x, inner.top), (x, inner.bottom()), stroke);
            let half = Font::AXIS.width(&level.label) / 2.0;
            let x = x.max(inner.left + half).min(place.right() - half);
            canvas.text((x, inner.top - 5.0), Anchor::Middle, Font::AXIS, &level.label);
        }
    }

    fn row(&self, canvas: &mut Canvas, band: Place, ruler: &Ruler, row: &Category) {
        let x = |value: f64| band.left + ruler.share(value) * band.width;
        let each = (band.height - ROW_GAP) / self.series.len().max(1) as f64;
        let has_bars = self.axis.scale == crate::Scale::Linear && ruler.low == 0.0;
        if let Some(limit) = row.limit {
            let stroke = Stroke { colour: Colour::Ink, width: 2.0, dashed: false, opacity: 1.0 };
            canvas.line((x(limit), band.top + 3.0), (x(limit), band.bottom() - 3.0), stroke);
        }
        for (number, range) in row.ranges.iter().enumerate() {
            let Some(range) = range.as_ref().filter(|range| range.middle.is_finite()) else { continue };
            let colour = self.series.get(number).map_or_else(|| Colour::nth(number), |(_, colour)| *colour);
            let y = band.top + ROW_GAP / 2.0 + each * (number as f64 + 0.5);
            if has_bars {
                let bar =
                    Place { left: band.left, top: y - 6.0, width: x(range.middle) - band.left, height: 12.0 };
                canvas.bar(bar, colour, 0.3);
            }
            let (low, high) = (x(range.low), x(range.high));
            canvas.line((low, y), (high, y), Stroke { colour, width: 2.5, dashed: false, opacity: 0.8 });
            for end in [low, high] {
                canvas.line(
                    (end, y - 4.0),
                    (end, y + 4.0),
                    Stroke { colour, width: 1.5, dashed: false, opacity: 0.8 },
                );
            }
            canvas.mark(Mark::nth(number), (x(range.middle), y), 4.5, colour, 1.0);
            // Strokes of limits would cross out what is written right behind a mark.
            let behind =
                if self.has_limits() { band.right() + 14.0 } else { high.max(x(range.middle)) + 10.0 };
            canvas.text((behind, y + 4.0), Anchor::Start, Font::AXIS, &range.label);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;

    fn lost() -> Ranges {
        let row = |name: &str, smoc: &[f64], ecmp: &[f64]| Category {
            name: name.into(),
            ranges: vec![Range::of(smoc).map(|it| it.label("few")), Range::of(ecmp)],
            limit: Some(3.0),
        };
        Ranges {
            title: "Frames lost".into(),
            axis: Axis::log("frames"),
            series: vec![("smoc".into(), Colour::Blue), ("kernel ECMP".into(), Colour::Orange)],
            rows: vec![row("link down", &[0.0, 1.0, 2.0], &[15.0]), row("silent", &[30.0], &[])],
            levels: vec![Level { at: 10.0, label: "ten".into() }],
        }
    }

    #[test]
    fn a_chart_is_xml_with_title_axis_series_rows_and_levels() {
        let texts = texts(&lost().svg());
        for wanted in
            ["Frames lost", "frames", "smoc", "kernel ECMP", "link down", "silent", "few", "ten", "0", "50"]
        {
            assert!(texts.iter().any(|text| text == wanted), "{wanted} in {texts:?}");
        }
    }

    #[test]
    fn a_range_is_of_the_numbers_that_were_measured() {
        let range = Range::of(&[3.0, f64::NAN, 1.0, 10.0]).unwrap();
        assert_eq!((range.low, range.middle, range.high), (1.0, 3.0, 10.0));
        assert_eq!(Range::of(&[1.0, 2.0]).unwrap().middle, 1.5);
        assert_eq!(Range::of(&[f64::NAN]), None);
        assert_eq!(Range::of(&[]), None);
    }

    #[test]
    fn every_range_has_its_mark_and_a_row_without_one_has_none() {
        let svg = lost().svg();
        // Each series has a mark among the names as well.
        assert_eq!(svg.matches("<circle").count(), 1 + 2);
        assert_eq!(svg.matches("<path").count(), 1 + 1);
    }
}
