//! Where conns go, and whether that is an address at all.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;

use landline::resolve::Name;
use landline::{
    AddressErrorKind, Conn, Dialer, Network, Resolver, Result, ScopedIp, TcpState, UnixAddr, split_host_port,
};
use tokio::time::sleep;

use super::counters::Counters;
use crate::failure::{self, Failure};

/// Where conns go, and how.
pub(super) struct Target {
    pub(super) network: Network,
    pub(super) address: String,
    pub(super) dialer: Dialer,
    pub(super) idle: Option<Duration>,
    /// How long a dial may take, and what else has its time.
    pub(super) timeout: Duration,
    pub(super) counters: Arc<Counters>,
}

/// How often to look, while a dial takes its time, whether somebody still waits for it.
const GLANCE: Duration = Duration::from_millis(250);

impl Target {
    pub(super) async fn dial(&self) -> Result<Conn> {
        self.dialer.dial(self.network, &self.address).await
    }

    /// [`Target::dial`] for a client; none if it has reset its conn before that was over.
    pub(super) async fn dial_for(&self, client: &Conn) -> Result<Option<Conn>> {
        tokio::select! {
            dialed = self.dial() => dialed.map(Some),
            () = reset(client) => Ok(None),
        }
    }

    /// Refuses an address that no dial could make anything of, before anybody waits for one.
    pub(super) async fn check(&self) -> std::result::Result<(), Failure> {
        let refuse = |reason: String| Failure::Usage(format!("dial {}: {reason}", self.network));
        if ["fd:", "systemd:"].iter().any(|prefix| self.address.starts_with(prefix)) {
            return Ok(());
        }
        if self.address.is_empty() {
            return Err(refuse(AddressErrorKind::Missing.to_string()));
        }
        let host = match self.network {
            Network::Unix(_) => {
                let parsed = UnixAddr::parse(OsStr::new(&self.address));
                return parsed.map(drop).map_err(|error| refuse(error.to_string()));
            }
            Network::Ip(..) => &self.address,
            Network::Tcp(_) | Network::Udp(_) => {
                let (host, port) =
                    split_host_port(&self.address).map_err(|error| refuse(error.to_string()))?;
                match Resolver::system().lookup_port(self.network, port).await {
                    Err(error) if failure::is_usage(&error) => return Err(refuse(error.cause().to_string())),
                    // Files that cannot be read now may be then.
                    _ => host,
                }
            }
        };
        if host.is_empty() {
            return Ok(());
        }
        if host.contains(':') || host.contains('%') {
            return host.parse::<ScopedIp>().map(drop).map_err(|error| refuse(error.to_string()));
        }
        if host.parse::<std::net::IpAddr>().is_ok() {
            return Ok(());
        }
        host.parse::<Name>().map(drop).map_err(|error| refuse(format!("lookup {error}")))
    }
}

/// Waits until the peer has reset the conn, which only TCP tells without reading. One that has ended it may still wait for an
/// answer.
async fn reset(conn: &Conn) {
    let is_reset = || {
        let info = conn.as_tcp().and_then(|conn| conn.tcp_info().ok());
        info.is_some_and(|info| info.state == TcpState::Closed)
    };
    loop {
        sleep(GLANCE).await;
        if is_reset() {
            return;
        }
    }
}
