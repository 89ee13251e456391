//! What a file holds.

use crate::canvas::{Anchor, Canvas, Font, Place};
use crate::{Colour, Lines, Ranges};

/// Pixels.
const WIDTH: f64 = 860.0;
const MARGIN: f64 = 18.0;
/// Between panels.
const GAP: f64 = 22.0;

/// A picture.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// What is seen, in a sentence.
    pub title: String,
    /// How it was measured, in a sentence or two; wrapped.
    pub subtitle: String,
    /// From above.
    pub rows: Vec<Row>,
}

/// Panels beside each other.
#[derive(Clone, Debug)]
pub struct Row {
    /// Pixels; `None` is as high as the panels need.
    pub height: Option<f64>,
    /// From the left.
    pub panels: Vec<Panel>,
}

/// A part of a picture with axes of its own.
#[derive(Clone, Debug)]
pub enum Panel {
    /// Series over a number.
    Lines(Lines),
    /// Ranges beside each other.
    Ranges(Ranges),
    /// Room where a row has fewer panels than others.
    Empty,
}

impl Panel {
    fn height(&self) -> f64 {
        match self {
            Self::Lines(_) => Lines::HEIGHT,
            Self::Ranges(ranges) => ranges.height(),
            Self::Empty => 0.0,
        }
    }

    /// What the panel next to it needs not have: the room for names of series on the right.
    fn weight(&self) -> f64 {
        match self {
            Self::Lines(lines) => lines.names_width(),
            Self::Ranges(_) | Self::Empty => 0.0,
        }
    }

    fn draw(&self, canvas: &mut Canvas, place: Place) {
        match self {
            Self::Lines(lines) => lines.draw(canvas, place),
            Self::Ranges(ranges) => ranges.draw(canvas, place),
            Self::Empty => {}
        }
    }
}

impl Row {
    /// One panel, as high as it needs to be.
    pub fn of(panel: Panel) -> Self {
        Self { height: None, panels: vec![panel] }
    }

    fn height(&self) -> f64 {
        let needed = || self.panels.iter().map(Panel::height).fold(0.0, f64::max);
        self.height.unwrap_or_else(needed)
    }

    /// Gives every panel the same room for its data, and to the names at its lines what they need.
    fn draw(&self, canvas: &mut Canvas, top: f64) {
        let room = WIDTH - 2.0 * MARGIN - GAP * self.panels.len().saturating_sub(1) as f64;
        let names = self.panels.iter().map(Panel::weight).sum::<f64>();
        let even = (room - names) / self.panels.len().max(1) as f64;
        let mut left = MARGIN;
        for panel in &self.panels {
            let place = Place { left, top, width: even + panel.weight(), height: self.height() };
            panel.draw(canvas, place);
            left += place.width + GAP;
        }
    }
}

impl Figure {
    /// The picture as an SVG file.
    pub fn svg(&self) -> String {
        let mut canvas = Canvas::default();
        let mut top = MARGIN;
        if !self.title.is_empty() {
            for line in wrapped(&self.title, Font::TITLE, WIDTH - 2.0 * MARGIN) {
                canvas.text((MARGIN, top + 16.0), Anchor::Start, Font::TITLE, &line);
                top += 24.0;
            }
        }
        let note = Font { colour: Colour::Grey, ..Font::TEXT };
        for line in wrapped(&self.subtitle, note, WIDTH - 2.0 * MARGIN) {
            canvas.text((MARGIN, top + 12.0), Anchor::Start, note, &line);
            top += 17.0;
        }
        if top > MARGIN {
            top += 14.0;
        }
        for (at, row) in self.rows.iter().enumerate() {
            if at > 0 {
                top += GAP;
            }
            row.draw(&mut canvas, top);
            top += row.height();
        }
        let height = (top + MARGIN).ceil();
        canvas.into_file(&self.title, WIDTH, height)
    }
}

/// Lines of at most that many pixels, where words allow it.
fn wrapped(text: &str, font: Font, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if font.width(line) + font.width(word) + font.width(" ") <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
