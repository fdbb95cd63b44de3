//! How a URL is reached: by a conn to its server, or by asking a proxy for it. Pure.

use landline::{ParseProxyError, Proxies, Proxy, ProxyScheme};

use super::origin::Origin;

/// The way to a URL.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// A conn to the server, through these one after the other; directly, if there are none.
    Conn(Vec<Proxy>),
    /// The last proxy is asked for the URL itself, as HTTP proxies were made for (RFC 9112 section 3.2.2); those before
    /// it lead there.
    Ask { before: Vec<Proxy>, proxy: Box<Proxy> },
}

impl Way {
    /// The way to an origin. Where it has to be a conn to the server, a proxy is asked for that at most.
    ///
    /// # Errors
    /// Where the environment names no proxy that is one.
    pub(super) fn to(origin: &Origin, proxies: &Proxies, must_be_conn: bool) -> Result<Way, ParseProxyError> {
        let mut chain = match proxies {
            Proxies::Chain(chain) => chain.clone(),
            Proxies::Environment(environment) => {
                let scheme = if origin.is_secure { "https" } else { "http" };
                environment.proxy_for(scheme, &origin.host, origin.port)?.into_iter().collect()
            }
            _ => Vec::new(),
        };
        let is_http = |proxy: &Proxy| matches!(proxy.scheme(), ProxyScheme::Http | ProxyScheme::Https);
        if origin.is_secure || must_be_conn || !chain.last().is_some_and(is_http) {
            return Ok(Way::Conn(chain));
        }
        Ok(match chain.pop() {
            Some(proxy) => Way::Ask { before: chain, proxy: Box::new(proxy) },
            None => Way::Conn(chain),
        })
    }
}

#[cfg(test)]
mod tests {
    use landline::ProxyEnvironment;

    use super::*;

    fn chain(urls: &[&str]) -> Proxies {
        urls.iter().map(|url| url.parse().unwrap()).collect::<Vec<Proxy>>().into()
    }

    #[test]
    fn who_is_asked_for_what() {
        let environment =
            [("http_proxy", "http://h"), ("https_proxy", "http://s"), ("no_proxy", "direct.example")];
        let environment = Proxies::from(ProxyEnvironment::from_vars(environment));
        for (url, proxies, must_be_conn, expected) in [
            ("http://a", &Proxies::Off, false, "conn"),
            ("http://a", &chain(&[]), false, "conn"),
            ("http://a", &chain(&["http://p"]), false, "ask http://p:80"),
            ("http://a", &chain(&["http://p"]), true, "conn http://p:80"),
            ("https://a", &chain(&["https://p"]), false, "conn https://p:443"),
            ("http://a", &chain(&["socks5://p"]), false, "conn socks5://p:1080"),
            (
                "http://a",
                &chain(&["socks5://p", "https://q"]),
                false,
                "ask https://q:443 through socks5://p:1080",
            ),
            ("http://a", &chain(&["http://p", "socks5://q"]), false, "conn http://p:80 socks5://q:1080"),
            ("http://a", &environment, false, "ask http://h:80"),
            ("https://a", &environment, false, "conn http://s:80"),
            ("http://direct.example", &environment, false, "conn"),
        ] {
            let origin = Origin::of(&url.parse().unwrap()).unwrap();
            let way = match Way::to(&origin, proxies, must_be_conn).unwrap() {
                Way::Conn(chain) => {
                    let chain = chain.iter().map(|proxy| format!(" {proxy}"));
                    format!("conn{}", chain.collect::<String>())
                }
                Way::Ask { before, proxy } => {
                    let before = before.iter().map(|proxy| format!(" through {proxy}"));
                    format!("ask {proxy}{}", before.collect::<String>())
                }
            };
            assert_eq!(way, expected, "{url} {proxies:?}");
        }
        let broken = Proxies::from(ProxyEnvironment::from_vars([("http_proxy", "ftp://h")]));
        assert!(Way::to(&Origin::of(&"http://a".parse().unwrap()).unwrap(), &broken, false).is_err());
    }
}
