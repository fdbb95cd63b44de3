//! Which sources are asked for a name or an address, in which order, and why. A pure decision.

mod walk;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::config::{Config, LookupOrder};
use super::nsswitch::{Action, Criteria, Nsswitch, Status};
use super::special::Reserved;
use crate::addr::ScopedIp;
use walk::walk;

/// A source of addresses and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// `/etc/hosts`.
    Files,
    /// This host's own name and addresses (nss-myhostname(8)).
    MyHostname,
    /// The name servers.
    Dns,
    /// The system's `getaddrinfo` and `getnameinfo`, which follow `/etc/nsswitch.conf` themselves.
    System,
}

/// The sources to ask, in order, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Each is asked only if the one before lets it; a plan without steps finds nothing.
    pub(crate) steps: Vec<Step>,
    basis: Basis,
}

/// One source, and what to do after its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) via: Via,
    criteria: Criteria,
}

/// A source with what it needs to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The name is an address.
    Literal(ScopedIp),
    /// The name is answered without asking anyone.
    Reserved(Reserved),
    /// `/etc/hosts`.
    Files,
    /// This host's own name and addresses.
    MyHostname,
    /// The name servers.
    Dns,
    /// The system's resolver, for the reason given.
    System(HandOff),
}

/// Why a lookup is handed to the system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HandOff {
    /// [`Source::System`] was asked for.
    Configured,
    /// The name holds `\` or `%`, which the C library reads in ways of its own.
    Escapes,
    /// The environment's `HOSTALIASES` renames names without dots (gethostbyname(3)).
    HostAliases,
    /// `resolv.conf` is there and cannot be used.
    ResolvConf(String),
    /// `nsswitch.conf` is there and cannot be used.
    Nsswitch(String),
    /// A source of `nsswitch.conf` that is not done here, for this name at least.
    Source {
        /// Its name.
        source: String,
        /// What it is or does that is not done here, as the rest of a sentence.
        why: &'static str,
    },
    /// The criteria of this source ask for the answers of more than one.
    Criteria(String),
}

/// What is known of this host when the decision is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) nsswitch: Nsswitch,
    /// What stands in the way of doing what `resolv.conf` says.
    pub(crate) resolv_conf_trouble: Option<String>,
    /// The host's name.
    pub(crate) hostname: String,
    /// Whether `/etc/mdns.allow` exists, so that names outside `.local` may be mDNS names.
    pub(crate) mdns_allow: bool,
    /// Whether systemd-resolved runs.
    pub(crate) resolved: bool,
    /// Whether systemd-machined has machines registered.
    pub(crate) machines: bool,
    /// Whether the environment names a file of host aliases.
    pub(crate) host_aliases: bool,
}

/// What the order was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Basis {
    Literal,
    Reserved(Reserved),
    Configured,
    /// The line for hosts.
    Nsswitch(Arc<str>),
    Silent,
    Unusable,
    DnsOnly,
}

/// What is asked for.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    /// The addresses of a name, given without its final dot.
    Addresses(&'a str),
    /// The names of an address.
    Names(IpAddr),
}

impl Plan {
    /// For a name that is an IP literal.
    pub(crate) fn literal(ip: ScopedIp) -> Plan {
        Plan { steps: vec![Step::new(Via::Literal(ip))], basis: Basis::Literal }
    }

    /// For the addresses, or the canonical name, of a name that is no literal.
    pub(crate) fn for_name(name: &str, config: &Config, facts: &Facts) -> Plan {
        let bare = name.strip_suffix('.').unwrap_or(name);
        if let Some(reserved) = Reserved::of(name) {
            return Plan::reserved(reserved, config, facts);
        }
        let plan = Plan::ordered(Wanted::Addresses(bare), config, facts);
        if config.order() == &LookupOrder::System {
            if name.contains(['\\', '%']) {
                return plan.handed_off(HandOff::Escapes);
            }
            if facts.host_aliases && !name.contains('.') {
                return plan.handed_off(HandOff::HostAliases);
            }
        }
        plan
    }

    /// For the names of an address.
    pub(crate) fn for_address(ip: IpAddr, config: &Config, facts: &Facts) -> Plan {
        Plan::ordered(Wanted::Names(ip), config, facts)
    }

    /// For records that only the DNS has: MX, NS, SRV, TXT, HTTPS. Localhost has none.
    pub(crate) fn for_records(name: &str) -> Plan {
        match Reserved::of(name) {
            Some(reserved) => {
                Plan { steps: vec![Step::new(Via::Reserved(reserved))], basis: Basis::Reserved(reserved) }
            }
            None => Plan { steps: vec![Step::new(Via::Dns)], basis: Basis::DnsOnly },
        }
    }

    /// An administrator may have given such a name an address in `/etc/hosts`; nothing else is asked.
    fn reserved(reserved: Reserved, config: &Config, facts: &Facts) -> Plan {
        let files = match (config.order(), &facts.nsswitch) {
            (LookupOrder::Sources(sources), _) => sources.contains(&Source::Files),
            (LookupOrder::System, Nsswitch::Hosts { sources, .. }) => {
                sources.iter().any(|source| source.name == "files")
            }
            (LookupOrder::System, Nsswitch::Silent | Nsswitch::Unusable(_)) => true,
        };
        let mut steps = vec![Step::new(Via::Reserved(reserved))];
        if files {
            steps.insert(0, Step::new(Via::Files));
        }
        Plan { steps, basis: Basis::Reserved(reserved) }
    }

    fn ordered(wanted: Wanted<'_>, config: &Config, facts: &Facts) -> Plan {
        let (steps, basis) = match (config.order(), &facts.nsswitch) {
            (LookupOrder::Sources(sources), _) => {
                (sources.iter().map(|&source| Step::new(source.into())).collect(), Basis::Configured)
            }
            (LookupOrder::System, Nsswitch::Silent) => {
                (vec![Step::new(Via::Files), Step::new(Via::Dns)], Basis::Silent)
            }
            (LookupOrder::System, Nsswitch::Unusable(reason)) => {
                (vec![Step::new(Via::System(HandOff::Nsswitch(reason.clone())))], Basis::Unusable)
            }
            (LookupOrder::System, Nsswitch::Hosts { sources, line }) => {
                (walk(sources, wanted, config, facts), Basis::Nsswitch(line.clone()))
            }
        };
        let plan = Plan { steps, basis };
        match &facts.resolv_conf_trouble {
            Some(trouble) if config.order() == &LookupOrder::System => {
                plan.handed_off(HandOff::ResolvConf(trouble.clone()))
            }
            _ => plan,
        }
    }

    /// Has the system do what the DNS would have been asked, and all that follows, which its resolver asks as well.
    fn handed_off(mut self, reason: HandOff) -> Plan {
        if let Some(dns) = self.steps.iter().position(|step| step.via == Via::Dns) {
            self.steps.truncate(dns);
            self.steps.push(Step::new(Via::System(reason)));
        }
        self
    }

    /// The names of the sources, for [`What::Policy`](crate::explain::What::Policy).
    pub(crate) fn sources(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.via.as_str()).collect()
    }

    /// Why these sources.
    pub(crate) fn reason(&self) -> String {
        self.to_string()
    }
}

impl Step {
    fn new(via: Via) -> Step {
        Step { via, criteria: Criteria::STANDARD }
    }

    /// Whether the next step is taken after this one came to `status`.
    pub(crate) fn goes_on_after(&self, status: Status) -> bool {
        self.criteria.after(status) != Action::Return
    }
}

impl Via {
    /// The name that events give it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Via::Literal(_) => "literal",
            Via::Reserved(_) => "reserved",
            Via::Files => "files",
            Via::MyHostname => "myhostname",
            Via::Dns => "dns",
            Via::System(_) => "system",
        }
    }
}

impl From<Source> for Via {
    fn from(source: Source) -> Via {
        match source {
            Source::Files => Via::Files,
            Source::MyHostname => Via::MyHostname,
            Source::Dns => Via::Dns,
            Source::System => Via::System(HandOff::Configured),
        }
    }
}

/// The reason, such as `nsswitch.conf: hosts: files dns`, with that of a hand-off after it.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.basis {
            Basis::Literal => f.write_str("an IP literal")?,
            Basis::Reserved(reserved) => f.write_str(reserved.reason())?,
            Basis::Configured => f.write_str("the resolver's configuration")?,
            Basis::Nsswitch(line) => write!(f, "nsswitch.conf: {line}")?,
            Basis::Silent => f.write_str("nsswitch.conf says nothing of hosts")?,
            Basis::Unusable => f.write_str("nsswitch.conf cannot be used")?,
            Basis::DnsOnly => f.write_str("only the DNS has such records")?,
        }
        match self.steps.last() {
            Some(Step { via: Via::System(reason), .. }) => write!(f, "; {reason}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for HandOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandOff::Configured => f.write_str("the system's resolver was asked for"),
            HandOff::Escapes => f.write_str("the C library reads names with \\ or % in its own way"),
            HandOff::HostAliases => f.write_str("HOSTALIASES may rename it"),
            HandOff::ResolvConf(trouble) => write!(f, "resolv.conf: {trouble}"),
            HandOff::Nsswitch(reason) => write!(f, "nsswitch.conf: {reason}"),
            HandOff::Source { source, why } => write!(f, "{source} {why}"),
            HandOff::Criteria(source) => write!(f, "{source} is to be joined with the sources after it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) fn system() -> Config {
        Config::new().with_order(LookupOrder::System)
    }

    pub(super) fn facts(line: &str) -> Facts {
        Facts {
            nsswitch: Nsswitch::parse(line.as_bytes()),
            hostname: "myhost".to_owned(),
            ..Facts::default()
        }
    }

    pub(super) fn sources(name: &str, line: &str) -> String {
        Plan::for_name(name, &system(), &facts(line)).sources().join(" ")
    }

    pub(super) fn reverse(ip: &str, line: &str) -> String {
        Plan::for_address(ip.parse().unwrap(), &system(), &facts(line)).sources().join(" ")
    }

    /// As Go 1.27 does (`GODEBUG=netdns=2`), but for the steps after `[NOTFOUND=return]` and in place of `cgo`, where
    /// nsswitch.conf(5) is followed.
    #[test]
    fn a_line_of_files_and_dns_is_followed() {
        for (line, expected) in [
            ("hosts: files dns", "files dns"),
            ("hosts: dns files", "dns files"),
            ("hosts: files", "files"),
            ("hosts: dns", "dns"),
            ("hosts: files dns dns", "files dns"),
            ("", "files dns"),
            ("passwd: files", "files dns"),
            ("hosts: files [NOTFOUND=return] dns", "files dns"),
            ("hosts:\tfiles\tdns", "files dns"),
            ("hosts: files [SUCCESS=merge] dns", "system"),
            ("hosts: files dns [SUCCESS=continue] nis", "files system"),
        ] {
            assert_eq!(sources("www.example.com", line), expected, "{line}");
            assert_eq!(reverse("192.0.2.1", line), expected, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_done_here_is_left_to_the_system_with_what_follows() {
        for (line, expected) in [
            ("hosts: nis files dns", "system"),
            ("hosts: files nis dns", "files system"),
            ("hosts: files dns wins", "files dns system"),
            ("hosts: files ldap [NOTFOUND=return] dns", "files system"),
            ("garbage", "system"),
        ] {
            assert_eq!(sources("www.example.com", line), expected, "{line}");
        }
    }

    #[test]
    fn reserved_names_reach_neither_the_dns_nor_the_system() {
        for name in ["localhost", "a.localhost.", "x.invalid", "abc.onion"] {
            for (line, expected) in [
                ("hosts: files dns", "files reserved"),
                ("hosts: dns files", "files reserved"),
                ("hosts: dns", "reserved"),
                ("hosts: files nis", "files reserved"),
                ("garbage", "files reserved"),
                ("", "files reserved"),
            ] {
                assert_eq!(sources(name, line), expected, "{name} {line}");
            }
            assert_eq!(Plan::for_records(name).sources(), ["reserved"]);
        }
        assert_eq!(Plan::for_records("www.example.com").sources(), ["dns"]);
    }

    #[test]
    fn a_configured_order_is_followed_whatever_the_files_say() {
        let config = Config::new().with_order(LookupOrder::Sources(vec![Source::Dns, Source::MyHostname]));
        let facts = Facts { resolv_conf_trouble: Some("gone".to_owned()), ..facts("hosts: nis") };
        assert_eq!(Plan::for_name("a%b", &config, &facts).sources(), ["dns", "myhostname"]);
        assert_eq!(Plan::for_name("localhost", &config, &facts).sources(), ["reserved"]);
        assert_eq!(Plan::for_name("www", &Config::new(), &facts).sources(), ["files", "dns"]);
        let config = Config::new().with_order(LookupOrder::Sources(vec![Source::System]));
        assert_eq!(Plan::for_name("www", &config, &facts).sources(), ["system"]);
    }

    #[test]
    fn the_reason_says_what_decided() {
        let reason = |name: &str, facts: &Facts| Plan::for_name(name, &system(), facts).reason();
        let trouble = Facts {
            resolv_conf_trouble: Some("frobnicate is not known here".to_owned()),
            ..facts("hosts: files dns")
        };
        let aliases = Facts { host_aliases: true, ..facts("") };
        for (got, expected) in [
            (reason("www", &facts("hosts:   files dns # x")), "nsswitch.conf: hosts:   files dns"),
            (reason("www", &facts("")), "nsswitch.conf says nothing of hosts"),
            (
                reason("a.local", &facts("hosts: files mdns dns")),
                "nsswitch.conf: hosts: files mdns dns; mdns answers for .local names (RFC 6762)",
            ),
            (reason("www", &facts("hosts: nis")), "nsswitch.conf: hosts: nis; nis is not done here"),
            (
                reason("www", &facts("garbage")),
                "nsswitch.conf cannot be used; nsswitch.conf: no colon in line \"garbage\"",
            ),
            (
                reason("www", &trouble),
                "nsswitch.conf: hosts: files dns; resolv.conf: frobnicate is not known here",
            ),
            (
                reason("a\\.b", &facts("")),
                "nsswitch.conf says nothing of hosts; the C library reads names with \\ or % in its own way",
            ),
            (reason("www", &aliases), "nsswitch.conf says nothing of hosts; HOSTALIASES may rename it"),
            (reason("www.x", &aliases), "nsswitch.conf says nothing of hosts"),
            (reason("localhost", &facts("")), "localhost is this host (RFC 6761 section 6.3)"),
            (Plan::for_records("x.example").reason(), "only the DNS has such records"),
            (Plan::for_name("x", &Config::new(), &facts("")).reason(), "the resolver's configuration"),
            (Plan::literal("::1".parse::<IpAddr>().unwrap().into()).reason(), "an IP literal"),
        ] {
            assert_eq!(got, expected);
        }
    }

    #[test]
    fn trouble_with_resolv_conf_concerns_the_dns_alone() {
        let facts =
            Facts { resolv_conf_trouble: Some("x".to_owned()), ..facts("hosts: files dns myhostname") };
        assert_eq!(Plan::for_name("www", &system(), &facts).sources(), ["files", "system"]);
        assert_eq!(
            Plan::for_address("::1".parse().unwrap(), &system(), &facts).sources(),
            ["files", "system"]
        );
        let facts = Facts { nsswitch: Nsswitch::parse(b"hosts: files"), ..facts };
        assert_eq!(Plan::for_name("www", &system(), &facts).sources(), ["files"]);
    }

    proptest! {
        #[test]
        fn whatever_the_line_says_the_plan_is_sound(
            line in "hosts:( (files|dns|myhostname|resolve|mdns4_minimal|mdns|nis|mymachines)( \\[!?(NOTFOUND|UNAVAIL|SUCCESS)=(return|continue)\\])?){0,6}",
            name in "(www|myhost|a.local|localhost|x.onion|_gateway|a%b)",
            resolved: bool,
        ) {
            let facts = Facts { resolved, ..facts(&line) };
            let plan = Plan::for_name(&name, &system(), &facts);
            let sources = plan.sources();
            let system_at = sources.iter().position(|&source| source == "system");
            prop_assert!(system_at.is_none_or(|at| at + 1 == sources.len()));
            prop_assert!(sources.iter().filter(|&&source| source == "dns").count() <= 1);
            if Reserved::of(&name).is_some() {
                prop_assert!(!sources.contains(&"dns") && !sources.contains(&"system"));
            }
        }
    }
}
