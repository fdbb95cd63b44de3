//! What an interface, or an address of one, can and does do.

use std::fmt;

/// The flags of an interface (netdevice(7)).
///
/// Prints as Go does: `up|broadcast|multicast|running`, or `0` where none is set.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InterfaceFlags(u32);

/// Names and bits (linux/if.h) in the order in which they are printed.
const NAMES: [(&str, u32); 6] = [
    ("up", 0x1),
    ("broadcast", 0x2),
    ("loopback", 0x8),
    ("pointtopoint", 0x10),
    ("multicast", 0x1000),
    ("running", 0x40),
];

impl InterfaceFlags {
    pub(super) fn new(bits: u32) -> InterfaceFlags {
        InterfaceFlags(bits)
    }

    /// All flags as the kernel gives them, `IFF_…` of linux/if.h.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Administratively up.
    pub fn is_up(self) -> bool {
        self.0 & 0x1 != 0
    }

    /// Has a broadcast address.
    pub fn is_broadcast(self) -> bool {
        self.0 & 0x2 != 0
    }

    /// Leads back to this host.
    pub fn is_loopback(self) -> bool {
        self.0 & 0x8 != 0
    }

    /// Has one peer at its other end.
    pub fn is_point_to_point(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// Takes part in multicast.
    pub fn is_multicast(self) -> bool {
        self.0 & 0x1000 != 0
    }

    /// Operational: up, and its carrier is there.
    pub fn is_running(self) -> bool {
        self.0 & 0x40 != 0
    }
}

impl fmt::Display for InterfaceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut set = NAMES.iter().filter(|(_, bit)| self.0 & bit != 0).map(|&(name, _)| name);
        f.write_str(set.next().unwrap_or("0"))?;
        set.try_for_each(|name| write!(f, "|{name}"))
    }
}

impl fmt::Debug for InterfaceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InterfaceFlags({self})")
    }
}

/// The state of an interface's address (linux/if_addr.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct AddrFlags(pub(super) u32);

impl AddrFlags {
    /// On an IPv4 address the same bit says that it is not the first of its network.
    pub(super) fn is_temporary(self) -> bool {
        self.0 & 0x1 != 0
    }

    pub(crate) fn is_home(self) -> bool {
        self.0 & 0x10 != 0
    }

    pub(crate) fn is_deprecated(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Duplicate address detection is still under way, or has failed.
    pub(super) fn is_tentative(self) -> bool {
        self.0 & (0x40 | 0x08) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_print_as_in_go() {
        assert_eq!(InterfaceFlags(0x1043).to_string(), "up|broadcast|multicast|running");
        assert_eq!(InterfaceFlags(0x49).to_string(), "up|loopback|running");
        assert_eq!(InterfaceFlags(0x10000).to_string(), "0");
        assert_eq!(format!("{:?}", InterfaceFlags(0x1)), "InterfaceFlags(up)");
    }
}
