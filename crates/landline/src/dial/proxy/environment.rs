//! The proxy that the environment asks for.

use std::collections::HashMap;
use std::net::IpAddr;

use super::address::{ParseProxyError, Proxy};
use super::exempt::Exempt;

/// Which proxy the variables `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` name for a target.
///
/// Each is looked for in lower case first and then in upper case; in lower case and empty it means none, whatever
/// stands in upper case. `HTTP_PROXY` in upper case is ignored where `REQUEST_METHOD` is set: there a CGI script's
/// caller could set it with a header `Proxy` (CVE-2016-5385). A proxy is a URL as [`Proxy`] reads it; one that cannot be
/// read is an error where it would be used, and is never ignored.
///
/// `no_proxy` holds, separated by commas or spaces, what is dialed directly:
///
/// | | |
/// |---|---|
/// | `*` | everything |
/// | `example.com` | the name, and every name below it |
/// | `.example.com`, `*.example.com` | every name below it |
/// | `192.0.2.1`, `2001:db8::1`, `[2001:db8::1]` | the address |
/// | `192.0.2.0/24`, `2001:db8::/32` | the addresses of the network |
/// | `example.com:443`, `192.0.2.1:80`, `[::1]:80` | the same, at that port alone |
///
/// Names are not resolved for it, and are compared without regard to case or a dot at their end. `localhost` and
/// loopback addresses are dialed directly unless [`ProxyEnvironment::proxy_loopback`] says otherwise.
///
/// That is what Go, curl and Python have in common. Where they differ: Go looks for upper case first and takes an empty
/// variable for none, has no `all_proxy`, and fails where CGI makes it ignore `HTTP_PROXY`; curl never reads `HTTP_PROXY`,
/// and proxies loopback addresses, as Python does; for both `.example.com` includes `example.com`, and neither knows
/// `*.example.com`.
///
/// ```
/// use landline::ProxyEnvironment;
///
/// let environment = ProxyEnvironment::from_vars([
///     ("https_proxy", "http://proxy.example:3128"),
///     ("no_proxy", "internal.example, 10.0.0.0/8"),
/// ]);
/// let proxy = environment.proxy_for("https", "example.com", 443).unwrap().unwrap();
/// assert_eq!(proxy.to_string(), "http://proxy.example:3128");
/// assert!(environment.proxy_for("https", "www.internal.example", 443).unwrap().is_none());
/// assert!(environment.proxy_for("http", "example.com", 80).unwrap().is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProxyEnvironment {
    http: Setting,
    https: Setting,
    all: Setting,
    exempt: Exempt,
    loopback: bool,
}

#[derive(Clone, Debug, Default)]
enum Setting {
    /// No variable speaks of it.
    #[default]
    Unset,
    /// A variable says that there is none.
    Off,
    Proxy(Box<Proxy>),
    Invalid(ParseProxyError),
}

impl ProxyEnvironment {
    /// From the environment of this process, as it is now. Variables that are not UTF-8 are not read.
    pub fn from_env() -> ProxyEnvironment {
        let vars = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        ProxyEnvironment::from_vars(vars)
    }

    /// From the variables given and no others; of two with the same name the last counts.
    pub fn from_vars<N: Into<String>, V: Into<String>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> ProxyEnvironment {
        let vars: HashMap<String, String> =
            vars.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let is_cgi = vars.get("REQUEST_METHOD").is_some_and(|method| !method.is_empty());
        let find = |lower: &str| {
            let upper = lower.to_uppercase();
            let ignored = is_cgi && upper == "HTTP_PROXY";
            let lower = vars.get_key_value(lower);
            lower.or_else(|| vars.get_key_value(&upper).filter(|_| !ignored))
        };
        let setting = |lower: &str| match find(lower) {
            None => Setting::Unset,
            Some((_, value)) if value.trim().is_empty() => Setting::Off,
            Some((name, value)) => match value.trim().parse() {
                Ok(proxy) => Setting::Proxy(Box::new(proxy)),
                Err(error) => Setting::Invalid(ParseProxyError::of(error, name)),
            },
        };
        ProxyEnvironment {
            http: setting("http_proxy"),
            https: setting("https_proxy"),
            all: setting("all_proxy"),
            exempt: find("no_proxy").map(|(_, value)| Exempt::parse(value)).unwrap_or_default(),
            loopback: false,
        }
    }

    /// Whether `localhost` and loopback addresses go through the proxy too, where `no_proxy` does not exempt them. Off
    /// by default.
    #[must_use]
    pub fn proxy_loopback(mut self, loopback: bool) -> ProxyEnvironment {
        self.loopback = loopback;
        self
    }

    /// The proxy for a URL of `scheme` (`http` and `ws`, `https` and `wss`, or another) at `host` and `port`; `None` is
    /// a direct conn. For `http` and `https` their own variables count before `all_proxy`.
    ///
    /// # Errors
    /// If the variable that counts holds no proxy.
    pub fn proxy_for(&self, scheme: &str, host: &str, port: u16) -> Result<Option<Proxy>, ParseProxyError> {
        let own = match scheme.to_ascii_lowercase().as_str() {
            "http" | "ws" => &self.http,
            "https" | "wss" => &self.https,
            _ => &Setting::Unset,
        };
        let setting = if matches!(own, Setting::Unset) { &self.all } else { own };
        match setting {
            Setting::Unset | Setting::Off => Ok(None),
            _ if self.is_direct(host, port) => Ok(None),
            Setting::Proxy(proxy) => Ok(Some(Proxy::clone(proxy))),
            Setting::Invalid(error) => Err(error.clone()),
        }
    }

    /// The proxy for a TCP conn of any protocol: that of `all_proxy`, as in Go's `golang.org/x/net/proxy`.
    ///
    /// # Errors
    /// If it holds no proxy.
    pub fn proxy_for_tcp(&self, host: &str, port: u16) -> Result<Option<Proxy>, ParseProxyError> {
        self.proxy_for("", host, port)
    }

    fn is_direct(&self, host: &str, port: u16) -> bool {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let host = host.trim_end_matches('.').to_lowercase();
        let ip = parse_ip(&host);
        let is_loopback = host == "localhost" || host.is_empty() || ip.is_some_and(|ip| ip.is_loopback());
        (is_loopback && !self.loopback) || self.exempt.matches(&host, ip, port)
    }
}

/// An address with or without a zone, IPv4-mapped ones as IPv4.
pub(super) fn parse_ip(host: &str) -> Option<IpAddr> {
    let host = host.split_once('%').map_or(host, |(host, _)| host);
    host.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}
