//! What a socket is given between `socket()` and `bind()`.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustix::net::sockopt;

use super::keep_alive::KeepAlive;
use super::traced::Traced;
use crate::addr::Addr;
use crate::error::Cause;
use crate::network::Network;
use crate::sys;

/// The options that dialers and listeners share; cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct SocketOptions {
    pub(crate) keep_alive: KeepAlive,
    pub(crate) interface: Option<Arc<str>>,
    pub(crate) mark: Option<u32>,
    pub(crate) mptcp: bool,
    pub(crate) fast_open: bool,
    pub(crate) control: Option<Control>,
}

/// The caller's hook on a socket that is neither bound nor connected.
#[derive(Clone)]
pub(crate) struct Control(Arc<Hook>);

type Hook = dyn Fn(Network, &Addr, BorrowedFd<'_>) -> io::Result<()> + Send + Sync;

impl Control {
    pub(crate) fn new(
        hook: impl Fn(Network, &Addr, BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Control {
        Control(Arc::new(hook))
    }
}

impl SocketOptions {
    /// Sets what both ends of every kind of socket may have, then calls the hook. `addr` is where the socket will
    /// connect or be bound to.
    pub(crate) fn apply(
        &self,
        network: Network,
        addr: &Addr,
        fd: &impl AsFd,
        traced: Traced<'_>,
    ) -> Result<(), Cause> {
        let fd = fd.as_fd();
        match network {
            Network::Tcp(_) => {
                traced.prefer("TCP_NODELAY", sockopt::set_tcp_nodelay(fd, true));
                self.keep_alive.apply(fd, traced)?;
            }
            // The kernel asks for permission to send to a broadcast address; Go gives it to every datagram socket.
            Network::Udp(_) | Network::Ip(..) => {
                traced.prefer("SO_BROADCAST", sockopt::set_socket_broadcast(fd, true));
            }
            Network::Unix(_) => {}
        }
        if let Some(interface) = &self.interface {
            traced.require("SO_BINDTODEVICE", sys::bind_to_device(fd, interface))?;
        }
        if let Some(mark) = self.mark {
            traced.require("SO_MARK", sys::set_mark(fd, mark))?;
        }
        if let Some(Control(hook)) = &self.control {
            hook(network, addr, fd).map_err(|error| match Cause::from(error) {
                Cause::System { call: "", error } => Cause::System { call: "control", error },
                cause => cause,
            })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Control")
    }
}
