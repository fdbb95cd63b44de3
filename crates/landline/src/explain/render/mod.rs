//! A [`Report`](super::Report) made readable: lines with bars for the terminal, JSON, one HTML file.

mod html;
#[cfg(feature = "json")]
mod json;
mod waterfall;

#[cfg(test)]
pub(crate) mod samples;

pub use super::words::printable;
pub use html::Html;
#[cfg(feature = "json")]
pub use json::{to_string, to_string_pretty};
pub use waterfall::{Colors, Glyphs, Waterfall};
