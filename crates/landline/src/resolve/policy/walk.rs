//! A line of `nsswitch.conf`, source by source.

use std::net::{IpAddr, Ipv4Addr};

use super::{Facts, HandOff, Step, Via, Wanted};
use crate::resolve::config::Config;
use crate::resolve::name::is_within;
use crate::resolve::nsswitch::{Action, NssSource, Status};

/// The addresses that systemd-resolved's stub listens on (systemd-resolved.service(8)).
const RESOLVED_STUBS: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(127, 0, 0, 53)), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 54))];

/// The steps for a line of `nsswitch.conf`. The first source that cannot be done here ends it: `getaddrinfo`, which
/// goes through the same line, does it and all that follow, and asking it for less is not possible.
pub(super) fn walk(sources: &[NssSource], wanted: Wanted<'_>, config: &Config, facts: &Facts) -> Vec<Step> {
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

#[cfg(test)]
mod tests {
    use super::super::tests::{facts, reverse, sources, system};
    use super::*;
    use crate::resolve::policy::Plan;

    #[test]
    fn mdns_takes_local_names_and_no_others() {
        let ubuntu = "hosts: files mdns4_minimal [NOTFOUND=return] dns";
        for (name, expected) in [
            ("printer.local", "files system"),
            ("Printer.LOCAL.", "files system"),
            ("local", "files dns"),
            ("printer.local.example", "files dns"),
            ("notlocal", "files dns"),
            ("www.example.com", "files dns"),
        ] {
            assert_eq!(sources(name, ubuntu), expected, "{name}");
            assert_eq!(sources(name, "hosts: files dns"), "files dns", "{name}");
        }
        assert_eq!(sources("printer.local", "hosts: files dns mdns"), "files dns system");
        assert_eq!(reverse("192.0.2.1", ubuntu), "files dns");
        assert_eq!(reverse("169.254.1.1", ubuntu), "files system");
        assert_eq!(reverse("fe80::1", "hosts: mdns6_minimal dns"), "system");
        assert_eq!(reverse("192.0.2.1", "hosts: files dns mdns4"), "files dns system");

        let allow = |line| Facts { mdns_allow: true, ..facts(line) };
        let sources = |line| Plan::for_name("www.example.com", &system(), &allow(line)).sources().join(" ");
        assert_eq!(sources("hosts: files mdns4_minimal dns"), "files dns");
        assert_eq!(sources("hosts: files mdns4 dns"), "files system");
    }

    #[test]
    fn myhostname_is_asked_for_the_names_it_knows() {
        let line = "hosts: files myhostname dns";
        for (name, expected) in [
            ("myhost", "files myhostname dns"),
            ("MyHost.", "files myhostname dns"),
            ("localhost.localdomain", "files myhostname dns"),
            ("_gateway", "files system"),
            ("_outbound", "files system"),
            ("www.example.com", "files dns"),
        ] {
            assert_eq!(sources(name, line), expected, "{name}");
        }
        assert_eq!(sources("myhost", "hosts: files dns"), "files dns");
        assert_eq!(sources("www", "hosts: files myhostname [NOTFOUND=return] dns"), "files");
        assert_eq!(reverse("192.0.2.1", line), "files myhostname dns");
    }

    #[test]
    fn systemd_resolved_is_asked_over_dns_where_resolv_conf_names_its_stub() {
        let fedora = "hosts: files myhostname resolve [!UNAVAIL=return] dns";
        let stub = system().with_servers([Ipv4Addr::new(127, 0, 0, 53)]);
        let elsewhere = system().with_servers([Ipv4Addr::new(192, 0, 2, 53)]);
        let running = Facts { resolved: true, ..facts(fedora) };
        let stopped = facts(fedora);
        for (config, facts, expected) in [
            (&stub, &running, "files dns"),
            (&stub, &stopped, "files dns"),
            (&elsewhere, &running, "files system"),
            (&elsewhere, &stopped, "files dns"),
        ] {
            assert_eq!(Plan::for_name("www.example.com", config, facts).sources().join(" "), expected);
        }
        let plan = Plan::for_name("www.example.com", &stub, &running);
        assert!(!plan.steps[1].goes_on_after(Status::NotFound));
        assert!(plan.steps[1].goes_on_after(Status::Unavailable));
    }

    #[test]
    fn machines_are_asked_for_only_when_there_are_any() {
        let arch = "hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns";
        assert_eq!(sources("www.example.com", arch), "files dns");
        let facts = Facts { machines: true, ..facts(arch) };
        assert_eq!(Plan::for_name("www.example.com", &system(), &facts).sources(), ["system"]);
    }
}
