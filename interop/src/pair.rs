//! Two hosts and a cable between them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Namespace, Running, namespaces, program};

/// The near host, where the test is, and the far one, where the servers are; each with an IPv4 and an IPv6 address.
///
/// The near host knows the far one as `far.example`, IPv6 first as RFC 6724 has it, and asks it for all other names.
#[derive(Debug)]
pub struct Pair {
    program: PathBuf,
    /// The host of the test.
    pub near: Namespace,
    /// The host of the servers.
    pub far: Namespace,
}

impl Pair {
    /// The far host's IPv4 address.
    pub const FAR4: &str = "192.0.2.2";
    /// The far host's IPv6 address.
    pub const FAR6: &str = "2001:db8:77::2";

    /// Lays the cable, or says why there is none.
    pub fn new() -> Option<Pair> {
        let (Some(program), true) = (program(), namespaces()) else { return None };
        let (near, far) = (Namespace::new(), Namespace::new());
        Namespace::connect([
            (&near, "eth0", &["192.0.2.1/24", "2001:db8:77::1/64"]),
            (&far, "eth0", &["192.0.2.2/24", "2001:db8:77::2/64"]),
        ]);
        near.etc("hosts", &format!("{} far.example\n{} far.example\n", Pair::FAR4, Pair::FAR6));
        near.etc("nsswitch.conf", "hosts: files dns\n");
        near.etc("resolv.conf", &format!("nameserver {}\n", Pair::FAR4));
        Some(Pair { program, near, far })
    }

    /// The `landline` program on the near host.
    pub fn landline(&self, arguments: &[&str]) -> Command {
        self.landline_in(&self.near, arguments)
    }

    /// The `landline` program on either host.
    pub fn landline_in(&self, host: &Namespace, arguments: &[&str]) -> Command {
        let mut command = host.command(&self.program);
        command.args(arguments);
        command
    }

    /// The program's file.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// An echo server on the far host, listening by the time this returns.
    pub fn echo(&self, network: &str, address: &str) -> Running {
        let mut server =
            Running::start(&mut self.landline_in(&self.far, &["listen", network, address, "--echo"]));
        server.next_line();
        server
    }
}
