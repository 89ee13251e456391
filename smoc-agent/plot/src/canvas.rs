//! What charts are drawn with: SVG elements at pixels, counted from the upper left corner.

use svg::Document;
use svg::node::element::{Circle, Group, Line, Path, Rectangle, Text, Title};

/// The colours of Okabe and Ito (2008) but yellow, which nobody sees on white, and two for what is no series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// #0072B2
    #[default]
    Blue,
    /// #E69F00
    Orange,
    /// #009E73
    Green,
    /// #D55E00
    Vermillion,
    /// #CC79A7
    Purple,
    /// #56B4E9
    Sky,
    /// What is written, and lines that sum up others.
    Ink,
    /// What stands behind: references, axes.
    Grey,
}

impl Colour {
    const SERIES: [Self; 6] =
        [Self::Blue, Self::Orange, Self::Green, Self::Vermillion, Self::Purple, Self::Sky];

    /// That of the n-th series, from 0; they come again after six.
    pub fn nth(n: usize) -> Self {
        Self::SERIES[n % Self::SERIES.len()]
    }

    pub(crate) fn hex(self) -> &'static str {
        match self {
            Self::Blue => "#0072B2",
            Self::Orange => "#E69F00",
            Self::Green => "#009E73",
            Self::Vermillion => "#D55E00",
            Self::Purple => "#CC79A7",
            Self::Sky => "#56B4E9",
            Self::Ink => "#222222",
            Self::Grey => "#6B6B6B",
        }
    }
}

/// Pixels: x to the right, y downwards.
pub type Point = (f64, f64);

/// A part of the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Place {
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }
}

/// Where a text has its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub struct Font {
    /// Pixels.
    pub size: f64,
    pub bold: bool,
    pub colour: Colour,
}

impl Font {
    pub const TITLE: Self = Self { size: 18.0, bold: true, colour: Colour::Ink };
    pub const PANEL: Self = Self { size: 14.0, bold: true, colour: Colour::Ink };
    pub const TEXT: Self = Self { size: 12.5, bold: false, colour: Colour::Ink };
    pub const AXIS: Self = Self { size: 12.0, bold: false, colour: Colour::Grey };

    /// About how wide a text is, in pixels: as in DejaVu Sans, which is wider than most.
    pub fn width(self, text: &str) -> f64 {
        let em = |letter: char| match letter {
            'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.32,
            ' ' | 'f' | 't' | 'r' | '(' | ')' | '-' | '/' => 0.4,
            'm' | 'w' | 'M' | 'W' | '%' => 0.95,
            'A'..='Z' => 0.7,
            _ => 0.62,
        };
        text.chars().map(em).sum::<f64>() * self.size * if self.bold { 1.1 } else { 1.0 }
    }
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    pub colour: Colour,
    /// Pixels.
    pub width: f64,
    pub dashed: bool,
    /// 0 to 1.
    pub opacity: f64,
}

impl Stroke {
    pub const GRID: Self = Self { colour: Colour::Grey, width: 1.0, dashed: false, opacity: 0.22 };
    pub const FRAME: Self = Self { colour: Colour::Grey, width: 1.0, dashed: false, opacity: 1.0 };
}

/// What marks the middle of a range: another shape for each series.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    Circle,
    Diamond,
    Square,
    Triangle,
}

impl Mark {
    pub fn nth(n: usize) -> Self {
        [Self::Circle, Self::Diamond, Self::Square, Self::Triangle][n % 4]
    }
}

/// Elements in the order in which they are painted.
#[derive(Default)]
pub struct Canvas(Group);

impl Canvas {
    /// The text of an SVG file, white where nothing was drawn.
    pub fn into_file(self, title: &str, width: f64, height: f64) -> String {
        let paper = Rectangle::new().set("width", width).set("height", height).set("fill", "#FFFFFF");
        let document = Document::new()
            .set("viewBox", (0, 0, width, height))
            .set("width", width)
            .set("height", height)
            .set("role", "img")
            .set("font-family", "sans-serif")
            .add(Title::new(printable(title)))
            .add(paper)
            .add(self.0);
        format!("{document}\n")
    }

    pub fn add(&mut self, element: impl Into<Box<dyn svg::Node>>) {
        svg::Node::append(&mut self.0, element);
    }

    pub fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        let line = Line::new().set("x1", px(from.0)).set("y1", px(from.1));
        let line = line.set("x2", px(to.0)).set("y2", px(to.1)).set("stroke", stroke.colour.hex());
        let mut line = line.set("stroke-width", stroke.width).set("stroke-opacity", stroke.opacity);
        if stroke.dashed {
            line = line.set("stroke-dasharray", "5 4");
        }
        self.add(line);
    }

    pub fn polyline(&mut self, points: &[Point], stroke: Stroke, tooltip: &str) {
        let mut path = Path::new().set("d", outline(points)).set("fill", "none");
        path = path.set("stroke", stroke.colour.hex()).set("stroke-width", stroke.width);
        path = path.set("stroke-linejoin", "round").set("stroke-opacity", stroke.opacity);
        if stroke.dashed {
            path = path.set("stroke-dasharray", "5 4");
        }
        self.add(path.add(Title::new(printable(tooltip))));
    }

    pub fn area(&mut self, points: &[Point], colour: Colour, opacity: f64, tooltip: &str) {
        let path = Path::new().set("d", format!("{}Z", outline(points))).set("fill", colour.hex());
        self.add(path.set("fill-opacity", opacity).add(Title::new(printable(tooltip))));
    }

    pub fn bar(&mut self, place: Place, colour: Colour, opacity: f64) {
        let Place { left, top, width, height } = place;
        let bar = Rectangle::new().set("x", px(left)).set("y", px(top)).set("width", px(width.max(0.0)));
        self.add(bar.set("height", px(height)).set("fill", colour.hex()).set("fill-opacity", opacity));
    }

    pub fn mark(&mut self, mark: Mark, at: Point, size: f64, colour: Colour, opacity: f64) {
        let (x, y) = at;
        let corners: &[Point] = match mark {
            Mark::Circle => {
                let circle = Circle::new().set("cx", px(x)).set("cy", px(y)).set("r", px(size));
                self.add(circle.set("fill", colour.hex()).set("fill-opacity", opacity));
                return;
            }
            Mark::Diamond => &[(0.0, -1.25), (1.25, 0.0), (0.0, 1.25), (-1.25, 0.0)],
            Mark::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Mark::Triangle => &[(0.0, -1.1), (1.1, 0.9), (-1.1, 0.9)],
        };
        let points: Vec<_> =
            corners.iter().map(|(right, down)| (x + right * size, y + down * size)).collect();
        let path = Path::new().set("d", format!("{}Z", outline(&points))).set("fill", colour.hex());
        self.add(path.set("fill-opacity", opacity));
    }

    /// A text whose base line is at `at`, which has a white border so that lines behind it do not cross it out.
    pub fn text(&mut self, at: Point, anchor: Anchor, font: Font, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let mut element =
            Text::new(printable(text)).set("x", px(at.0)).set("y", px(at.1)).set("text-anchor", anchor);
        element = element.set("font-size", font.size).set("fill", font.colour.hex());
        element = element.set("stroke", "#FFFFFF").set("stroke-width", 3).set("paint-order", "stroke");
        if font.bold {
            element = element.set("font-weight", "bold");
        }
        self.add(element);
    }
}

/// The text without what XML does not allow (XML 1.0 section 2.2): other control characters than white space.
pub fn printable(text: &str) -> String {
    let is_allowed = |letter: char| !letter.is_control() && !matches!(letter, '\u{FFFE}' | '\u{FFFF}');
    text.chars().map(|letter| if is_allowed(letter) { letter } else { ' ' }).collect()
}

fn outline(points: &[Point]) -> String {
    let mut outline = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        outline.push_str(&format!("{command}{},{}", px(*x), px(*y)));
    }
    outline
}

/// A tenth of a pixel is as exact as anybody sees; -0 is 0.
fn px(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}
