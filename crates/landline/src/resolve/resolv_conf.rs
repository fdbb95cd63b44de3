//! `/etc/resolv.conf` (resolv.conf(5)), and what the environment changes in it.

use std::net::SocketAddr;
use std::time::Duration;

use super::config::{Config, LookupOrder, NameServer};
use super::name::Name;
use super::special::{ZoneIndex, literal};
use crate::addr::AddressErrorKind;

/// The most servers taken from the file: `MAXNS` of `<resolv.h>`.
const MAX_SERVERS: usize = 3;

/// What the file, or its absence, comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResolvConf {
    pub(crate) config: Config,
    /// What in it is not understood here and may be by the C library.
    pub(crate) unknown: Option<String>,
    /// Whether a server was passed over because its zone names no interface, so that reading it again later may give
    /// more.
    pub(crate) unknown_zones: bool,
}

/// The variables that change it (resolv.conf(5)).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    /// `LOCALDOMAIN`: a search list in place of the file's.
    pub(crate) local_domain: Option<String>,
    /// `RES_OPTIONS`: options after those of the file.
    pub(crate) res_options: Option<String>,
    /// Whether there is a `HOSTALIASES`.
    pub(crate) host_aliases: bool,
}

impl ResolvConf {
    /// Reads the file's text; an empty one stands for a file that is missing.
    ///
    /// Where resolv.conf(5) is silent, the odd is read as Go reads it: a keyword may be indented; numbers end at
    /// the first character that is no digit, and count as 0 without any; servers whose address is none are passed over.
    pub(crate) fn parse(
        text: &[u8],
        hostname: &str,
        environment: &Environment,
        zone_index: ZoneIndex<'_>,
    ) -> ResolvConf {
        let mut reader = Reader {
            servers: Vec::new(),
            search: None,
            config: Config::new().with_order(LookupOrder::System),
            unknown: None,
            unknown_zones: false,
            zone_index,
        };
        for line in String::from_utf8_lossy(text).lines() {
            if !line.starts_with(['#', ';']) {
                reader.line(line);
            }
        }
        if let Some(search) = &environment.local_domain {
            // Set to nothing, it means that there is to be none.
            reader.search(std::iter::once(".").chain(search.split_ascii_whitespace()));
        }
        if let Some(options) = &environment.res_options {
            options.split_ascii_whitespace().for_each(|option| reader.option(option));
        }
        reader.finish(hostname)
    }
}

struct Reader<'a> {
    servers: Vec<SocketAddr>,
    /// `None` while nothing was said of it.
    search: Option<Vec<Name>>,
    config: Config,
    unknown: Option<String>,
    unknown_zones: bool,
    zone_index: ZoneIndex<'a>,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        // Only a whole line can be a comment; but where a name or option is due, these can begin nothing else.
        let mut words = line.split_ascii_whitespace().take_while(|word| !word.starts_with(['#', ';']));
        match words.next() {
            None => {}
            Some("nameserver") => {
                if let Some(address) = words.next() {
                    self.server(address);
                }
            }
            Some("domain") => {
                if let Some(domain) = words.next() {
                    self.search(std::iter::once(domain));
                }
            }
            Some("search") => self.search(words),
            Some("options") => words.for_each(|option| self.option(option)),
            // Orders what gethostbyname returns, never what getaddrinfo does.
            Some("sortlist") => {}
            // OpenBSD's order of sources, which nsswitch.conf gives here.
            Some("lookup") => {}
            Some(keyword) => self.unknown(keyword),
        }
    }

    fn server(&mut self, address: &str) {
        if self.servers.len() == MAX_SERVERS {
            return;
        }
        match literal(address, self.zone_index) {
            Ok(Some(ip)) => self.servers.push(NameServer::from(ip).addr()),
            Ok(None) => {}
            Err(error) => self.unknown_zones |= matches!(error.kind(), AddressErrorKind::UnknownZone(_)),
        }
    }

    /// The last line of its kind counts. A single `.` means that there is to be no search list, not even the one that
    /// the host's name gives, which is why systemd-resolved writes it.
    fn search<'a>(&mut self, domains: impl Iterator<Item = &'a str>) {
        let mut domains = domains.peekable();
        self.search = domains.peek().is_some().then(Vec::new);
        if let Some(search) = &mut self.search {
            search.extend(
                domains.filter(|&domain| domain != ".").filter_map(|domain| domain.parse::<Name>().ok()),
            );
        }
    }

    fn option(&mut self, option: &str) {
        let config = std::mem::take(&mut self.config);
        let (name, value) =
            option.split_once(':').map_or((option, None), |(name, value)| (name, Some(value)));
        self.config = match (name, value) {
            ("ndots", Some(value)) => config.with_ndots(number(value, 0, 15) as u8),
            ("timeout", Some(value)) => config.with_timeout(Duration::from_secs(number(value, 1, 30).into())),
            ("attempts", Some(value)) => config.with_attempts(number(value, 1, 5)),
            ("rotate", None) => config.with_rotate(true),
            // Every question has a socket of its own here, which is all that -reopen adds.
            ("single-request" | "single-request-reopen", None) => config.with_single_request(true),
            // FreeBSD's and OpenBSD's words for it, as Go takes them.
            ("use-vc" | "usevc" | "tcp", None) => config.with_use_vc(true),
            ("trust-ad", None) => config.with_trust_ad(true),
            ("edns0", None) => config.with_edns0(true),
            ("no-reload", None) => config.with_no_reload(true),
            ("no-aaaa", None) => config.with_no_aaaa(true),
            ("no-tld-query", None) => config.with_no_tld_query(true),
            // These change nothing that getaddrinfo does.
            ("debug" | "inet6" | "no-inet6" | "ip6-bytestring" | "ip6-dotint" | "no-ip6-dotint", None)
            | ("no-check-names", None) => config,
            _ => {
                self.unknown(option);
                config
            }
        };
    }

    fn unknown(&mut self, what: &str) {
        // The first is enough to say why; long ones are cut because they are shown.
        self.unknown.get_or_insert_with(|| what.chars().take(40).collect());
    }

    fn finish(self, hostname: &str) -> ResolvConf {
        let servers = if self.servers.is_empty() { Config::local_servers() } else { self.servers };
        let search = self.search.unwrap_or_else(|| search_of(hostname));
        ResolvConf {
            config: self.config.with_servers(servers).with_search(search),
            unknown: self.unknown,
            unknown_zones: self.unknown_zones,
        }
    }
}

/// What the host's name has after its first dot.
fn search_of(hostname: &str) -> Vec<Name> {
    let domain = hostname.split_once('.').and_then(|(_, domain)| domain.parse::<Name>().ok());
    domain.filter(|domain| domain != &Name::root()).into_iter().collect()
}

/// The digits that `text` begins with, kept within the bounds.
fn number(text: &str, least: u32, most: u32) -> u32 {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    match &text[..end] {
        "" => least,
        // Only a number too large does not parse.
        digits => digits.parse::<u32>().map_or(most, |number| number.clamp(least, most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn zone(name: &str) -> Option<u32> {
        match name {
            "eth0" => Some(2),
            _ => name.parse().ok(),
        }
    }

    fn read(text: &str) -> ResolvConf {
        ResolvConf::parse(text.as_bytes(), "host.example.net", &Environment::default(), &zone)
    }

    fn config(text: &str) -> Config {
        let read = read(text);
        assert_eq!(read.unknown, None, "{text}");
        read.config
    }

    fn servers(text: &str) -> Vec<String> {
        read(text).config.servers().iter().map(ToString::to_string).collect()
    }

    fn search(text: &str) -> Vec<String> {
        read(text).config.search().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_missing_file_means_this_host_and_its_domain() {
        let config = config("");
        assert_eq!(config.servers(), ["127.0.0.1:53".parse().unwrap(), "[::1]:53".parse().unwrap()]);
        assert_eq!(config.search(), ["example.net".parse().unwrap()]);
        assert_eq!((config.ndots(), config.attempts()), (1, 2));
        assert_eq!(config.timeout(), Duration::from_secs(5));
        assert_eq!(config.order(), &LookupOrder::System);
        for hostname in ["", "host", "host.", ".", "host..", "a.-b"] {
            let read = ResolvConf::parse(b"", hostname, &Environment::default(), &zone);
            assert!(read.config.search().is_empty(), "{hostname}");
        }
    }

    #[test]
    fn servers_in_every_form() {
        for (text, expected) in [
            ("nameserver 8.8.8.8", vec!["8.8.8.8:53"]),
            ("nameserver\t2001:4860:4860::8888 # comment", vec!["[2001:4860:4860::8888]:53"]),
            ("  nameserver 8.8.8.8\r\n", vec!["8.8.8.8:53"]),
            ("nameserver fe80::1%eth0\nnameserver fe80::2%7", vec!["[fe80::1%2]:53", "[fe80::2%7]:53"]),
            (
                "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4",
                vec!["1.1.1.1:53", "2.2.2.2:53", "3.3.3.3:53"],
            ),
            (
                "nameserver\nnameserver ns.example\nnameserver 1.1.1.1:5353\nnameserver 10.1\nnameserver 9.9.9.9",
                vec!["9.9.9.9:53"],
            ),
            ("#nameserver 1.1.1.1\n;nameserver 2.2.2.2", vec!["127.0.0.1:53", "[::1]:53"]),
        ] {
            assert_eq!(servers(text), expected, "{text}");
        }
        let gone = read("nameserver fe80::1%gone\nnameserver 9.9.9.9");
        assert!(gone.unknown_zones);
        assert_eq!(gone.config.servers().len(), 1);
    }

    #[test]
    fn the_last_of_search_and_domain_counts() {
        for (text, expected) in [
            ("search a.example b.example.\n", vec!["a.example.", "b.example."]),
            ("search a.example\nsearch b.example", vec!["b.example."]),
            ("search a.example\ndomain b.example c.example", vec!["b.example."]),
            ("domain a.example\nsearch b.example c.example", vec!["b.example.", "c.example."]),
            ("domain a.example\ndomain", vec!["a.example."]),
            ("search a.example\nsearch", vec!["example.net."]),
            ("search a..b .c a.example -d", vec!["a.example."]),
            ("search a.example # b.example", vec!["a.example."]),
            ("search .", vec![]),
            ("search . a.example", vec!["a.example."]),
            ("domain .", vec![]),
        ] {
            assert_eq!(search(text), expected, "{text}");
        }
    }

    #[test]
    fn options_are_kept_within_their_bounds() {
        for (option, expected) in [
            ("ndots:0", (0, 5, 2)),
            ("ndots:15", (15, 5, 2)),
            ("ndots:16", (15, 5, 2)),
            ("ndots:99999999999", (15, 5, 2)),
            ("ndots:-1", (0, 5, 2)),
            ("ndots:abc", (0, 5, 2)),
            ("ndots:2x", (2, 5, 2)),
            ("ndots:", (0, 5, 2)),
            ("timeout:0", (1, 1, 2)),
            ("timeout:30", (1, 30, 2)),
            ("timeout:31", (1, 30, 2)),
            ("timeout:-3", (1, 1, 2)),
            ("attempts:0", (1, 5, 1)),
            ("attempts:5", (1, 5, 5)),
            ("attempts:6", (1, 5, 5)),
            ("attempts:x", (1, 5, 1)),
            ("ndots:2 timeout:3\toptions\nattempts:4", (2, 3, 2)),
        ] {
            let config = read(&format!("options {option}")).config;
            let got = (config.ndots(), config.timeout().as_secs(), config.attempts());
            assert_eq!(got, expected, "{option}");
        }
    }

    #[test]
    fn switches_are_off_until_the_file_sets_them() {
        let off = config("");
        assert!(
            !off.rotate() && !off.single_request() && !off.use_vc() && !off.trust_ad() && !off.no_reload()
        );
        assert!(!off.no_aaaa() && !off.no_tld_query() && off.edns0());
        let on = config(
            "options rotate single-request use-vc trust-ad edns0\noptions no-reload no-aaaa no-tld-query debug # all",
        );
        assert!(on.rotate() && on.single_request() && on.use_vc() && on.trust_ad() && on.no_reload());
        assert!(on.no_aaaa() && on.no_tld_query() && on.edns0());
        assert!(config("options single-request-reopen usevc").single_request());
        assert!(config("options tcp").use_vc());
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (text, unknown) in [
            ("options frobnicate rotate", "frobnicate"),
            ("options rotate:1", "rotate:1"),
            ("options ndots", "ndots"),
            ("family inet4", "family"),
            ("Nameserver 1.1.1.1", "Nameserver"),
        ] {
            assert_eq!(read(text).unknown.as_deref(), Some(unknown), "{text}");
        }
        assert!(read("options frobnicate rotate").config.rotate());
        assert_eq!(read("sortlist 192.0.2.0\nlookup file bind").unknown, None);
    }

    #[test]
    fn the_environment_has_the_last_word() {
        let environment = Environment {
            local_domain: Some("env.example other.example".to_owned()),
            res_options: Some("ndots:3 rotate".to_owned()),
            host_aliases: false,
        };
        let read = ResolvConf::parse(b"search a.example\noptions ndots:2", "h", &environment, &zone);
        assert_eq!(read.config.search().len(), 2);
        assert_eq!((read.config.ndots(), read.config.rotate()), (3, true));

        let environment = Environment { local_domain: Some(String::new()), ..Environment::default() };
        let read = ResolvConf::parse(b"search a.example", "h.example.net", &environment, &zone);
        assert_eq!(read.config.search(), []);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = ResolvConf::parse(&bytes, "h.example", &Environment::default(), &zone);
        }

        #[test]
        fn the_bounds_hold_whatever_the_file_says(
            text in "((nameserver|search|domain|options|ndots:|timeout:|attempts:|[0-9.:-]{1,12})[ \n]){0,30}"
        ) {
            let config = read(&text).config;
            prop_assert!((1..=3).contains(&config.servers().len()));
            prop_assert!(config.ndots() <= 15);
            prop_assert!((1..=30).contains(&config.timeout().as_secs()));
            prop_assert!((1..=5).contains(&config.attempts()));
        }
    }
}
