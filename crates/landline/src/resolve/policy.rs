//! Which sources are asked for a name or an address, in which order, and why. A pure decision.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::config::{Config, LookupOrder};
use super::name::is_within;
use super::nsswitch::{Action, Criteria, NssSource, Nsswitch, Status};
use super::special::Reserved;
use crate::addr::ScopedIp;

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

/// The addresses that systemd-resolved's stub listens on (systemd-resolved.service(8)).
const RESOLVED_STUBS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54))];

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

/// The steps for a line of `nsswitch.conf`. The first source that cannot be done here ends it: `getaddrinfo`, which
/// goes through the same line, does it and all that follow, and asking it for less is not possible.
fn walk(sources: &[NssSource], wanted: Wanted<'_>, config: &Config, facts: &Facts) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for source in sources {
        let answer = match source.name.as_str() {
            "files" => Answer::Here(Via::Files),
            "dns" => Answer::Here(Via::Dns),
            "myhostname" => my_hostname(wanted, facts),
            "resolve" => resolve(config, facts),
            "mymachines" if !facts.machines => Answer::Known(Status::Unavailable),
            "mymachines" => Answer::System("knows the machines of systemd-machined"),
            name if name.starts_with("mdns") => mdns(name, wanted, facts),
            _ => Answer::System("is not done here"),
        };
        let via = match answer {
            Answer::Known(status) if source.criteria.after(status) == Action::Return => break,
            Answer::Known(_) => continue,
            // A second time it would say the same: `resolve [!UNAVAIL=return] dns` with the stub in resolv.conf.
            Answer::Here(Via::Dns) if steps.iter().any(|step| step.via == Via::Dns) => continue,
            Answer::Here(_) if source.criteria.after(Status::Success) != Action::Return => {
                Via::System(HandOff::Criteria(source.name.clone()))
            }
            Answer::Here(via) => via,
            Answer::System(why) => Via::System(HandOff::Source { source: source.name.clone(), why }),
        };
        let last = matches!(via, Via::System(_));
        steps.push(Step { via, criteria: source.criteria });
        if last {
            break;
        }
    }
    steps
}

/// How a source of `nsswitch.conf` is to be asked.
enum Answer {
    Here(Via),
    /// It need not be: it could only say this.
    Known(Status),
    /// By the system, because the source is, knows or answers something.
    System(&'static str),
}

/// nss-myhostname(8): the host's name, localhost, `_gateway` and `_outbound`.
fn my_hostname(wanted: Wanted<'_>, facts: &Facts) -> Answer {
    let Wanted::Addresses(name) = wanted else { return Answer::Here(Via::MyHostname) };
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    if is("_gateway") || is("_outbound") {
        Answer::System("knows the routes that _gateway and _outbound stand for")
    } else if is(&facts.hostname) || is_within(name, "localhost.localdomain") {
        Answer::Here(Via::MyHostname)
    } else {
        Answer::Known(Status::NotFound)
    }
}

/// nss-resolve(8) asks systemd-resolved, which can be asked over DNS just as well if `resolv.conf` names its stub.
fn resolve(config: &Config, facts: &Facts) -> Answer {
    let servers = config.servers();
    if !servers.is_empty() && servers.iter().all(|server| RESOLVED_STUBS.contains(&server.ip())) {
        Answer::Here(Via::Dns)
    } else if facts.resolved {
        Answer::System("asks systemd-resolved, whose stub resolv.conf does not name")
    } else {
        Answer::Known(Status::Unavailable)
    }
}

/// nss-mdns: `.local` names and link-local addresses; more only for the variants that are not `_minimal`, and of names
/// only those that `/etc/mdns.allow` lists. For all others it says that it is unavailable.
fn mdns(source: &str, wanted: Wanted<'_>, facts: &Facts) -> Answer {
    let minimal = source.ends_with("_minimal");
    match wanted {
        Wanted::Addresses(name) if name.len() > "local".len() && is_within(name, "local") => {
            Answer::System("answers for .local names (RFC 6762)")
        }
        Wanted::Addresses(_) if !minimal && facts.mdns_allow => {
            Answer::System("answers for the names that mdns.allow lists")
        }
        Wanted::Names(ip) if !minimal || is_link_local(ip) => {
            Answer::System("may know the address (RFC 6762)")
        }
        _ => Answer::Known(Status::Unavailable),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
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
