//! Step 4: from an address to a conn.
//!
//! [`Dialer`] has the name of its target resolved, and lets `attempts` do what `pace` decides; each
//! attempt is one `single`.

mod attempts;
mod dialer;
mod pace;
mod single;

pub use dialer::{Dialer, dial};
pub use pace::Race;

pub(crate) use attempts::{Answer, Answers, Families};
pub(crate) use single::Single;
