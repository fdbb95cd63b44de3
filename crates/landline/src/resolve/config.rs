//! How to ask: the servers, the search list and the options that `resolv.conf` can set.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::name::Name;
use super::policy::Source;
use crate::addr::{AddressError, AddressErrorKind, ScopedIp, split_host_port};

/// The port of the DNS.
const PORT: u16 = 53;
/// The most dots that [`Config::ndots`] can ask for (resolv.conf(5)).
const MAX_NDOTS: u8 = 15;

/// How a [`Resolver`](crate::Resolver) asks, and whom.
///
/// [`Config::new`] asks the name server of this host, after `/etc/hosts`, and hands nothing to the system's own
/// resolver.
///
/// ```
/// use landline::resolve::Config;
/// use std::{net::Ipv4Addr, time::Duration};
///
/// let config = Config::new()
///     .with_servers([Ipv4Addr::new(192, 0, 2, 53)])
///     .with_search(["example.com".parse().unwrap()])
///     .with_timeout(Duration::from_secs(2));
/// assert_eq!(config.servers(), ["192.0.2.53:53".parse().unwrap()]);
/// assert_eq!((config.ndots(), config.attempts()), (1, 2));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    servers: Vec<SocketAddr>,
    search: Vec<Name>,
    ndots: u8,
    timeout: Duration,
    attempts: u32,
    rotate: bool,
    single_request: bool,
    use_vc: bool,
    trust_ad: bool,
    edns0: bool,
    no_aaaa: bool,
    no_tld_query: bool,
    no_reload: bool,
    order: LookupOrder,
}

/// Which sources are asked for the addresses of a name, or the names of an address, and in which order.
///
/// IP literals, and the names that must not be asked for (RFC 6761, RFC 7686), are answered before any of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupOrder {
    /// What `/etc/nsswitch.conf` says; what cannot be done here is handed to the system's `getaddrinfo`.
    System,
    /// These and no others.
    Sources(Vec<Source>),
}

/// The address of a name server: an IP address, with a port where it is not 53.
///
/// Parses from `192.0.2.53`, `192.0.2.53:5353`, `2001:db8::53`, `[2001:db8::53]:5353`, `fe80::1%eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NameServer(SocketAddr);

impl Config {
    /// The defaults of resolv.conf(5): servers `127.0.0.1` and `::1`, no search list, `ndots` 1, 5 s for each of 2
    /// attempts; first files, then DNS.
    pub fn new() -> Config {
        Config {
            servers: Config::local_servers(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            single_request: false,
            use_vc: false,
            trust_ad: false,
            edns0: true,
            no_aaaa: false,
            no_tld_query: false,
            no_reload: false,
            order: LookupOrder::Sources(vec![Source::Files, Source::Dns]),
        }
    }

    /// The servers of a host that names none.
    pub(super) fn local_servers() -> Vec<SocketAddr> {
        vec![(Ipv4Addr::LOCALHOST, PORT).into(), (Ipv6Addr::LOCALHOST, PORT).into()]
    }

    /// Asks these servers, in this order. Without any, every DNS lookup fails.
    #[must_use]
    pub fn with_servers(mut self, servers: impl IntoIterator<Item = impl Into<NameServer>>) -> Config {
        self.servers = servers.into_iter().map(|server| server.into().0).collect();
        self
    }

    /// Completes names that are not absolute with these, in this order.
    #[must_use]
    pub fn with_search(mut self, search: impl IntoIterator<Item = Name>) -> Config {
        self.search = search.into_iter().collect();
        self
    }

    /// Tries a name of at least this many dots as it is before completing it; at most 15.
    #[must_use]
    pub fn with_ndots(mut self, ndots: u8) -> Config {
        self.ndots = ndots.min(MAX_NDOTS);
        self
    }

    /// Waits this long for each answer.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Config {
        self.timeout = timeout;
        self
    }

    /// Goes this many times through the list of servers; at least once.
    #[must_use]
    pub fn with_attempts(mut self, attempts: u32) -> Config {
        self.attempts = attempts.max(1);
        self
    }

    /// Begins each lookup with another server, to spread the load. Off by default.
    #[must_use]
    pub fn with_rotate(mut self, rotate: bool) -> Config {
        self.rotate = rotate;
        self
    }

    /// Asks for A and AAAA one after the other, for servers that cannot bear both at once. Off by default.
    #[must_use]
    pub fn with_single_request(mut self, single_request: bool) -> Config {
        self.single_request = single_request;
        self
    }

    /// Asks over TCP only. Off by default: UDP first, TCP where an answer is truncated.
    #[must_use]
    pub fn with_use_vc(mut self, use_vc: bool) -> Config {
        self.use_vc = use_vc;
        self
    }

    /// Sets the AD bit of questions, so that the servers, which must be trusted, say whether they have validated the
    /// answer. Off by default.
    #[must_use]
    pub fn with_trust_ad(mut self, trust_ad: bool) -> Config {
        self.trust_ad = trust_ad;
        self
    }

    /// Offers servers to take answers of up to 1232 octets over UDP (RFC 6891). On by default.
    #[must_use]
    pub fn with_edns0(mut self, edns0: bool) -> Config {
        self.edns0 = edns0;
        self
    }

    /// Looks up no IPv6 addresses, unless the caller wants nothing else. Off by default.
    #[must_use]
    pub fn with_no_aaaa(mut self, no_aaaa: bool) -> Config {
        self.no_aaaa = no_aaaa;
        self
    }

    /// Never asks for a name without dots as if it were a top-level domain. Off by default.
    #[must_use]
    pub fn with_no_tld_query(mut self, no_tld_query: bool) -> Config {
        self.no_tld_query = no_tld_query;
        self
    }

    /// Which sources are asked, in which order.
    #[must_use]
    pub fn with_order(mut self, order: LookupOrder) -> Config {
        self.order = order;
        self
    }

    pub(super) fn with_no_reload(mut self, no_reload: bool) -> Config {
        self.no_reload = no_reload;
        self
    }

    /// The servers in order.
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The search list in order.
    pub fn search(&self) -> &[Name] {
        &self.search
    }

    /// The number of dots from which on a name is tried as it is first.
    pub fn ndots(&self) -> u8 {
        self.ndots
    }

    /// How long to wait for each answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// How many times to go through the list of servers.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether each lookup begins with another server.
    pub fn rotate(&self) -> bool {
        self.rotate
    }

    /// Whether A and AAAA are asked for one after the other.
    pub fn single_request(&self) -> bool {
        self.single_request
    }

    /// Whether only TCP is used.
    pub fn use_vc(&self) -> bool {
        self.use_vc
    }

    /// Whether the servers' word on validation is asked for.
    pub fn trust_ad(&self) -> bool {
        self.trust_ad
    }

    /// Whether questions carry an EDNS(0) record.
    pub fn edns0(&self) -> bool {
        self.edns0
    }

    /// Whether AAAA is not asked for beside A.
    pub fn no_aaaa(&self) -> bool {
        self.no_aaaa
    }

    /// Whether names without dots are only asked for with a suffix.
    pub fn no_tld_query(&self) -> bool {
        self.no_tld_query
    }

    /// Whether `resolv.conf` asked not to be read again when it changes.
    pub fn no_reload(&self) -> bool {
        self.no_reload
    }

    /// Which sources are asked, in which order.
    pub fn order(&self) -> &LookupOrder {
        &self.order
    }
}

impl Default for Config {
    fn default() -> Config {
        Config::new()
    }
}

impl NameServer {
    /// Its address and port.
    pub fn addr(self) -> SocketAddr {
        self.0
    }
}

impl From<SocketAddr> for NameServer {
    fn from(addr: SocketAddr) -> NameServer {
        NameServer(addr)
    }
}

/// With port 53.
impl From<ScopedIp> for NameServer {
    fn from(ip: ScopedIp) -> NameServer {
        NameServer(ip.with_port(PORT))
    }
}

/// With port 53.
impl From<IpAddr> for NameServer {
    fn from(ip: IpAddr) -> NameServer {
        NameServer(SocketAddr::new(ip, PORT))
    }
}

/// With port 53.
impl From<Ipv4Addr> for NameServer {
    fn from(ip: Ipv4Addr) -> NameServer {
        IpAddr::V4(ip).into()
    }
}

/// With port 53.
impl From<Ipv6Addr> for NameServer {
    fn from(ip: Ipv6Addr) -> NameServer {
        IpAddr::V6(ip).into()
    }
}

impl FromStr for NameServer {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<NameServer, AddressError> {
        if let Some(ip) = ScopedIp::parse_literal(text) {
            return Ok(ip?.into());
        }
        let in_brackets = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(Ok(ip @ ScopedIp { ip: IpAddr::V6(_), .. })) =
            in_brackets.and_then(ScopedIp::parse_literal)
        {
            return Ok(ip.into());
        }
        let refuse = || {
            let reason = "a name server is an IP address, with or without a port".to_owned();
            AddressError::new(text, AddressErrorKind::Invalid(reason))
        };
        let (host, port) = split_host_port(text).map_err(|_| refuse())?;
        let ip = ScopedIp::parse_literal(host).ok_or_else(refuse)??;
        let port = Some(port).filter(|port| !port.starts_with('+')).and_then(|port| port.parse().ok());
        Ok(NameServer(ip.with_port(port.ok_or_else(refuse)?)))
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_parse_with_and_without_a_port() {
        for (text, addr) in [
            ("192.0.2.53", "192.0.2.53:53"),
            ("192.0.2.53:5353", "192.0.2.53:5353"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
            ("[fe80::1%2]:53", "[fe80::1%2]:53"),
            ("[fe80::1%2]", "[fe80::1%2]:53"),
            ("fe80::1%lo", "[fe80::1%1]:53"),
            ("[fe80::1%lo]:5353", "[fe80::1%1]:5353"),
        ] {
            assert_eq!(text.parse::<NameServer>().expect(text).to_string(), addr);
        }
        for text in [
            "",
            "localhost",
            "192.0.2",
            "192.0.2.53:",
            "192.0.2.53:65536",
            "192.0.2.53:+5",
            "[192.0.2.53]",
            "[::1",
            "[]",
        ] {
            let error = text.parse::<NameServer>().expect_err(text).to_string();
            assert!(error.contains(text) && error.ends_with("with or without a port"), "{error}");
        }
    }

    #[test]
    fn setters_keep_to_the_bounds() {
        let config = Config::new().with_ndots(200).with_attempts(0);
        assert_eq!((config.ndots(), config.attempts()), (15, 1));
    }
}
