//! Step 4: from an address to a conn.
//!
//! [`Dialer`] has the name of its target resolved, and lets `attempts` do what `pace` decides; each
//! attempt is one `single`. `proxy` goes on from there, where the way leads through proxies.

mod attempts;
mod dialer;
mod pace;
mod proxy;
mod single;

pub use dialer::{Dialer, dial};
pub use pace::Race;
pub use proxy::{ParseProxyError, Proxies, Proxy, ProxyEnvironment, ProxyScheme};

#[cfg(any(test, fuzzing))]
pub(crate) use proxy::fuzzing;

pub(crate) use attempts::{Answer, Answers, Families};
pub(crate) use single::Single;
