//! The proxy that the environment asks for.

use std::collections::HashMap;
use std::net::IpAddr;

use super::address::{ParseProxyError, Proxy};
use super::exempt::Exempt;

/// Which proxy the variables `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy` name for a target.
///
/// Each is looked for in lower case first and then in upper case; an empty one is as good as none. `HTTP_PROXY` in
/// upper case is ignored where `REQUEST_METHOD` is set: there the caller of a CGI script could set it with a header
/// `Proxy` (CVE-2016-5385). A proxy is a URL as [`Proxy`] reads it; one that cannot be read is an error where it would be
/// used, and is never ignored.
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
/// That is what Go, curl and Python agree on. Where they do not, `no_proxy` means what it means in Go, but for a dot at
/// the end and spaces in between, which are curl's. Go looks for upper case first, has no `all_proxy`, and fails where
/// CGI makes it ignore `HTTP_PROXY`. curl never reads `HTTP_PROXY`, and knows no ports in `no_proxy`. For Python an empty
/// variable in lower case hides the one in upper case, and `no_proxy` holds no networks. Both proxy loopback addresses,
/// take `.example.com` for `example.com` too, and do not know `*.example.com`.
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
    #[default]
    Unset,
    Proxy(Box<Proxy>),
    Invalid(ParseProxyError),
}

impl ProxyEnvironment {
    /// From the environment of this process, as it is now. Variables that are not UTF-8 are not read.
    pub fn from_env() -> ProxyEnvironment {
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
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
            let is_ignored = is_cgi && upper == "HTTP_PROXY";
            let set = |name: &str| vars.get_key_value(name).filter(|(_, value)| !value.trim().is_empty());
            set(lower).or_else(|| if is_ignored { None } else { set(&upper) })
        };
        let setting = |lower: &str| match find(lower) {
            None => Setting::Unset,
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
            Setting::Unset => Ok(None),
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

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "http://127.0.0.1:9";

    /// The scheme, host and port of a URL as it is written here.
    fn parts(url: &str) -> (&str, String, u16) {
        let (scheme, rest) = url.split_once("://").unwrap();
        let authority = rest.trim_end_matches('/');
        let bracket = authority.rfind(']').unwrap_or(0);
        let (host, port) = match authority[bracket..].split_once(':') {
            Some((_, port)) => (&authority[..authority.len() - port.len() - 1], port.parse().unwrap()),
            None => (authority, if scheme == "https" { 443 } else { 80 }),
        };
        (scheme, host.to_owned(), port)
    }

    fn chosen(vars: &[(&str, &str)], url: &str) -> String {
        let (scheme, host, port) = parts(url);
        match ProxyEnvironment::from_vars(vars.iter().copied()).proxy_for(scheme, &host, port) {
            Ok(None) => "direct".to_owned(),
            Ok(Some(proxy)) => proxy.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Each case with what Go 1.27.3's `http.ProxyFromEnvironment`, Python 3.11's `urllib.request` and curl 7.88.1 do: `d` is
    /// direct, `p` through the proxy.
    #[test]
    fn no_proxy_means_what_go_means_and_what_all_agree_on() {
        for (no_proxy, url, others) in [
            ("", "http://example.com/", "ppp"),
            ("", "http://localhost/", "dpp"),
            ("", "http://127.0.0.1/", "dpp"),
            ("", "http://127.9.9.9/", "dpp"),
            ("", "http://[::1]/", "dpp"),
            ("", "https://example.com/", "ppp"),
            ("", "http://localhost:80/", "dpp"),
            ("*", "http://example.com/", "ddd"),
            ("a,*", "http://example.com/", "dpp"),
            ("*:80", "http://example.com/", "ppp"),
            ("*:80", "https://example.com/", "ppp"),
            ("example.com", "http://example.com/", "ddd"),
            ("example.com", "http://www.example.com/", "ddd"),
            ("example.com", "http://badexample.com/", "ppp"),
            ("example.com", "http://example.com.evil/", "ppp"),
            ("example.com", "http://EXAMPLE.com/", "ddd"),
            ("example.com", "http://example.com./", "ppd"),
            ("example.com", "http://example.com:8080/", "ddd"),
            (".example.com", "http://example.com/", "pdd"),
            (".example.com", "http://www.example.com/", "ddd"),
            (".example.com", "http://badexample.com/", "ppp"),
            ("*.example.com", "http://example.com/", "ppp"),
            ("*.example.com", "http://www.example.com/", "dpp"),
            ("*.example.com", "http://badexample.com/", "ppp"),
            ("example.com.", "http://example.com/", "ppd"),
            ("example.com.", "http://www.example.com/", "ppd"),
            ("EXAMPLE.com", "http://example.com/", "ddd"),
            ("example.com:80", "http://example.com/", "dpp"),
            ("example.com:80", "http://example.com:8080/", "ppp"),
            ("example.com:80", "http://www.example.com/", "dpp"),
            ("example.com:80", "https://example.com/", "ppp"),
            ("192.0.2.1", "http://192.0.2.1/", "ddd"),
            ("192.0.2.1", "http://192.0.2.11/", "ppp"),
            ("192.0.2.1", "http://192.0.2.1:81/", "ddd"),
            ("192.0.2.1:80", "http://192.0.2.1/", "dpp"),
            ("192.0.2.1:80", "http://192.0.2.1:81/", "ppp"),
            ("192.0.2.0/24", "http://192.0.2.7/", "dpd"),
            ("192.0.2.0/24", "http://192.0.3.7/", "ppp"),
            ("192.0.2.0/24", "http://example.com/", "ppp"),
            ("192.0.2.7/24", "http://192.0.2.9/", "dpd"),
            ("192.0.2", "http://192.0.2.9/", "ppp"),
            ("0.0.0.0/0", "http://192.0.2.9/", "dpp"),
            ("0.0.0.0/0", "http://example.com/", "ppp"),
            ("2001:db8::1", "http://[2001:db8::1]/", "dpd"),
            ("2001:db8::1", "http://[2001:db8::2]/", "ppp"),
            ("2001:db8::1", "http://[2001:db8:0::1]/", "dpd"),
            ("[2001:db8::1]", "http://[2001:db8::1]/", "pdp"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]/", "dpp"),
            ("[2001:db8::1]:80", "http://[2001:db8::1]:81/", "ppp"),
            ("2001:db8::/32", "http://[2001:db8::1]/", "dpp"),
            ("2001:db8::/32", "http://[2001:db9::1]/", "ppp"),
            ("::ffff:192.0.2.1", "http://192.0.2.1/", "dpp"),
            ("192.0.2.1", "http://[::ffff:192.0.2.1]/", "dpp"),
            (" a.example , b.example ", "http://a.example/", "ddd"),
            (" a.example , b.example ", "http://b.example/", "ddd"),
            ("a.example b.example", "http://a.example/", "ppd"),
            ("a.example b.example", "http://b.example/", "ppd"),
            (",,", "http://example.com/", "ppp"),
            (".", "http://example.com/", "ppp"),
            (":80", "http://example.com/", "ppp"),
            ("com", "http://example.com/", "ddd"),
            ("com", "http://com/", "ddd"),
            ("localhost", "http://localhost/", "ddd"),
        ] {
            let vars = [("http_proxy", PROXY), ("https_proxy", PROXY), ("no_proxy", no_proxy)];
            let ours = if chosen(&vars, url) == "direct" { 'd' } else { 'p' };
            let go = others.chars().next().unwrap();
            let (_, host, _) = parts(url);
            // A dot at the end, and spaces, are as in curl; brackets around an address alone are as in Python.
            let expected = match (no_proxy, host.as_str()) {
                ("example.com", "example.com.")
                | ("example.com." | "a.example b.example" | "[2001:db8::1]", _) => 'd',
                _ => go,
            };
            assert_eq!(ours, expected, "{no_proxy:?} {url}");
            assert!(others.contains(ours), "{no_proxy:?} {url}: nobody does that");
        }
    }

    #[test]
    fn variables_and_which_counts() {
        const OTHER: &str = "http://127.0.0.1:19";
        for (vars, url, expected) in [
            (&[("http_proxy", PROXY), ("HTTP_PROXY", OTHER)][..], "http://e.com/", PROXY),
            (&[("https_proxy", PROXY), ("HTTPS_PROXY", OTHER)], "https://e.com/", PROXY),
            (&[("HTTP_PROXY", OTHER)], "http://e.com/", OTHER),
            (&[("HTTPS_PROXY", OTHER)], "https://e.com/", OTHER),
            (&[("HTTPS_PROXY", OTHER)], "wss://e.com/", OTHER),
            (&[("http_proxy", PROXY)], "ws://e.com/", PROXY),
            (&[("http_proxy", PROXY)], "https://e.com/", "direct"),
            (&[("http_proxy", PROXY)], "ftp://e.com/", "direct"),
            (&[("https_proxy", ""), ("HTTPS_PROXY", OTHER)], "https://e.com/", OTHER),
            (&[("all_proxy", PROXY)], "https://e.com/", PROXY),
            (&[("ALL_PROXY", PROXY)], "http://e.com/", PROXY),
            (&[("ALL_PROXY", PROXY)], "ftp://e.com/", PROXY),
            (&[("all_proxy", PROXY), ("https_proxy", OTHER)], "https://e.com/", OTHER),
            (&[("all_proxy", PROXY), ("https_proxy", " ")], "https://e.com/", PROXY),
            (&[("HTTP_PROXY", OTHER), ("REQUEST_METHOD", "GET")], "http://e.com/", "direct"),
            (&[("HTTP_PROXY", OTHER), ("REQUEST_METHOD", "")], "http://e.com/", OTHER),
            (&[("http_proxy", PROXY), ("REQUEST_METHOD", "GET")], "http://e.com/", PROXY),
            (&[("HTTPS_PROXY", OTHER), ("REQUEST_METHOD", "GET")], "https://e.com/", OTHER),
            (&[("http_proxy", PROXY), ("NO_PROXY", "e.com")], "http://e.com/", "direct"),
            (&[("http_proxy", PROXY), ("no_proxy", "a"), ("NO_PROXY", "e.com")], "http://e.com/", PROXY),
            (&[("http_proxy", PROXY), ("no_proxy", ""), ("NO_PROXY", "e.com")], "http://e.com/", "direct"),
            (&[("http_proxy", "127.0.0.1:9")], "http://e.com/", PROXY),
            (&[("http_proxy", "socks5://127.0.0.1")], "http://e.com/", "socks5://127.0.0.1:1080"),
            (
                &[("HTTP_PROXY", "ftp://u:pw@h")],
                "http://e.com/",
                "proxy HTTP_PROXY=ftp://…@h: unknown scheme \"ftp\"; there are http, https, socks4, socks4a, socks5 and socks5h",
            ),
            (&[("http_proxy", "http://[::1")], "http://localhost/", "direct"),
        ] {
            assert_eq!(chosen(vars, url), expected, "{vars:?} {url}");
        }
    }

    #[test]
    fn loopback_goes_through_a_proxy_where_that_is_asked_for() {
        let environment = ProxyEnvironment::from_vars([("all_proxy", PROXY), ("no_proxy", "127.0.0.2")]);
        for host in ["localhost", "127.0.0.1", "::1", "[::1]", "::ffff:127.0.0.1", "LOCALHOST.", ""] {
            assert!(environment.proxy_for_tcp(host, 1).unwrap().is_none(), "{host}");
            let asked = environment.clone().proxy_loopback(true);
            assert!(asked.proxy_for_tcp(host, 1).unwrap().is_some(), "{host}");
        }
        assert!(environment.proxy_loopback(true).proxy_for_tcp("127.0.0.2", 1).unwrap().is_none());
    }
}
