//! Several series over a number, mostly time: as lines, or as areas on top of each other.

use crate::axis::{Axis, Ruler, Scale};
use crate::canvas::{Anchor, Canvas, Colour, Font, Mark, Place, Point, Stroke};
use crate::figure::{Figure, Panel, Row};
use crate::series::{Event, Level, Series, Shape};
use crate::spread::spread;
use crate::thin::thinned;

/// Pixels between the names of two series.
const NAME_GAP: f64 = 15.0;
/// Pixels of a line before its name.
const SAMPLE: f64 = 18.0;
/// A line of at most so many points shows where they are.
const FEW: usize = 12;
/// Pixels that a row of names of events takes.
const EVENT_HEIGHT: f64 = 16.0;

/// A chart of lines and stacked areas.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// What is seen.
    pub title: String,
    /// Below.
    pub x: Axis,
    /// At the left.
    pub y: Axis,
    /// Areas are painted first, then lines, each in this order.
    pub series: Vec<Series>,
    /// Vertical lines.
    pub events: Vec<Event>,
    /// Horizontal lines.
    pub levels: Vec<Level>,
    /// Leaves the names of series out, where a panel beside it has them.
    pub nameless: bool,
}

/// A stacked series.
struct Area {
    /// Its place among the series.
    series: usize,
    /// For each point x and the y of its lower and its upper side.
    sides: Vec<(f64, f64, f64)>,
}

/// Where the data is, and both axes.
struct Plot {
    place: Place,
    x: Ruler,
    y: Ruler,
    events: Vec<PlacedEvent>,
}

/// Where an event and its name are, in pixels.
struct PlacedEvent {
    at: f64,
    start: f64,
    anchor: Anchor,
    /// From 0, the lowest.
    row: usize,
}

impl Plot {
    fn at(&self, (x, y): (f64, f64)) -> Point {
        (
            self.place.left + self.x.share(x) * self.place.width,
            self.place.bottom() - self.y.share(y) * self.place.height,
        )
    }
}

impl Lines {
    /// Pixels, unless a row says otherwise.
    pub(crate) const HEIGHT: f64 = 300.0;

    /// The chart alone, as an SVG file.
    pub fn svg(self) -> String {
        let title = self.title.clone();
        let panel = Panel::Lines(Self { title: String::new(), ..self });
        Figure { title, rows: vec![Row::of(panel)], ..Figure::default() }.svg()
    }

    /// Pixels that the names of series take at the right.
    pub(crate) fn names_width(&self) -> f64 {
        let named = self.series.iter().filter(|_| !self.nameless);
        let width = named.map(|series| Font::TEXT.width(&series.name)).fold(0.0, f64::max);
        if width > 0.0 { width + SAMPLE + 15.0 } else { 0.0 }
    }

    fn colour(&self, at: usize) -> Colour {
        self.series[at].colour.unwrap_or_else(|| Colour::nth(at))
    }

    /// The stacked series, the lowest first.
    fn stack(&self) -> Vec<Area> {
        let mut below: Vec<f64> = Vec::new();
        let mut stack = Vec::new();
        let stacked = self.series.iter().enumerate().filter(|(_, it)| it.shape == Shape::Stacked);
        for (at, series) in stacked {
            below.resize(below.len().max(series.points.len()), 0.0);
            let sides = series.points.iter().zip(&mut below).map(|(&(x, y), below)| {
                let lower = *below;
                *below += if y.is_finite() { y } else { 0.0 };
                (x, lower, *below)
            });
            stack.push(Area { series: at, sides: sides.collect() });
        }
        stack
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, place: Place) {
        let stack = self.stack();
        let plot = self.frame(canvas, place, &stack);
        for Area { series, sides } in &stack {
            canvas.area(&outline(&plot, sides), self.colour(*series), 0.75, &self.series[*series].name);
        }
        for level in &self.levels {
            let stroke = Stroke { dashed: true, width: 1.5, ..Stroke::FRAME };
            let y = plot.at((0.0, level.at)).1;
            canvas.line((plot.place.left, y), (plot.place.right(), y), stroke);
            canvas.text((plot.place.left + 6.0, y - 5.0), Anchor::Start, Font::AXIS, &level.label);
        }
        for (at, series) in self.series.iter().enumerate().filter(|(_, it)| it.shape != Shape::Stacked) {
            line(canvas, &plot, series, self.colour(at));
        }
        self.events(canvas, &plot);
        if !self.nameless {
            self.names(canvas, &plot, &stack);
        }
    }

    /// Both axes; y may have so many pixels.
    fn rulers(&self, stack: &[Area], width: f64, height: f64) -> (Ruler, Ruler) {
        let lines = || self.series.iter().filter(|series| series.shape != Shape::Stacked);
        let points = lines().flat_map(|series| series.points.iter().map(|point| point.1));
        let bands = lines().flat_map(|series| series.band.iter().flat_map(|&(_, low, high)| [low, high]));
        let areas = stack.iter().flat_map(|area| area.sides.iter().flat_map(|&(_, low, high)| [low, high]));
        let ys = points.chain(bands).chain(areas).chain(self.levels.iter().map(|level| level.at));
        let xs = self.series.iter().flat_map(|series| series.points.iter().map(|point| point.0));
        let xs = xs.chain(self.events.iter().map(|event| event.at));
        let wide = if self.x.scale == Scale::Time { 100.0 } else { 60.0 };
        let x = self.x.tight(xs.clone()).ruler(xs, (width / wide) as usize);
        (x, self.y.ruler(ys, (height / 50.0) as usize))
    }

    /// Title, axes and grid.
    fn frame(&self, canvas: &mut Canvas, place: Place, stack: &[Area]) -> Plot {
        let (x, y) = self.rulers(stack, place.width - self.names_width() - 50.0, place.height);
        let title = if self.title.is_empty() { 0.0 } else { 24.0 };
        if !self.title.is_empty() {
            canvas.text((place.left, place.top + 12.0), Anchor::Start, Font::PANEL, &self.title);
        }
        let widest = y.ticks.iter().map(|(_, label)| Font::AXIS.width(label)).fold(0.0, f64::max);
        let left = place.left + widest + 10.0;
        // Half of the last label of x lies beyond the end.
        let last = x.ticks.last().map_or(0.0, |(at, label)| {
            Font::AXIS.width(label) / 2.0 * if x.share_of_place(*at) > 0.9 { 1.0 } else { 0.0 }
        });
        let right = place.right() - self.names_width().max(last);
        let across = Place { left, width: right - left, ..place };
        let events = self.placed_events(across, &x);
        let rows = events.iter().map(|event| event.row + 1).max().unwrap_or_default();
        let top = place.top + title + 24.0 + EVENT_HEIGHT * rows as f64;
        let inner = Place { top, height: place.bottom() - 40.0 - top, ..across };
        canvas.text((place.left, place.top + title + 10.0), Anchor::Start, Font::AXIS, &self.y.label);
        canvas.text(
            (left + inner.width / 2.0, place.bottom() - 4.0),
            Anchor::Middle,
            Font::AXIS,
            &self.x.label,
        );
        for (at, label) in &y.ticks {
            let height = inner.bottom() - y.share_of_place(*at) * inner.height;
            canvas.line((left, height), (right, height), Stroke::GRID);
            canvas.text((left - 7.0, height + 4.0), Anchor::End, Font::AXIS, label);
        }
        for (at, label) in &x.ticks {
            let along = left + x.share_of_place(*at) * inner.width;
            canvas.line((along, inner.bottom()), (along, inner.bottom() + 5.0), Stroke::FRAME);
            canvas.text((along, inner.bottom() + 19.0), Anchor::Middle, Font::AXIS, label);
        }
        canvas.line((left, inner.bottom()), (right, inner.bottom()), Stroke::FRAME);
        Plot { place: inner, x, y, events }
    }

    /// Where the names of events are written above the data: one that would lie on another goes a row higher.
    fn placed_events(&self, across: Place, x: &Ruler) -> Vec<PlacedEvent> {
        let mut ends: Vec<f64> = Vec::new();
        let placed = self.events.iter().map(|event| {
            let at = across.left + x.share(event.at) * across.width;
            let width = Font::TEXT.width(&event.label);
            let is_left = at + width > across.right() && at - width > across.left;
            let (start, anchor) = if is_left { (at + 3.0, Anchor::End) } else { (at - 3.0, Anchor::Start) };
            let first = if is_left { start - width } else { start };
            let row = ends.iter().position(|end| *end < first).unwrap_or(ends.len());
            ends.resize(ends.len().max(row + 1), f64::NEG_INFINITY);
            ends[row] = first + width + 8.0;
            PlacedEvent { at, start, anchor, row }
        });
        placed.collect()
    }

    /// Lines first: a name stands out of those of other events.
    fn events(&self, canvas: &mut Canvas, plot: &Plot) {
        let base = |placed: &PlacedEvent| plot.place.top - 6.0 - EVENT_HEIGHT * placed.row as f64;
        for placed in &plot.events {
            let (from, to) = ((placed.at, base(placed) + 3.0), (placed.at, plot.place.bottom()));
            canvas.line(from, to, Stroke { dashed: true, ..Stroke::FRAME });
        }
        for (event, placed) in self.events.iter().zip(&plot.events) {
            canvas.text((placed.start, base(placed)), placed.anchor, Font::TEXT, &event.label);
        }
    }

    /// The name of each series at its right end.
    fn names(&self, canvas: &mut Canvas, plot: &Plot, stack: &[Area]) {
        let middle = |area: &Area| {
            area.sides.last().map(|&(x, low, high)| (area.series, plot.at((x, f64::midpoint(low, high)))))
        };
        let lines = self.series.iter().enumerate().filter(|(_, series)| series.shape != Shape::Stacked);
        let end = |(at, series): (usize, &Series)| {
            let last = series.points.iter().rfind(|(x, y)| x.is_finite() && y.is_finite())?;
            Some((at, plot.at(*last)))
        };
        let named: Vec<_> = stack.iter().filter_map(middle).chain(lines.filter_map(end)).collect();
        let wished: Vec<f64> = named.iter().map(|(_, (_, y))| *y).collect();
        let places = spread(&wished, NAME_GAP, plot.place.top, plot.place.bottom());
        for ((at, (x, y)), place) in named.into_iter().zip(places) {
            let series = &self.series[at];
            let right = plot.place.right();
            let lead = Stroke { colour: self.colour(at), width: 1.0, dashed: false, opacity: 1.0 };
            canvas.polyline(&[(x.max(right - 1.0), y), (right + 6.0, place)], lead, &series.name);
            let sample = Stroke { width: 2.5, dashed: series.shape == Shape::Dashed, ..lead };
            canvas.line((right + 6.0, place), (right + 6.0 + SAMPLE, place), sample);
            canvas.text((right + 11.0 + SAMPLE, place + 4.0), Anchor::Start, Font::TEXT, &series.name);
        }
    }
}

/// An area between a lower and an upper y for each x.
fn outline(plot: &Plot, sides: &[(f64, f64, f64)]) -> Vec<Point> {
    let upper: Vec<_> = sides.iter().map(|&(x, _, y)| plot.at((x, y))).collect();
    let lower: Vec<_> = sides.iter().rev().map(|&(x, y, _)| plot.at((x, y))).collect();
    [thinned(&upper), thinned(&lower)].concat()
}

/// A line with its band; broken where a value is no number.
fn line(canvas: &mut Canvas, plot: &Plot, series: &Series, colour: Colour) {
    if !series.band.is_empty() {
        canvas.area(&outline(plot, &series.band), colour, 0.2, &series.name);
    }
    let stroke = Stroke { colour, width: 2.0, dashed: series.shape == Shape::Dashed, opacity: 1.0 };
    for piece in series.points.split(|(x, y)| !x.is_finite() || !y.is_finite()) {
        let mut points: Vec<Point> = Vec::new();
        for &point in piece {
            let (x, y) = plot.at(point);
            if let (Shape::Steps, Some(&(_, before))) = (series.shape, points.last()) {
                points.push((x, before));
            }
            points.push((x, y));
        }
        if points.is_empty() {
            continue;
        }
        canvas.polyline(&thinned(&points), stroke, &series.name);
        if series.points.len() <= FEW {
            points.iter().for_each(|&point| canvas.mark(Mark::Circle, point, 3.5, colour, 1.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::texts;

    fn load() -> Lines {
        let ramp = |top: f64| (0..5).map(|second| (f64::from(second), top)).collect();
        Lines {
            title: "Load of <e1 & m1>".into(),
            x: Axis::linear("seconds"),
            y: Axis::linear("Mbit/s").from(0.0),
            series: vec![
                Series::stacked("one", ramp(60.0)),
                Series::stacked("other", ramp(30.0)),
                Series::line("goodput", ramp(85.0)).colour(Colour::Ink),
            ],
            events: vec![Event { at: 2.0, label: "link fails".into() }],
            levels: vec![Level { at: 100.0, label: "capacity".into() }],
            ..Lines::default()
        }
    }

    #[test]
    fn a_chart_is_xml_with_title_axes_names_events_and_levels() {
        let texts = texts(&load().svg());
        for wanted in [
            "Load of <e1 & m1>",
            "seconds",
            "Mbit/s",
            "one",
            "other",
            "goodput",
            "link fails",
            "capacity",
            "100",
            "4.0",
        ] {
            assert!(texts.iter().any(|text| text == wanted), "{wanted} in {texts:?}");
        }
    }

    #[test]
    fn the_same_data_gives_the_same_bytes() {
        assert_eq!(load().svg(), load().svg());
    }

    #[test]
    fn stacked_areas_lie_on_each_other() {
        let stack = load().stack();
        assert_eq!(stack[0].sides[3], (3.0, 0.0, 60.0));
        assert_eq!(stack[1].sides[3], (3.0, 60.0, 90.0));
    }

    #[test]
    fn a_value_that_is_no_number_is_a_gap_and_never_written() {
        let points =
            vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, f64::INFINITY), (4.0, 1.0), (5.0, 2.0)];
        let svg = Lines { series: vec![Series::line("a", points)], ..Lines::default() }.svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("<path").count(), 3, "two pieces and what leads to the name");
    }

    #[test]
    fn names_of_events_that_are_close_are_written_above_each_other() {
        let events = [2.0, 2.1].map(|at| Event { at, label: "a link fails".into() }).to_vec();
        let lines = Lines { events, ..load() };
        let across = Place { left: 0.0, top: 0.0, width: 400.0, height: 0.0 };
        let placed = lines.placed_events(across, &Axis::linear("").ruler([0.0, 4.0].into_iter(), 4));
        assert_eq!(placed.iter().map(|event| event.row).collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn many_points_make_no_large_picture() {
        let points: Vec<_> = (0..100_000).map(|at| (f64::from(at), f64::from(at % 100))).collect();
        let band = points.iter().map(|(x, y)| (*x, y - 1.0, y + 1.0)).collect();
        let line = Series { band, ..Series::line("a", points.clone()) };
        let svg = Lines { series: vec![line, Series::stacked("b", points)], ..Lines::default() }.svg();
        assert!(svg.len() < 500_000, "{} bytes", svg.len());
    }

    #[test]
    fn names_may_hold_anything() {
        let series = vec![Series::line("a\u{7}b\u{0}<\"&'>\u{FFFF}", vec![(0.0, 1.0), (1.0, 2.0)])];
        let lines = Lines { title: "]]>\u{1b}[31m".into(), series, ..Lines::default() };
        assert!(texts(&lines.svg()).contains(&"a b <\"&'>".to_owned()));
    }

    #[test]
    fn nothing_to_draw_is_a_picture_too() {
        texts(&Lines::default().svg());
    }
}
