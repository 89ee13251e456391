//! What a chart of lines shows: series, events and levels.

use crate::Colour;

/// How a series is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// A line from point to point.
    #[default]
    Line,
    /// The same, dashed: what others are compared with.
    Dashed,
    /// A value that holds until the next point.
    Steps,
    /// An area on top of the stacked series before it. The n-th points of all of them have the same x.
    Stacked,
}

/// A series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// What it is called, at its right end.
    pub name: String,
    /// `None`: the next of [`Colour::nth`].
    pub colour: Option<Colour>,
    /// How it is drawn.
    pub shape: Shape,
    /// By ascending x. A y that is no number is a gap.
    pub points: Vec<(f64, f64)>,
    /// For some x the least and greatest y that were measured: a pale area around the line.
    pub band: Vec<(f64, f64, f64)>,
}

impl Series {
    /// A line.
    pub fn line(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, ..Self::default() }
    }

    /// A stacked area.
    pub fn stacked(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.into(), points, shape: Shape::Stacked, ..Self::default() }
    }

    /// In this colour.
    #[must_use]
    pub fn colour(self, colour: Colour) -> Self {
        Self { colour: Some(colour), ..self }
    }

    /// In this shape.
    #[must_use]
    pub fn shape(self, shape: Shape) -> Self {
        Self { shape, ..self }
    }
}

/// Something that happened: a vertical line.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When: an x.
    pub at: f64,
    /// What.
    pub label: String,
}

/// A value to compare with, such as a limit: a dashed line across all the data.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// Which.
    pub at: f64,
    /// What it is.
    pub label: String,
}
