//! Charts as SVG: plain data in, a `String` out. The same data gives the same bytes.
//!
//! A [`Figure`] is what a file holds: a title and rows of panels. A panel is [`Lines`] (several series over time or over
//! another number, as lines or stacked areas; of very many points those are drawn that can be seen) or [`Ranges`] (the least,
//! middle and greatest of what was measured, a row for each thing). A [`Film`] is a picture that moves.
//!
//! ```
//! use smoc_plot::{Axis, Lines, Series};
//!
//! let svg = Lines {
//!     title: "Load of e1:1-m1:1".into(),
//!     x: Axis::linear("seconds"),
//!     y: Axis::linear("Mbit/s").from(0.0),
//!     series: vec![Series::line("e1 to m1", vec![(0.0, 91.5), (1.0, 94.3)])],
//!     ..Lines::default()
//! }
//! .svg();
//! assert!(svg.contains("e1 to m1"));
//! ```
//!
//! Colours are those of Okabe and Ito, which people tell apart however they see colours; a mark or a name at the line says the
//! same. The ground is white, so that a picture is as legible on a dark page. Values that are no numbers (NaN, infinite) are left
//! out, and a line has a gap there.

mod axis;
mod canvas;
mod figure;
mod file;
mod film;
mod lines;
mod number;
mod ranges;
mod series;
mod spread;
#[cfg(test)]
mod testing;
mod thin;

pub use axis::{Axis, Scale};
pub use canvas::Colour;
pub use figure::{Figure, Panel, Row};
pub use file::SvgFile;
pub use film::{Course, Film, Scene};
pub use lines::Lines;
pub use number::number;
pub use ranges::{Category, Range, Ranges};
pub use series::{Event, Level, Series, Shape};
