//! A picture that moves: what the paths between two hosts carry, as it was measured.

use svg::node::element::{Animate, Path, Rectangle};

use crate::Colour;
use crate::canvas::{Anchor, Canvas, Font, Place, Stroke};

/// Pixels.
const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 330.0;
const TOP: f64 = 86.0;
/// Where the lanes of a scene are and how far apart the outer ones.
const LANES: Place = Place { left: 56.0, top: TOP + 24.0, width: 236.0, height: 170.0 };
/// The bar of what arrives.
const BAR: Place = Place { left: 344.0, top: TOP + 16.0, width: 30.0, height: 186.0 };
/// Width of a lane that carries all it can.
const FULL: f64 = 18.0;
/// Width of a lane that carries nothing.
const IDLE: f64 = 1.5;
/// How long the end stands still, in seconds as they are played.
const REST: f64 = 3.0;

/// Points by seconds, ascending from 0 on.
pub type Course = Vec<(f64, f64)>;

/// Scenes beside each other that play at the same time, again and again. Viewers that do not animate show the end.
#[derive(Clone, Debug, Default)]
pub struct Film {
    /// What is seen, in a sentence.
    pub title: String,
    /// How it was measured.
    pub subtitle: String,
    /// How many seconds one second takes.
    pub slower: f64,
    /// Two of them fit.
    pub scenes: Vec<Scene>,
}

/// Two hosts, the paths between them and what arrives.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// What it is.
    pub title: String,
    /// Each path with what it carries.
    pub lanes: Vec<(String, Course)>,
    /// What all paths together can carry, in the unit of the courses.
    pub capacity: f64,
    /// What arrives.
    pub arrives: Course,
    /// What came of it, below the bar.
    pub outcome: String,
}

impl Film {
    /// The film as an SVG file, animated by SMIL, which browsers also play in an `img`.
    pub fn svg(&self) -> String {
        let mut canvas = Canvas::default();
        canvas.text((18.0, 34.0), Anchor::Start, Font::TITLE, &self.title);
        let note = Font { colour: Colour::Grey, ..Font::TEXT };
        canvas.text((18.0, 56.0), Anchor::Start, note, &self.subtitle);
        let courses = self
            .scenes
            .iter()
            .flat_map(|scene| scene.lanes.iter().map(|(_, course)| course).chain([&scene.arrives]));
        let end = courses.filter_map(|course| course.last()).map(|point| point.0).fold(0.0, f64::max);
        let clock = Clock { slower: self.slower, end };
        for (at, scene) in self.scenes.iter().enumerate() {
            scene.draw(&mut canvas, at as f64 * WIDTH / 2.0, &clock);
        }
        canvas.into_file(&self.title, WIDTH, HEIGHT)
    }
}

impl Scene {
    fn draw(&self, canvas: &mut Canvas, left: f64, clock: &Clock) {
        canvas.text((left + 18.0, TOP - 6.0), Anchor::Start, Font::PANEL, &self.title);
        let middle = LANES.top + LANES.height / 2.0;
        let share = self.capacity / self.lanes.len().max(1) as f64;
        let gap = LANES.height / self.lanes.len().saturating_sub(1).max(1) as f64;
        let (from, to) = (left + LANES.left, left + LANES.left + LANES.width);
        for (n, (name, course)) in self.lanes.iter().enumerate() {
            let y = LANES.top + n as f64 * gap;
            let way = format!("M{from},{middle}C{},{y} {},{y} {to},{middle}", from + 50.0, to - 50.0);
            // A curve of Bezier comes three quarters as near to its middle points.
            let top = middle + 0.75 * (y - middle);
            let width = |carried: f64| IDLE + (FULL - IDLE) * (carried / share).clamp(0.0, 1.0);
            let lane =
                Path::new().set("d", way.as_str()).set("fill", "none").set("stroke", Colour::nth(n).hex());
            let lane = lane.set("stroke-width", round(width(last(course)))).set("stroke-opacity", 0.85);
            canvas.add(lane.add(clock.animate("stroke-width", course, width)));
            let frames = |carried: f64| 0.9 * (carried / share).clamp(0.0, 1.0);
            let flow = Path::new().set("d", way.as_str()).set("fill", "none").set("stroke", "#FFFFFF");
            let flow = flow
                .set("stroke-width", 3)
                .set("stroke-dasharray", "5 19")
                .set("stroke-opacity", round(frames(last(course))));
            let runs = Animate::new().set("attributeName", "stroke-dashoffset").set("from", 0).set("to", -96);
            let flow = flow.add(runs.set("dur", "1.6s").set("repeatCount", "indefinite"));
            canvas.add(flow.add(clock.animate("stroke-opacity", course, frames)));
            canvas.text(((from + to) / 2.0, top - FULL / 2.0 - 5.0), Anchor::Middle, Font::AXIS, name);
        }
        for (x, name) in [(from, "h1"), (to, "h2")] {
            let host = Rectangle::new().set("x", round(x - 19.0)).set("y", round(middle - 15.0));
            let host = host.set("width", 38).set("height", 30).set("rx", 4).set("fill", "#FFFFFF");
            canvas.add(host.set("stroke", Colour::Ink.hex()).set("stroke-width", 1.5));
            let font = Font { bold: true, ..Font::TEXT };
            canvas.text((x, middle + 4.5), Anchor::Middle, font, name);
        }
        self.draw_bar(canvas, left + BAR.left, clock);
    }

    fn draw_bar(&self, canvas: &mut Canvas, x: f64, clock: &Clock) {
        let height = |arrived: f64| BAR.height * (arrived / self.capacity).clamp(0.0, 1.0);
        canvas.bar(Place { left: x, ..BAR }, Colour::Grey, 0.14);
        let bar = Rectangle::new().set("x", x).set("width", BAR.width).set("fill", Colour::Ink.hex());
        let end = height(last(&self.arrives));
        let bar = bar.set("y", round(BAR.bottom() - end)).set("height", round(end));
        let bar = bar.add(clock.animate("height", &self.arrives, height));
        canvas.add(bar.add(clock.animate("y", &self.arrives, |arrived| BAR.bottom() - height(arrived))));
        let level = Stroke { dashed: true, ..Stroke::FRAME };
        canvas.line((x - 8.0, BAR.top), (x + BAR.width + 8.0, BAR.top), level);
        let font = Font { colour: Colour::Grey, ..Font::AXIS };
        let middle = x + BAR.width / 2.0;
        canvas.text(
            (middle, BAR.top - 6.0),
            Anchor::Middle,
            font,
            &format!("{} Mbit/s", crate::number(self.capacity)),
        );
        canvas.text(
            (middle, BAR.bottom() + 20.0),
            Anchor::Middle,
            Font { bold: true, ..Font::TEXT },
            &self.outcome,
        );
    }
}

/// When what is shown.
struct Clock {
    slower: f64,
    /// Seconds as they were measured.
    end: f64,
}

impl Clock {
    /// An attribute that follows a course, then rests at its end.
    fn animate(&self, attribute: &str, course: &[(f64, f64)], value: impl Fn(f64) -> f64) -> Animate {
        let total = self.end * self.slower + REST;
        let moments = course.iter().map(|(at, measured)| (at * self.slower / total, value(*measured)));
        let moments: Vec<_> = std::iter::once((0.0, value(0.0)))
            .chain(moments.filter(|moment| moment.0 > 0.0))
            .chain([(1.0, value(last(course)))])
            .collect();
        let list = |texts: Vec<String>| texts.join(";");
        Animate::new()
            .set("attributeName", attribute)
            .set("dur", format!("{total:.1}s"))
            .set("repeatCount", "indefinite")
            .set("keyTimes", list(moments.iter().map(|(at, _)| format!("{at:.4}")).collect()))
            .set("values", list(moments.iter().map(|(_, value)| round(*value).to_string()).collect()))
    }
}

fn last(course: &[(f64, f64)]) -> f64 {
    course.last().map_or(0.0, |point| point.1)
}

fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_bar_follow_what_was_measured_and_end_as_it_ended() {
        let lanes = vec![
            ("by m1".to_owned(), vec![(0.5, 50.0), (1.0, 100.0)]),
            ("by m2".to_owned(), vec![(0.5, 0.0), (1.0, 0.0)]),
        ];
        let scene = Scene {
            title: "One".to_owned(),
            lanes,
            capacity: 200.0,
            arrives: vec![(0.5, 50.0), (1.0, 100.0)],
            outcome: "50 %".to_owned(),
        };
        let svg =
            Film { title: "A film".to_owned(), slower: 2.0, scenes: vec![scene], ..Film::default() }.svg();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let values = |attribute: &str| -> Vec<&str> {
            let animated =
                document.descendants().filter(|node| node.attribute("attributeName") == Some(attribute));
            animated.filter_map(|node| node.attribute("values")).collect()
        };
        assert_eq!(values("stroke-width"), ["1.5;9.75;18;18", "1.5;1.5;1.5;1.5"]);
        assert_eq!(values("height"), ["0;46.5;93;93"]);
        let times = document.descendants().find_map(|node| node.attribute("keyTimes")).unwrap();
        assert_eq!(times, "0.0000;0.2000;0.4000;1.0000");
        assert!(svg.contains("by m2") && svg.contains("50 %") && !svg.contains("NaN"));
    }
}
