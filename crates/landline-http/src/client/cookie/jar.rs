//! The cookies that are kept, and to whom they go (RFC 6265 sections 5.3 and 5.4). Pure.

use std::net::IpAddr;
use std::time::SystemTime;

use super::parse::SetCookie;
use crate::client::origin::Origin;

/// The most cookies of one domain.
const MOST_OF_A_DOMAIN: usize = 64;
/// The most of all (RFC 6265 section 6.1).
const MOST: usize = 3000;

#[derive(Debug, Default)]
pub(super) struct Jar {
    /// In the order in which they were first set.
    cookies: Vec<Cookie>,
    /// Counts uses, so that the one unused for longest is known without a clock.
    uses: u64,
}

#[derive(Debug)]
pub(super) struct Cookie {
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) domain: String,
    pub(super) is_host_only: bool,
    pub(super) path: String,
    pub(super) expires: Option<SystemTime>,
    pub(super) is_secure: bool,
    pub(super) used: u64,
}

impl Jar {
    pub(super) fn len(&self) -> usize {
        self.cookies.len()
    }

    /// Keeps a cookie that a response to this request sets, if the host may set it.
    pub(super) fn store(&mut self, set: SetCookie, origin: &Origin, request_path: &str, now: SystemTime) {
        self.cookies.retain(|cookie| cookie.expires.is_none_or(|expires| expires > now));
        let Some(domain) = domain(set.domain.as_deref(), &origin.host) else { return };
        let is_host_only = domain.is_none();
        let domain = domain.unwrap_or(&origin.host).to_owned();
        let path = set.path.unwrap_or_else(|| default_path(request_path).to_owned());
        if set.is_secure && !origin.is_secure {
            return;
        }
        let name = set.name.to_ascii_lowercase();
        let is_whole_host = is_host_only && path == "/";
        if (name.starts_with(b"__secure-") && !set.is_secure)
            || (name.starts_with(b"__host-") && !(set.is_secure && is_whole_host))
        {
            return;
        }
        // What was set over TLS is not overlaid without (rfc6265bis section 5.7, step 17).
        let overlays = |cookie: &Cookie| {
            cookie.is_secure
                && cookie.name == set.name
                && (domain_matches(&cookie.domain, &domain) || domain_matches(&domain, &cookie.domain))
                && path_matches(&path, &cookie.path)
        };
        if !origin.is_secure && self.cookies.iter().any(overlays) {
            return;
        }
        let cookie = Cookie {
            name: set.name,
            value: set.value,
            domain,
            is_host_only,
            path,
            expires: set.expires,
            is_secure: set.is_secure,
            used: 0,
        };
        self.put(cookie, now);
    }

    /// Keeps a cookie that was kept before, unless it is for a public suffix.
    pub(super) fn keep(&mut self, cookie: Cookie, now: SystemTime) {
        if cookie.is_host_only || !is_public_suffix(&cookie.domain) {
            self.put(cookie, now);
        }
    }

    /// In the order in which they were first set.
    pub(super) fn cookies(&self) -> &[Cookie] {
        &self.cookies
    }

    /// In place of the one that was the same before.
    fn put(&mut self, mut cookie: Cookie, now: SystemTime) {
        self.uses += 1;
        cookie.used = self.uses;
        let same = |old: &Cookie| {
            old.name == cookie.name
                && old.domain == cookie.domain
                && old.is_host_only == cookie.is_host_only
                && old.path == cookie.path
        };
        let old = self.cookies.iter().position(same);
        let is_over = cookie.expires.is_some_and(|expires| expires <= now);
        match (old, is_over) {
            (Some(old), true) => drop(self.cookies.remove(old)),
            (Some(old), false) => self.cookies[old] = cookie,
            (None, true) => {}
            (None, false) => {
                self.make_room(&cookie.domain);
                self.cookies.push(cookie);
            }
        }
    }

    /// The cookies for a request, those of longer paths first.
    pub(super) fn header(&mut self, origin: &Origin, path: &str, now: SystemTime) -> Option<Vec<u8>> {
        let path = if path.is_empty() { "/" } else { path };
        let mut matching: Vec<&mut Cookie> = self
            .cookies
            .iter_mut()
            .filter(|cookie| {
                let is_for_host = if cookie.is_host_only {
                    cookie.domain == origin.host
                } else {
                    domain_matches(&origin.host, &cookie.domain)
                };
                is_for_host
                    && path_matches(path, &cookie.path)
                    && (origin.is_secure || !cookie.is_secure)
                    && cookie.expires.is_none_or(|expires| expires > now)
            })
            .collect();
        // Stable, so that those set first stay first.
        matching.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let mut text = Vec::new();
        for cookie in matching {
            self.uses += 1;
            cookie.used = self.uses;
            if !text.is_empty() {
                text.extend_from_slice(b"; ");
            }
            if !cookie.name.is_empty() {
                text.extend_from_slice(&cookie.name);
                text.push(b'=');
            }
            text.extend_from_slice(&cookie.value);
        }
        (!text.is_empty()).then_some(text)
    }

    fn make_room(&mut self, domain: &str) {
        let of_domain = self.cookies.iter().filter(|cookie| cookie.domain == domain).count();
        let is_crowded = of_domain >= MOST_OF_A_DOMAIN;
        if !is_crowded && self.cookies.len() < MOST {
            return;
        }
        let all = self.cookies.iter().enumerate();
        let candidates = all.filter(|(_, cookie)| !is_crowded || cookie.domain == domain);
        if let Some((oldest, _)) = candidates.min_by_key(|(_, cookie)| cookie.used) {
            self.cookies.remove(oldest);
        }
    }
}

/// The domain that a cookie is for, `Some(None)` for the host alone, `None` if the host may not set it.
fn domain<'a>(asked: Option<&'a str>, host: &str) -> Option<Option<&'a str>> {
    let Some(domain) = asked else { return Some(None) };
    if is_public_suffix(domain) {
        return (domain == host).then_some(None);
    }
    domain_matches(host, domain).then_some(Some(domain))
}

/// Whether anybody may have a name below it. Of names that the list does not know, the last label.
fn is_public_suffix(domain: &str) -> bool {
    psl::suffix_str(domain).is_none_or(|suffix| suffix == domain)
}

fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain
        || (host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
            && host.parse::<IpAddr>().is_err())
}

fn path_matches(path: &str, of_cookie: &str) -> bool {
    path.strip_prefix(of_cookie)
        .is_some_and(|rest| rest.is_empty() || of_cookie.ends_with('/') || rest.starts_with('/'))
}

/// The folder of the request's path (RFC 6265 section 5.1.4).
fn default_path(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some((folder, _)) if folder.starts_with('/') => folder,
        _ => "/",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Uri;

    use super::*;

    struct Browser {
        jar: Jar,
        now: SystemTime,
    }

    impl Browser {
        fn new() -> Browser {
            Browser { jar: Jar::default(), now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000) }
        }

        fn set(&mut self, url: &str, cookie: &str) {
            let uri: Uri = url.parse().unwrap();
            if let Some(cookie) = SetCookie::parse(cookie.as_bytes(), self.now) {
                self.jar.store(cookie, &Origin::of(&uri).unwrap(), uri.path(), self.now);
            }
        }

        fn sent(&mut self, url: &str) -> String {
            let uri: Uri = url.parse().unwrap();
            let header = self.jar.header(&Origin::of(&uri).unwrap(), uri.path(), self.now);
            String::from_utf8(header.unwrap_or_default()).unwrap()
        }
    }

    #[test]
    fn to_whom_a_cookie_goes() {
        for (from, cookie, to, goes) in [
            ("http://a.example.com/", "c=1", "http://a.example.com/x", true),
            ("http://a.example.com/", "c=1", "http://a.example.com:81/x", true),
            ("http://a.example.com/", "c=1", "http://b.a.example.com/", false),
            ("http://a.example.com/", "c=1; Domain=example.com", "http://b.example.com/", true),
            ("http://a.example.com/", "c=1; Domain=example.com", "http://notexample.com/", false),
            ("http://a.example.com/", "c=1; Domain=b.example.com", "http://b.example.com/", false),
            ("http://a.example.com/", "c=1; Domain=com", "http://b.com/", false),
            ("http://a.co.uk/", "c=1; Domain=co.uk", "http://b.co.uk/", false),
            ("http://a.github.io/", "c=1; Domain=github.io", "http://b.github.io/", false),
            ("http://github.io/", "c=1; Domain=github.io", "http://github.io/", true),
            ("http://github.io/", "c=1; Domain=github.io", "http://b.github.io/", false),
            ("http://localhost/", "c=1; Domain=localhost", "http://localhost/", true),
            ("http://127.0.0.1/", "c=1; Domain=127.0.0.1", "http://127.0.0.1/", true),
            ("http://127.0.0.1/", "c=1; Domain=0.0.1", "http://127.0.0.1/", false),
            ("http://a/x/y", "c=1", "http://a/x/z", true),
            ("http://a/x/y", "c=1", "http://a/xz", false),
            ("http://a/x/y", "c=1; Path=/", "http://a/z", true),
            ("http://a/", "c=1; Path=/x", "http://a/x/y", true),
            ("http://a/", "c=1; Path=/x", "http://a/xy", false),
            ("https://a/", "c=1; Secure", "https://a/", true),
            ("https://a/", "c=1; Secure", "http://a/", false),
            ("http://a/", "c=1; Secure", "https://a/", false),
            ("https://a/", "__Host-c=1; Secure; Path=/", "https://a/", true),
            ("https://a.b.com/", "__Host-c=1; Secure; Path=/; Domain=b.com", "https://a.b.com/", false),
            ("https://a/", "__Secure-c=1", "https://a/", false),
            ("http://a/", "c=1; Max-Age=0", "http://a/", false),
        ] {
            let mut browser = Browser::new();
            browser.set(from, cookie);
            assert_eq!(!browser.sent(to).is_empty(), goes, "{from} {cookie} {to}");
        }
    }

    #[test]
    fn cookies_are_replaced_ordered_and_end() {
        let mut browser = Browser::new();
        browser.set("http://a/x/", "one=1; Path=/");
        browser.set("http://a/x/", "two=2; Path=/x");
        browser.set("http://a/x/", "three=3; Path=/; Max-Age=10");
        browser.set("http://a/x/", "one=4; Path=/");
        assert_eq!(browser.sent("http://a/x/y"), "two=2; one=4; three=3");
        browser.now += Duration::from_secs(10);
        assert_eq!(browser.sent("http://a/x/y"), "two=2; one=4");
        browser.set("http://a/", "one=; expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(browser.sent("http://a/x/y"), "two=2");
        browser.set("https://a/", "safe=1; Secure");
        browser.set("http://a/", "safe=evil");
        assert_eq!(browser.sent("https://a/"), "safe=1");
    }

    #[test]
    fn the_jar_does_not_overflow() {
        let mut browser = Browser::new();
        for number in 0..100 {
            browser.set("http://a/", &format!("c{number}=x"));
            browser.sent("http://a/none");
        }
        assert_eq!(browser.jar.len(), MOST_OF_A_DOMAIN);
        assert!(browser.sent("http://a/").ends_with("c99=x"));
        for host in 0..100 {
            for number in 0..40 {
                browser.set(&format!("http://h{host}/"), &format!("c{number}=x"));
            }
        }
        assert_eq!(browser.jar.len(), MOST);
    }
}
