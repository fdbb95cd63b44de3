//! Which proxy, and how it is spoken to.

use std::fmt;
use std::str::FromStr;
#[cfg(feature = "tls")]
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::addr::{join_host_port, split_host_port};

/// A proxy: its protocol, its address, and what lets us in.
///
/// Read from a URL, `scheme://[user[:password]@]host[:port]`, or made with [`Proxy::new`]. Without a scheme it is an HTTP
/// proxy; a path is ignored, as Go and curl do; in user and password `%` and two hex digits are one byte. It prints as
/// the URL without the password.
///
/// | scheme | protocol | port | the target's name is resolved |
/// |---|---|---|---|
/// | `http` | HTTP `CONNECT` (RFC 9110) | 80 | by the proxy |
/// | `https` | the same over TLS (feature `tls`) | 443 | by the proxy |
/// | `socks5` | SOCKS5 (RFC 1928, RFC 1929) | 1080 | here |
/// | `socks5h` | the same | 1080 | by the proxy |
/// | `socks4` | SOCKS4 | 1080 | here, to IPv4 |
/// | `socks4a` | SOCKS4a | 1080 | by the proxy |
///
/// These are curl's meanings; Go has names resolved by the proxy with `socks5` too.
///
/// ```
/// use landline::Proxy;
///
/// let proxy: Proxy = "socks5h://me:secret@proxy.example".parse().unwrap();
/// assert_eq!(proxy.address(), "proxy.example:1080");
/// assert_eq!(proxy.to_string(), "socks5h://me@proxy.example:1080");
/// ```
#[derive(Clone)]
pub struct Proxy {
    scheme: ProxyScheme,
    host: String,
    port: u16,
    login: Option<Login>,
    authorization: Option<String>,
    #[cfg(feature = "tls")]
    tls: Option<Arc<rustls::ClientConfig>>,
}

#[derive(Clone)]
struct Login {
    user: Vec<u8>,
    password: Vec<u8>,
}

/// How a proxy is spoken to; see the table at [`Proxy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // The table at `Proxy` has them.
pub enum ProxyScheme {
    Http,
    Https,
    Socks4,
    Socks4a,
    Socks5,
    Socks5h,
}

/// Why a proxy was refused; prints as `proxy INPUT: REASON`, without what may be a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseProxyError {
    input: String,
    reason: String,
}

impl Proxy {
    /// The proxy at `address`, which is `host:port`.
    ///
    /// # Errors
    /// If `address` is not that.
    pub fn new(scheme: ProxyScheme, address: &str) -> Result<Proxy, ParseProxyError> {
        Proxy::at(scheme, address).map_err(|reason| ParseProxyError { input: address.to_owned(), reason })
    }

    fn at(scheme: ProxyScheme, address: &str) -> Result<Proxy, String> {
        let (host, port) = split_host_port(address).map_err(|error| error.kind().to_string())?;
        if host.is_empty() {
            return Err("no host".to_owned());
        }
        if let Some(ch) =
            host.chars().find(|ch| ch.is_whitespace() || ch.is_control() || "/?#@\\".contains(*ch))
        {
            return Err(format!("{ch:?} in the host"));
        }
        let number =
            port.bytes().all(|byte| byte.is_ascii_digit()).then(|| port.parse::<u16>().ok()).flatten();
        let port = number.filter(|&port| port != 0).ok_or_else(|| format!("no port {port:?}"))?;
        Ok(Proxy {
            scheme,
            host: host.to_owned(),
            port,
            login: None,
            authorization: None,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The user name and the password: `Basic` of an HTTP proxy (RFC 7617), those of RFC 1929 for SOCKS5; SOCKS4 has
    /// the user name alone.
    #[must_use]
    pub fn login(mut self, user: impl AsRef<[u8]>, password: impl AsRef<[u8]>) -> Proxy {
        self.login = Some(Login { user: user.as_ref().to_vec(), password: password.as_ref().to_vec() });
        self
    }

    /// The whole value of `Proxy-Authorization` for an HTTP proxy, such as `Bearer …`; it takes the place of a login.
    #[must_use]
    pub fn authorization(mut self, value: impl Into<String>) -> Proxy {
        self.authorization = Some(value.into());
        self
    }

    /// How TLS to an `https` proxy is done. By default the system's own certificate authorities are trusted, or, where
    /// it has none, those of Mozilla.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<rustls::ClientConfig>) -> Proxy {
        self.tls = Some(config);
        self
    }

    /// How it is spoken to.
    pub fn scheme(&self) -> ProxyScheme {
        self.scheme
    }

    /// Its host: a name or an IP address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `host:port`, as it is dialed.
    pub fn address(&self) -> String {
        join_host_port(&self.host, self.port)
    }

    /// The configuration that [`Proxy::tls_config`] was given, for those who speak to the proxy themselves.
    #[cfg(feature = "tls")]
    pub fn tls(&self) -> Option<&Arc<rustls::ClientConfig>> {
        self.tls.as_ref()
    }

    /// The user name and the password.
    pub(super) fn user_password(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        self.login.as_ref().map(|Login { user, password }| (user.clone(), password.clone()))
    }

    /// The value of `Proxy-Authorization`, if there is to be one, for those who speak to the proxy themselves: a secret.
    ///
    /// # Errors
    /// If the user name has a colon, which `Basic` cannot say (RFC 7617 section 2).
    pub fn proxy_authorization(&self) -> Result<Option<String>, &'static str> {
        if self.authorization.is_some() {
            return Ok(self.authorization.clone());
        }
        let Some(Login { user, password }) = &self.login else { return Ok(None) };
        if user.contains(&b':') {
            // RFC 7617 section 2.
            return Err("a colon in the user name");
        }
        Ok(Some(format!("Basic {}", STANDARD.encode([user, &b":"[..], password].concat()))))
    }

    fn parse(url: &str) -> Result<Proxy, String> {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (scheme.parse()?, rest),
            None => (ProxyScheme::Http, url),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (login, host) = match authority.rsplit_once('@') {
            Some((login, host)) => (Some(login), host),
            None => (None, authority),
        };
        // The zone of an IPv6 address has its % escaped in a URL (RFC 6874).
        let host = host.replacen("%25", "%", 1);
        let mut proxy = match split_host_port(&host) {
            Ok((_, port)) if !port.is_empty() => Proxy::at(scheme, &host)?,
            _ => {
                let host = host.strip_suffix(':').unwrap_or(&host);
                Proxy::at(scheme, &format!("{host}:{}", scheme.default_port()))?
            }
        };
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            let decode = |text| decode(text).ok_or("% without two hex digits in user or password");
            proxy = proxy.login(decode(user)?, decode(password)?);
        }
        Ok(proxy)
    }
}

impl FromStr for Proxy {
    type Err = ParseProxyError;

    fn from_str(url: &str) -> Result<Proxy, ParseProxyError> {
        Proxy::parse(url).map_err(|reason| ParseProxyError { input: without_login(url), reason })
    }
}

/// What stands before an `@` may be a password.
fn without_login(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or((None, url), |(scheme, rest)| (Some(scheme), rest));
    let rest = rest.rsplit_once('@').map_or(rest.to_owned(), |(_, host)| format!("…@{host}"));
    scheme.map_or(rest.clone(), |scheme| format!("{scheme}://{rest}"))
}

/// Undoes percent-encoding (RFC 3986 section 2.1).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(out)
}

impl ProxyScheme {
    /// As in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            ProxyScheme::Http => "http",
            ProxyScheme::Https => "https",
            ProxyScheme::Socks4 => "socks4",
            ProxyScheme::Socks4a => "socks4a",
            ProxyScheme::Socks5 => "socks5",
            ProxyScheme::Socks5h => "socks5h",
        }
    }

    /// The port of a URL that names none; that of HTTP is Go's.
    pub fn default_port(self) -> u16 {
        match self {
            ProxyScheme::Http => 80,
            ProxyScheme::Https => 443,
            _ => 1080,
        }
    }

    /// Whether the proxy resolves names.
    pub fn resolves_names(self) -> bool {
        !matches!(self, ProxyScheme::Socks4 | ProxyScheme::Socks5)
    }
}

impl FromStr for ProxyScheme {
    type Err = String;

    fn from_str(scheme: &str) -> Result<ProxyScheme, String> {
        use ProxyScheme::{Http, Https, Socks4, Socks4a, Socks5, Socks5h};
        [Http, Https, Socks4, Socks4a, Socks5, Socks5h]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(scheme))
            .ok_or_else(|| {
                format!(
                    "unknown scheme {scheme:?}; there are http, https, socks4, socks4a, socks5 and socks5h"
                )
            })
    }
}

impl fmt::Display for ProxyScheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(Login { user, .. }) = &self.login {
            for &byte in user {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                    write!(f, "{}", char::from(byte))?;
                } else {
                    write!(f, "%{byte:02X}")?;
                }
            }
            f.write_str("@")?;
        }
        f.write_str(&self.address())
    }
}

impl fmt::Debug for Proxy {
    /// As it prints, so that no password gets into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl ParseProxyError {
    /// What was refused, without what may be a password.
    pub fn input(&self) -> &str {
        &self.input
    }

    /// What is wrong with it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Names where the proxy was given, such as a variable of the environment.
    pub(super) fn of(mut self, variable: &str) -> ParseProxyError {
        self.input = format!("{variable}={}", self.input);
        self
    }
}

impl fmt::Display for ParseProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "proxy {}: {}", self.input.escape_debug(), self.reason)
    }
}

impl std::error::Error for ParseProxyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_what_they_mean() {
        for (url, meaning) in [
            ("http://proxy.example:3128", "http://proxy.example:3128"),
            ("http://proxy.example", "http://proxy.example:80"),
            ("https://proxy.example/", "https://proxy.example:443"),
            ("proxy.example:3128", "http://proxy.example:3128"),
            ("proxy.example", "http://proxy.example:80"),
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("SOCKS5://[::1]", "socks5://[::1]:1080"),
            ("socks5h://[::1]:9", "socks5h://[::1]:9"),
            ("socks4://h:", "socks4://h:1080"),
            ("socks4a://u@h", "socks4a://u@h:1080"),
            ("http://[fe80::1%25lo]:80/x?y#z", "http://[fe80::1%lo]:80"),
            ("http://u:p@h:1", "http://u@h:1"),
            ("http://a%40b:p%3aw@h:1", "http://a%40b@h:1"),
            ("http://u:p@w@h:1", "http://u@h:1"),
        ] {
            assert_eq!(url.parse::<Proxy>().unwrap().to_string(), meaning, "{url}");
        }
    }

    #[test]
    fn what_is_no_proxy_is_refused_by_its_name_and_without_its_password() {
        for (url, words) in [
            ("ftp://h", "proxy ftp://h: unknown scheme \"ftp\""),
            ("", "no host"),
            ("http://", "no host"),
            ("http://:80", "no host"),
            ("http://h:0", "no port \"0\""),
            ("http://h:65536", "no port \"65536\""),
            ("http://h:x", "no port \"x\""),
            ("http://h:+1", "no port \"+1\""),
            ("http://::1", "too many colons"),
            ("http://[::1", "missing ']'"),
            ("http://a b:1", "' ' in the host"),
            ("http://u:secret%zz@h", "proxy http://…@h: % without two hex digits"),
            ("gopher://u:secret@h", "proxy gopher://…@h: "),
        ] {
            let error = url.parse::<Proxy>().expect_err(url).to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_login_is_basic_and_a_custom_authorization_takes_its_place() {
        let proxy: Proxy = "http://Aladdin:open%20sesame@h".parse().unwrap();
        // The example of RFC 7617 section 2.
        assert_eq!(
            proxy.proxy_authorization().unwrap().as_deref(),
            Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
        );
        assert_eq!(format!("{proxy:?}"), "Proxy(http://Aladdin@h:80)");
        let proxy = proxy.authorization("Bearer x");
        assert_eq!(proxy.proxy_authorization().unwrap().as_deref(), Some("Bearer x"));
        let proxy: Proxy = "http://h".parse().unwrap();
        assert_eq!(proxy.proxy_authorization(), Ok(None));
        assert!(proxy.login("a:b", "c").proxy_authorization().is_err());
    }
}
