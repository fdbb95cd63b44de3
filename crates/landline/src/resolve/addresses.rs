//! The lookup for a dial: addresses with their port, family by family as they come.

use std::net::{IpAddr, SocketAddr};

use super::host_lookup::{Hints, HostLookup, Part, Wanted};
use super::name::Name;
use super::resolver::Resolver;
use super::svcb::Svcb;
use crate::addr::ScopedIp;
use crate::context::Context;
use crate::dial::{Answer, Answers, Families};
use crate::error::{Error, LookupError, Operation};
use crate::explain::{Explainer, What};
use crate::network::Family;

/// The port whose HTTPS records stand at the host's own name (RFC 9460 section 9.1).
const HTTPS: u16 = 443;

/// The answers to one lookup for a dial.
pub(crate) struct Addresses {
    lookup: HostLookup,
    explainer: Explainer,
    name: String,
    port: u16,
    found: Vec<SocketAddr>,
    error: Option<LookupError>,
    done: bool,
}

impl Resolver {
    /// The addresses of `name` for a dial to `port`. With `hints`, also those that its HTTPS records hold.
    pub(crate) fn addresses(
        &self,
        name: &str,
        family: Family,
        port: u16,
        hints: bool,
        context: &Context,
        explainer: &Explainer,
    ) -> Addresses {
        explainer.tell(|| What::LookupStarted { name: name.to_owned(), kind: "ip" });
        let hints = hints
            .then(|| Hints { prefix: (port != HTTPS).then(|| Name::from_valid(format!("_{port}._https."))) });
        let wanted = Wanted { hints, ..Wanted::addresses(family) };
        Addresses {
            lookup: HostLookup::new(self, context, explainer, name, wanted),
            explainer: explainer.clone(),
            name: name.to_owned(),
            port,
            found: Vec::new(),
            error: None,
            done: false,
        }
    }
}

impl Answers for Addresses {
    async fn next(&mut self) -> Option<Answer> {
        loop {
            let Some(part) = self.lookup.next().await else {
                self.tell_end();
                return None;
            };
            let answer = match part {
                Part::Addresses(family, result) => {
                    let addresses = result.map(|found| self.with_port(found.into_vec()));
                    match &addresses {
                        Ok(addresses) => self.found.extend(addresses),
                        Err(error) => self.error = Some(error.clone()),
                    }
                    Answer { families: family.into(), addresses }
                }
                Part::Hints(records) => {
                    let addresses = self.hinted(&records);
                    if addresses.is_empty() {
                        continue;
                    }
                    Answer { families: Families::Hints, addresses: Ok(addresses) }
                }
                Part::Cname(_) => continue,
            };
            return Some(answer);
        }
    }
}

impl Addresses {
    fn with_port(&self, addresses: Vec<ScopedIp>) -> Vec<SocketAddr> {
        addresses.into_iter().map(|address| address.with_port(self.port)).collect()
    }

    /// The hints of the records that lead to this very port of this very host, the preferred record's first.
    fn hinted(&self, records: &[Svcb]) -> Vec<SocketAddr> {
        let mut usable: Vec<&Svcb> = records
            .iter()
            .filter(|record| !record.is_alias() && record.is_usable() && record.target == ".")
            .filter(|record| record.port.is_none_or(|port| port == self.port))
            .collect();
        usable.sort_by_key(|record| record.priority);
        let v6 = |record: &&Svcb| record.ipv6_hints.clone().into_iter().map(IpAddr::V6);
        let v4 = |record: &&Svcb| record.ipv4_hints.clone().into_iter().map(IpAddr::V4);
        let family = self.lookup.family();
        let hinted = usable.iter().flat_map(|record| v6(record).chain(v4(record)));
        self.with_port(hinted.filter(|&ip| family.admits(ip)).map(ScopedIp::from).collect())
    }

    fn tell_end(&mut self) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.explainer.tell(|| match &self.error {
            Some(error) if self.found.is_empty() => What::LookupFailed {
                name: self.name.clone(),
                error: Error::new(Operation::Lookup, error.clone()),
            },
            _ => What::LookupDone {
                name: self.name.clone(),
                answer: self.found.iter().map(|address| ScopedIp::from(*address).to_string()).collect(),
            },
        });
    }
}

impl From<Family> for Families {
    fn from(family: Family) -> Families {
        match family {
            Family::Any => Families::Both,
            Family::V4 => Families::V4,
            Family::V6 => Families::V6,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use conntest::dns::{Record, RecordType, Reply, Running, Server, SvcParam};

    use super::super::config::Config;
    use super::*;

    const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    /// The answers in words, in the order in which they come.
    async fn answers(server: &Running, name: &str, family: Family, port: u16, hints: bool) -> Vec<String> {
        let resolver = Resolver::new(Config::new().with_servers([server.addr()])).files(false);
        let (context, explainer) = (Context::background(), Explainer::SILENT);
        let mut answers = resolver.addresses(name, family, port, hints, &context, &explainer);
        let mut lines = Vec::new();
        while let Some(Answer { families, addresses }) = answers.next().await {
            lines.push(match addresses {
                Ok(addresses) => format!("{families:?} {addresses:?}"),
                Err(error) => format!("{families:?} {:?}", error.kind()),
            });
        }
        lines
    }

    #[tokio::test]
    async fn each_family_comes_when_it_is_answered() {
        let server = Server::new()
            .on("www.example", RecordType::A, Reply::addresses([V4]))
            .on("www.example", RecordType::AAAA, Reply::addresses([V4]).delayed(Duration::from_millis(50)))
            .on("slow.example", RecordType::A, Reply::addresses([V4]).delayed(Duration::from_millis(50)))
            .on("slow.example", RecordType::AAAA, Reply::server_failure());
        let server = server.start().await.unwrap();
        assert_eq!(
            answers(&server, "www.example", Family::Any, 80, false).await,
            ["V4 [192.0.2.1:80]", "V6 NoData"]
        );
        // What went wrong is told only once it is clear that not all did.
        assert_eq!(
            answers(&server, "slow.example", Family::Any, 80, false).await,
            ["V4 [192.0.2.1:80]", "V6 ServerFailure"]
        );
        assert_eq!(answers(&server, "www.example", Family::V4, 80, false).await, ["V4 [192.0.2.1:80]"]);
        assert_eq!(answers(&server, "nosuch.example", Family::Any, 80, false).await, ["Both NotFound"]);
        assert_eq!(
            answers(&server, "localhost", Family::Any, 80, false).await,
            ["Both [127.0.0.1:80, [::1]:80]"]
        );
    }

    #[tokio::test]
    async fn hints_come_before_the_addresses_they_are_for() {
        let https = |priority, target, params| Record::https(priority, target, params);
        let hint = |last| SvcParam::Ipv4Hint(vec![[192, 0, 2, last].into()]);
        let records = [
            https(2, ".", vec![hint(12), SvcParam::Ipv6Hint(vec!["2001:db8::12".parse().unwrap()])]),
            https(1, ".", vec![hint(11)]),
            https(3, ".", vec![SvcParam::Port(8443), hint(13)]),
            https(4, "elsewhere.example", vec![hint(14)]),
        ];
        let server = Server::new()
            .on("www.example", RecordType::HTTPS, Reply::records(records))
            .on("www.example", RecordType::A, Reply::addresses([V4]).delayed(Duration::from_millis(50)))
            .on(
                "_8443._https.www.example",
                RecordType::HTTPS,
                Reply::records([https(1, ".", vec![hint(15)])]),
            );
        let server = server.start().await.unwrap();
        assert_eq!(
            answers(&server, "www.example", Family::V4, 443, true).await,
            ["Hints [192.0.2.11:443, 192.0.2.12:443]", "V4 [192.0.2.1:443]"]
        );
        assert_eq!(
            answers(&server, "www.example", Family::V4, 8443, true).await,
            ["Hints [192.0.2.15:8443]", "V4 [192.0.2.1:8443]"]
        );
        assert_eq!(answers(&server, "nosuch.example", Family::V4, 443, true).await, ["V4 NotFound"]);
    }
}
