//! `landline dial`: connect, and converse.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use landline::resolve::NameServer;
use landline::{
    Addr, AddressErrorKind, Cause, Dialer, Error, Family, Interface, KeepAlive, Network, Proxies, Proxy,
    ProxyEnvironment, Race, UnixAddr, UnixKind, split_host_port,
};

use crate::converse::{Shape, check_stdin, converse};
use crate::failure::Failure;
use crate::output::{self, Page};
use crate::resolver;
use crate::values::{self, Probes, Span, Switch, Way};

/// Connect, and converse: stdin goes to the peer, what it sends goes to stdout.
///
/// The end of stdin closes the conn for writing, and the conversation goes on until the peer closes its side. When
/// the peer closes first, what stdin still holds is sent, until it ends or is silent for a second.
///
/// On udp, ip, unixgram and unixpacket each line of stdin, with its newline, is one message, and each message that
/// comes is written as it is; as datagrams have no end, it is over a second after the end of stdin and the last one
/// that came.
#[derive(Debug, Args)]
#[command(after_help = "\
Networks and their addresses:
  tcp tcp4 tcp6        HOST:PORT: example.com:http, [2001:db8::1]:80, :80 for this host
  udp udp4 udp6        the same
  ip4:PROTO ip6:PROTO  HOST; the protocol by name or number, as in ip4:icmp
  unix                 /a/path, or @name in the abstract namespace; a stream
  unixgram unixpacket  the same; datagrams, or messages over a connection
  any of them          fd:N or systemd:NAME, a socket that this process was started with

Examples:
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | landline dial tcp example.com:80
  landline dial tcp example.com:443 --explain </dev/null
  landline dial tcp example.com:443 --json
  landline dial tcp example.com:443 --server 9.9.9.9 --race off --timeout 3s
  landline dial unix /run/app.sock
  landline dial tcp example.com:22 --proxy socks5h://localhost:1080 --explain

Exit status: 0 done, 1 the network said no, 2 bad usage.")]
pub(crate) struct Dial {
    /// tcp, udp, ip4:icmp, unix, … (see below)
    network: String,
    /// HOST:PORT, HOST or a path, as the network needs it
    address: String,
    /// Draw every step on stderr before the conversation begins
    #[arg(long)]
    explain: bool,
    /// Print the report of the dial as one line of JSON, and do not converse
    #[arg(long, conflicts_with = "html")]
    json: bool,
    /// Write the report of the dial as a web page, - for stdout (then without a conversation)
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// How long the dial may take, looking the name up included, such as 250ms, 1.5s or 2m; a number alone is in
    /// seconds
    #[arg(long, value_name = "D", value_parser = values::timeout, allow_hyphen_values = true)]
    timeout: Option<Span>,
    /// Dial from this address: IP, IP:PORT, :PORT, or the path or @name of a Unix socket; unixgram has one of the
    /// kernel's choosing otherwise, so that it can be answered
    #[arg(long, value_name = "A")]
    local: Option<String>,
    /// Dial through this network interface
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// Ask this name server and no other source; may be repeated
    #[arg(long, value_name = "IP[:PORT]", value_parser = values::name_server)]
    server: Vec<NameServer>,
    /// Try the next address when one has not connected after D; off: try them one after another [default: 250ms]
    #[arg(long, value_name = "D|off", allow_hyphen_values = true)]
    race: Option<Switch>,
    /// Probe a silent TCP peer, or off [default: 15s,15s,9]
    #[arg(long, value_name = "IDLE,INTERVAL,COUNT", allow_hyphen_values = true)]
    keep_alive: Option<Probes>,
    /// Go through this proxy, `http://USER:PASSWORD@HOST:PORT` or https, socks4, socks4a, socks5, socks5h; given again,
    /// through each in turn. env: the one that all_proxy and no_proxy name for the address
    #[arg(long, value_name = "URL|env", value_parser = values::proxy)]
    proxy: Vec<Way>,
    /// Use Multipath TCP where both ends can
    #[arg(long)]
    mptcp: bool,
    /// Use TCP Fast Open where both ends can
    #[arg(long)]
    fast_open: bool,
}

impl Dial {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let network: Network =
            self.network.parse().map_err(|error| Failure::Usage(format!("dial: {error}")))?;
        self.check_options(network)?;
        let dialer = self.dialer(network)?;
        if self.converses() {
            check_stdin()?;
        }
        if !(self.explain || self.json || self.html.is_some()) {
            let conn = dialer.dial(network, &self.address).await.map_err(|error| self.failure(&error))?;
            return converse(&conn, network.into()).await;
        }
        let page = self.html.as_deref().map(Page::create).transpose()?;
        let (result, report) = dialer.explain(network, &self.address).await;
        output::give(&report, self.explain, self.json, page)?;
        let conn = result.map_err(|error| match self.failure(&error) {
            // The drawing ends with the error.
            failure if self.explain => Failure::Told(failure.status()),
            failure => failure,
        })?;
        if self.converses() { converse(&conn, Shape::from(network)).await } else { Ok(()) }
    }

    /// Whether stdout is free for a conversation.
    fn converses(&self) -> bool {
        !self.json && self.html.as_deref() != Some("-".as_ref())
    }

    /// Refuses options that would have no effect, and an interface that is not there.
    fn check_options(&self, network: Network) -> Result<(), Failure> {
        let (tcp, unix) = (matches!(network, Network::Tcp(_)), matches!(network, Network::Unix(_)));
        for (given, works, option) in [
            (self.mptcp, tcp, "--mptcp"),
            (self.fast_open, tcp, "--fast-open"),
            (self.keep_alive.is_some(), tcp, "--keep-alive"),
            (!self.proxy.is_empty(), tcp, "--proxy"),
            (self.interface.is_some(), !unix, "--interface"),
            (!self.server.is_empty(), !unix, "--server"),
            (self.race.is_some(), !unix, "--race"),
        ] {
            if given && !works {
                return Err(Failure::Usage(format!("{option}: has no effect on {network}")));
            }
        }
        match &self.interface {
            Some(name) if Interface::by_name(name).is_err() => {
                Err(Failure::Usage(format!("--interface {name}: no such network interface")))
            }
            _ => Ok(()),
        }
    }

    fn failure(&self, error: &Error) -> Failure {
        let unsuitable = matches!(error.cause(),
            Cause::Address(address) if *address.kind() == AddressErrorKind::NoSuitableAddress);
        match &self.local {
            Some(local) if unsuitable => Failure::Usage(format!("{error} for --local {local}")),
            _ => Failure::at(&self.address, error),
        }
    }

    fn dialer(&self, network: Network) -> Result<Dialer, Failure> {
        let mut dialer = Dialer::new().mptcp(self.mptcp).fast_open(self.fast_open);
        if let Some(Span(timeout)) = self.timeout {
            dialer = dialer.timeout(timeout);
        }
        if let Some(local) = &self.local {
            dialer = dialer.local_addr(local_addr(network, local)?);
        } else if network == Network::Unix(UnixKind::Datagram) {
            // A socket without a name cannot be answered (unix(7), autobind).
            dialer = dialer.local_addr(UnixAddr::Unnamed);
        }
        if let Some(interface) = &self.interface {
            dialer = dialer.interface(interface);
        }
        if let Some(race) = self.race {
            dialer = dialer.race(match race {
                Switch::Off => Race::Off,
                Switch::After(delay) => Race::After(delay),
            });
        }
        if let Some(keep_alive) = self.keep_alive {
            dialer = dialer.keep_alive(match keep_alive {
                Probes::Off => KeepAlive::Off,
                Probes::Every { idle, interval, count } => {
                    KeepAlive::Custom { idle: Some(idle), interval: Some(interval), count: Some(count) }
                }
            });
        }
        dialer = through(dialer, &self.proxy)?;
        if !self.server.is_empty() {
            dialer = dialer.resolver(resolver::asking(&self.server));
        }
        Ok(dialer)
    }
}

/// A dialer that goes this way.
pub(crate) fn through(dialer: Dialer, ways: &[Way]) -> Result<Dialer, Failure> {
    Ok(dialer.proxy(proxies(ways)?))
}

/// The proxies that these ways mean.
pub(crate) fn proxies(ways: &[Way]) -> Result<Proxies, Failure> {
    Ok(match ways {
        [Way::Environment] => ProxyEnvironment::from_env().into(),
        ways => chain(ways)?.into(),
    })
}

/// The proxies to go through, in order.
fn chain(ways: &[Way]) -> Result<Vec<Proxy>, Failure> {
    ways.iter()
        .map(|way| match way {
            Way::Proxy(proxy) => Ok(proxy.clone()),
            Way::Environment => Err(Failure::Usage(
                "--proxy env: the environment names the whole way, so it stands alone".to_owned(),
            )),
        })
        .collect()
}

/// An address of this host, without a lookup.
fn local_addr(network: Network, text: &str) -> Result<Addr, Failure> {
    let refuse = |reason: &str| Failure::Usage(format!("--local {text}: {reason}"));
    let family = match network {
        Network::Unix(_) => {
            let addr: UnixAddr = text.parse().map_err(|error| Failure::Usage(format!("--local: {error}")))?;
            return Ok(addr.into());
        }
        Network::Ip(..) => {
            let ip: IpAddr = text.parse().map_err(|_| refuse("not an IP address"))?;
            return Ok(Addr::Ip(ip.into()));
        }
        Network::Tcp(family) | Network::Udp(family) => family,
    };
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::from((ip, 0)).into());
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return Ok(addr.into());
    }
    match split_host_port(text) {
        Ok(("", port)) => {
            let port = port.parse().map_err(|_| refuse("the port is not a number up to 65535"))?;
            let any: IpAddr = match family {
                Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
                Family::V4 | Family::Any => Ipv4Addr::UNSPECIFIED.into(),
            };
            Ok(SocketAddr::from((any, port)).into())
        }
        _ => Err(refuse("neither IP, IP:PORT nor :PORT")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_addresses_of_each_network() {
        for (network, text, expected) in [
            ("tcp", "127.0.0.1", "127.0.0.1:0"),
            ("tcp", "127.0.0.1:80", "127.0.0.1:80"),
            ("udp", "::1", "[::1]:0"),
            ("udp", "[::1]:80", "[::1]:80"),
            ("tcp", ":80", "0.0.0.0:80"),
            ("tcp6", ":80", "[::]:80"),
            ("ip4:icmp", "127.0.0.1", "127.0.0.1"),
            ("unixgram", "@x", "@x"),
        ] {
            let addr = local_addr(network.parse().unwrap(), text).unwrap();
            assert_eq!(addr.to_string(), expected, "{network} {text}");
        }
        for (network, text) in
            [("tcp", "x"), ("tcp", "x:1"), ("tcp", ":x"), ("tcp", ":65536"), ("ip4:icmp", "127.0.0.1:1")]
        {
            let Err(Failure::Usage(message)) = local_addr(network.parse().unwrap(), text) else {
                panic!("{text}")
            };
            assert!(message.starts_with(&format!("--local {text}: ")), "{message}");
        }
    }
}
