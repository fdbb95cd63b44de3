//! What must hold of every parser of outside data, whatever it is given. The fuzzer calls these functions with inputs
//! of its own finding (`fuzz/`), and a test here calls them with the seeds and a few thousand variations.
//!
//! Not part of the API: it is only there when testing or fuzzing.

#![allow(missing_docs)] // Each is named after what it parses.

mod address;
mod kernel;
#[cfg(test)]
mod mutate;

pub use address::{host_port, network, order};
pub use kernel::{control, multicast, netlink};

pub use crate::dial::fuzzing::{proxy, proxy_url};
pub use crate::proxy_protocol::proxy_header;
pub use crate::resolve::fuzzing::{dns, hosts, name, nsswitch, resolv_conf, services};

/// Takes any input, and panics where something does not hold.
pub type Target = fn(&[u8]);

/// All of them by name, which is also that of the fuzz target and of the folder of its seeds.
pub const TARGETS: &[(&str, Target)] = &[
    ("control", control),
    ("dns", dns),
    ("host_port", host_port),
    ("hosts", hosts),
    ("multicast", multicast),
    ("name", name),
    ("netlink", netlink),
    ("network", network),
    ("nsswitch", nsswitch),
    ("order", order),
    ("proxy", proxy),
    ("proxy_header", proxy_header),
    ("proxy_url", proxy_url),
    ("resolv_conf", resolv_conf),
    ("services", services),
];
