//! Step 4: from an address to a conn.
//!
//! [`Dialer`] reads the address (`target`), has its name resolved, and lets `attempts` do what `pace` decides; each
//! attempt is one `single`.

mod attempts;
mod dialer;
mod pace;
mod single;
mod target;

pub use dialer::Dialer;
pub use pace::Race;

pub(crate) use attempts::{Answer, Answers, Families};
pub(crate) use single::Single;
pub(crate) use target::{Host, Port, Target, admitted};
