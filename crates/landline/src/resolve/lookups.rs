//! The resolver's lookups of names, addresses and ports.

use std::net::SocketAddr;

use super::host_lookup::{HostLookup, Part, Wanted, in_words, more_telling, with_dot};
use super::lookup::{Lookup, Origin};
use super::my_hostname;
use super::nsswitch::Status;
use super::policy::{Plan, Via};
use super::record::RecordType;
use super::resolver::{Resolver, View};
use super::reverse::reverse_name;
use super::services::{self, PortProtocol};
use crate::addr::ScopedIp;
use crate::context::{Context, Ended};
use crate::error::{Cause, Error, LookupError, LookupErrorKind, Operation, Result};
use crate::explain::{Explainer, What};
use crate::network::{Family, ParseNetworkError, ToNetwork};

impl Resolver {
    /// The addresses of a host: a name, or an IP address, which is its own answer. In the order of RFC 6724, best
    /// first.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// let error = landline::Resolver::system().lookup_ip("nosuch.invalid").await.unwrap_err();
    /// assert!(error.is_not_found());
    /// assert_eq!(error.to_string(), "lookup nosuch.invalid: no such host");
    /// # Ok(()) }
    /// ```
    pub async fn lookup_ip(&self, name: &str) -> Result<Lookup<ScopedIp>> {
        self.lookup_ip_in(&Context::background(), Family::Any, name).await
    }

    /// The addresses of one family, or of both, unless the context ends first.
    pub async fn lookup_ip_in(
        &self,
        context: &Context,
        family: Family,
        name: &str,
    ) -> Result<Lookup<ScopedIp>> {
        let kind = match family {
            Family::Any => "ip",
            Family::V4 => "ip4",
            Family::V6 => "ip6",
        };
        self.run(context, kind, name, async |explainer| {
            self.all_addresses(name, family, context, explainer).await.map_err(Cause::from)
        })
        .await
    }

    /// The addresses of a host as text. An IP address is its own answer, as it is written.
    pub async fn lookup_host(&self, name: &str) -> Result<Lookup<String>> {
        self.lookup_host_in(&Context::background(), name).await
    }

    /// The addresses of a host as text, unless the context ends first.
    pub async fn lookup_host_in(&self, context: &Context, name: &str) -> Result<Lookup<String>> {
        self.run(context, "host", name, async |explainer| {
            let found = self.all_addresses(name, Family::Any, context, explainer).await?;
            Ok(match ScopedIp::parse_literal(name) {
                Some(Ok(_)) => found.map(|_| name.to_owned()),
                _ => found.map(|address| address.to_string()),
            })
        })
        .await
    }

    async fn all_addresses(
        &self,
        name: &str,
        family: Family,
        context: &Context,
        explainer: &Explainer,
    ) -> Result<Lookup<ScopedIp>, LookupError> {
        let mut lookup = HostLookup::new(self, context, explainer, name, Wanted::addresses(family));
        let mut found: Option<(Vec<ScopedIp>, Origin)> = None;
        let mut error: Option<LookupError> = None;
        while let Some(part) = lookup.next().await {
            match part {
                Part::Addresses(_, Ok(part)) => {
                    let (addresses, origin) = part.into_parts();
                    found = Some(match found {
                        None => (addresses, origin),
                        Some((known, of_known)) => ([known, addresses].concat(), of_known.join(origin)),
                    });
                }
                Part::Addresses(_, Err(part)) => error = Some(more_telling(error, part)),
                Part::Cname(_) | Part::Hints(_) => {}
            }
        }
        match found {
            Some((addresses, origin)) => Ok(Lookup::new(self.ordered(addresses, explainer), origin)),
            None => Err(error.unwrap_or_else(|| LookupError::new(name, LookupErrorKind::NotFound))),
        }
    }

    /// In the order of RFC 6724.
    fn ordered(&self, addresses: Vec<ScopedIp>, explainer: &Explainer) -> Vec<ScopedIp> {
        if addresses.len() < 2 {
            return addresses;
        }
        let destinations: Vec<SocketAddr> = addresses.iter().map(|address| address.with_port(0)).collect();
        let ordered = self.inner.sources.order(&destinations);
        let addresses = ordered.iter().map(|ordered| ScopedIp::from(ordered.address)).collect();
        explainer.tell(|| What::Ordered { addresses: ordered });
        addresses
    }

    /// The canonical name of a host, which all its aliases lead to; its own name if it is no alias. The host needs to
    /// have addresses, or at least to be an alias.
    pub async fn lookup_cname(&self, name: &str) -> Result<Lookup<String>> {
        self.lookup_cname_in(&Context::background(), name).await
    }

    /// The canonical name of a host, unless the context ends first.
    pub async fn lookup_cname_in(&self, context: &Context, name: &str) -> Result<Lookup<String>> {
        self.run(context, "cname", name, async |explainer| {
            let wanted = Wanted { cname: true, ..Wanted::addresses(Family::Any) };
            let mut lookup = HostLookup::new(self, context, explainer, name, wanted);
            let mut alias = None;
            let mut error = None;
            while let Some(part) = lookup.next().await {
                match part {
                    // The addresses stand at the end of the chain, the CNAME record only at its first link.
                    Part::Addresses(_, Ok(part)) => {
                        let (_, origin) = part.into_parts();
                        let canonical = origin.canonical.clone().unwrap_or_else(|| with_dot(name));
                        return Ok(Lookup::new(vec![canonical], origin));
                    }
                    Part::Addresses(_, Err(part)) => error = Some(more_telling(error, part)),
                    Part::Cname(part) => alias = Some(part),
                    Part::Hints(_) => {}
                }
            }
            match (alias, error) {
                (Some(alias), _) if !alias.is_empty() => Ok(alias),
                (Some(alias), _) => Err(refused(name, &alias).into()),
                (None, Some(error)) => Err(error.into()),
                (None, None) => Err(LookupError::new(name, LookupErrorKind::NotFound).into()),
            }
        })
        .await
    }

    /// The names of an IP address, from `/etc/hosts` or from the DNS (PTR); the latter are absolute, with their
    /// trailing dot.
    pub async fn lookup_addr(&self, address: &str) -> Result<Lookup<String>> {
        self.lookup_addr_in(&Context::background(), address).await
    }

    /// The names of an IP address, unless the context ends first.
    pub async fn lookup_addr_in(&self, context: &Context, address: &str) -> Result<Lookup<String>> {
        self.run(context, "addr", address, async |explainer| {
            let ip = match ScopedIp::parse_literal(address) {
                Some(Ok(ip)) => ip,
                Some(Err(error)) => return Err(error.into()),
                None => {
                    let error = LookupError::new(address, LookupErrorKind::InvalidName);
                    return Err(error.with_detail("unrecognized address").into());
                }
            };
            self.names_of(ip, address, context, explainer).await
        })
        .await
    }

    async fn names_of(
        &self,
        ip: ScopedIp,
        text: &str,
        context: &Context,
        explainer: &Explainer,
    ) -> Result<Lookup<String>, Cause> {
        let view = self.inner.view();
        let mut plan = Plan::for_address(ip.ip, &view.config, &view.snapshot.facts);
        if view.without_files {
            plan.steps.retain(|step| step.via != Via::Files);
        }
        explainer.tell(|| What::Policy {
            name: text.to_owned(),
            sources: plan.sources(),
            reason: plan.reason(),
        });
        let mut error = None;
        for step in &plan.steps {
            let known = match &step.via {
                Via::Files => known(view.snapshot.hosts.names(ip).iter().map(ToString::to_string).collect()),
                Via::MyHostname => {
                    let local = my_hostname::local_addresses();
                    known(
                        my_hostname::name_of(ip.ip, &view.snapshot.facts.hostname, &local)
                            .into_iter()
                            .collect(),
                    )
                }
                Via::Dns => self.ptr(ip, text, &view, context, explainer).await,
                Via::System(reason) => {
                    explainer.tell(|| What::HandedToSystem { reason: reason.to_string() });
                    self.inner.system.name(ip).await.map(|name| Lookup::new(vec![name], Origin::default()))
                }
                Via::Literal(_) | Via::Reserved(_) => known(Vec::new()),
            };
            if step.via != Via::Dns {
                let source = step.via.as_str();
                let names: &[String] = known.as_deref().unwrap_or_default();
                explainer.tell(|| What::SourceAnswered { source, answer: in_words(names) });
            }
            match known {
                Ok(found) => return Ok(found),
                Err(failed) => {
                    let goes_on = step.goes_on_after(Status::of(&failed));
                    error = Some(more_telling(error, failed.with_name(text)));
                    if !goes_on {
                        break;
                    }
                }
            }
        }
        Err(error.unwrap_or_else(|| LookupError::new(text, LookupErrorKind::NotFound)).into())
    }

    async fn ptr(
        &self,
        ip: ScopedIp,
        text: &str,
        view: &View,
        context: &Context,
        explainer: &Explainer,
    ) -> Result<Lookup<String>, LookupError> {
        let names = vec![reverse_name(ip.ip)];
        self.records(names, RecordType::Ptr, text, view, context, explainer).await
    }

    /// The port of a service on a network, from `/etc/services` or a table of the most common ones; a number stands
    /// for itself, an empty service for 0. On `"ip"` it is TCP's, else UDP's.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// assert_eq!(landline::Resolver::system().lookup_port("tcp", "https").await?, 443);
    /// # Ok(()) }
    /// ```
    pub async fn lookup_port(&self, network: impl ToNetwork, service: &str) -> Result<u16> {
        self.lookup_port_in(&Context::background(), network, service).await
    }

    /// The port of a service, unless the context has ended.
    pub async fn lookup_port_in(
        &self,
        context: &Context,
        network: impl ToNetwork,
        service: &str,
    ) -> Result<u16> {
        let protocol = match network.to_network() {
            Ok(network) => network.into(),
            Err(ParseNetworkError::MissingProtocol(_)) => PortProtocol::Either,
            Err(error) => return Err(Error::new(Operation::Lookup, error)),
        };
        let found = self
            .run(context, "port", service, async |_| {
                let view = self.inner.view();
                let port = services::lookup_port(protocol, service, &view.snapshot.services)?;
                Ok(Lookup::new(vec![port], Origin::default()))
            })
            .await?;
        Ok(found[0])
    }

    /// Does a lookup within its context, and tells of its beginning and end.
    pub(super) async fn run<T: ToString>(
        &self,
        context: &Context,
        kind: &'static str,
        name: &str,
        lookup: impl AsyncFnOnce(&Explainer) -> Result<Lookup<T>, Cause>,
    ) -> Result<Lookup<T>> {
        let explainer = self.explainer(kind, name);
        explainer.tell(|| What::LookupStarted { name: name.to_owned(), kind });
        let result = match context.run(lookup(&explainer)).await {
            Ok(result) => result,
            Err(Ended::DeadlineExceeded) => Err(LookupError::new(name, LookupErrorKind::Timeout).into()),
            Err(ended) => Err(ended.into()),
        };
        let result = result.map_err(|cause| match cause {
            cause @ (Cause::Lookup(_) | Cause::Address(_)) => Error::new(Operation::Lookup, cause),
            cause => Error::new(Operation::Lookup, cause).to_text(name),
        });
        explainer.tell(|| match &result {
            Ok(found) => What::LookupDone {
                name: name.to_owned(),
                answer: found.iter().map(ToString::to_string).collect(),
            },
            Err(error) => What::LookupFailed { name: name.to_owned(), error: error.clone() },
        });
        result
    }
}

/// What a source knew, as an answer or as the lack of one.
fn known(names: Vec<String>) -> Result<Lookup<String>, LookupError> {
    match names.is_empty() {
        true => Err(LookupError::new("", LookupErrorKind::NotFound)),
        false => Ok(Lookup::new(names, Origin::default())),
    }
}

/// The error for an answer of which no record could be used.
pub(super) fn refused<T>(name: &str, found: &Lookup<T>) -> LookupError {
    let error = LookupError::new(name, LookupErrorKind::InvalidRecords).on_server(found.server());
    match found.dropped().first() {
        Some(reason) => error.with_detail(format!("the DNS answer holds nothing of use: {reason}")),
        None => error,
    }
}
