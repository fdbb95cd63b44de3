//! The resolver's lookups of records that only the DNS has.

use std::future::poll_fn;

use super::answer::Data;
use super::lookup::Lookup;
use super::lookups::refused;
use super::name::Name;
use super::plan::Role;
use super::policy::{Plan, Via};
use super::query::{Lane, Subject};
use super::record::{Mx, RecordType, Srv, Txt, order_mx, order_srv};
use super::resolver::{Resolver, View};
use super::search::Candidates;
use super::special::Reserved;
use super::svcb::Svcb;
use crate::context::Context;
use crate::error::{Cause, LookupError, LookupErrorKind, Result};
use crate::explain::{Explainer, What};

impl Resolver {
    /// The mail exchangers of a domain, in the order in which to try them.
    pub async fn lookup_mx(&self, name: &str) -> Result<Lookup<Mx>> {
        self.lookup_mx_in(&Context::background(), name).await
    }

    /// The mail exchangers of a domain, unless the context ends first.
    pub async fn lookup_mx_in(&self, context: &Context, name: &str) -> Result<Lookup<Mx>> {
        let found = self.dns_only(context, "mx", RecordType::Mx, name).await?;
        Ok(found.sorted(|records| order_mx(records, random)))
    }

    /// The name servers of a domain, absolute, with their trailing dots.
    pub async fn lookup_ns(&self, name: &str) -> Result<Lookup<String>> {
        self.lookup_ns_in(&Context::background(), name).await
    }

    /// The name servers of a domain, unless the context ends first.
    pub async fn lookup_ns_in(&self, context: &Context, name: &str) -> Result<Lookup<String>> {
        self.dns_only(context, "ns", RecordType::Ns, name).await
    }

    /// The text records of a name.
    pub async fn lookup_txt(&self, name: &str) -> Result<Lookup<Txt>> {
        self.lookup_txt_in(&Context::background(), name).await
    }

    /// The text records of a name, unless the context ends first.
    pub async fn lookup_txt_in(&self, context: &Context, name: &str) -> Result<Lookup<Txt>> {
        self.dns_only(context, "txt", RecordType::Txt, name).await
    }

    /// Where a service of a domain runs (RFC 2782), in the order in which to try them: by priority, among equals drawn
    /// by weight. The name asked for is `_SERVICE._PROTOCOL.NAME`, or where both are empty, `NAME` itself.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// for server in &landline::Resolver::system().lookup_srv("xmpp-client", "tcp", "example.com").await? {
    ///     println!("{}:{}", server.target, server.port);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn lookup_srv(&self, service: &str, protocol: &str, name: &str) -> Result<Lookup<Srv>> {
        self.lookup_srv_in(&Context::background(), service, protocol, name).await
    }

    /// Where a service of a domain runs, unless the context ends first.
    pub async fn lookup_srv_in(
        &self,
        context: &Context,
        service: &str,
        protocol: &str,
        name: &str,
    ) -> Result<Lookup<Srv>> {
        let owner = match (service, protocol) {
            ("", "") => name.to_owned(),
            _ => format!("_{service}._{protocol}.{name}"),
        };
        let found = self.dns_only(context, "srv", RecordType::Srv, &owner).await?;
        Ok(found.sorted(|records| order_srv(records, random)))
    }

    /// How to reach the HTTPS server of a host (RFC 9460), in the order of priority. Nothing is followed: neither
    /// aliases, nor the targets' addresses.
    pub async fn lookup_https(&self, name: &str) -> Result<Lookup<Svcb>> {
        self.lookup_https_in(&Context::background(), name).await
    }

    /// The HTTPS records of a host, unless the context ends first.
    pub async fn lookup_https_in(&self, context: &Context, name: &str) -> Result<Lookup<Svcb>> {
        let found = self.dns_only(context, "https", RecordType::Https, name).await?;
        Ok(found.sorted(|records: &mut [Svcb]| records.sort_by_key(|record| record.priority)))
    }

    /// The service bindings of a name such as `_dns.resolver.example` (RFC 9460), in the order of priority.
    pub async fn lookup_svcb(&self, name: &str) -> Result<Lookup<Svcb>> {
        self.lookup_svcb_in(&Context::background(), name).await
    }

    /// The service bindings of a name, unless the context ends first.
    pub async fn lookup_svcb_in(&self, context: &Context, name: &str) -> Result<Lookup<Svcb>> {
        let found = self.dns_only(context, "svcb", RecordType::Svcb, name).await?;
        Ok(found.sorted(|records: &mut [Svcb]| records.sort_by_key(|record| record.priority)))
    }

    async fn dns_only<T: FromData + ToString>(
        &self,
        context: &Context,
        kind: &'static str,
        record: RecordType,
        name: &str,
    ) -> Result<Lookup<T>> {
        self.run(context, kind, name, async |explainer| {
            let view = self.inner.view();
            let plan = Plan::for_records(name);
            explainer.tell(|| What::Policy {
                name: name.to_owned(),
                sources: plan.sources(),
                reason: plan.reason(),
            });
            if !plan.steps.iter().any(|step| step.via == Via::Dns) {
                let kind = match Reserved::of(name).map(Reserved::addresses) {
                    // It exists, and all there is of it are addresses.
                    Some([_, ..]) => LookupErrorKind::NoData,
                    _ => LookupErrorKind::NotFound,
                };
                return Err(LookupError::new(name, kind).into());
            }
            let names = Candidates::new(name, &view.config).map_err(LookupError::from)?.collect();
            self.records(names, record, name, &view, context, explainer).await.map_err(Cause::from)
        })
        .await
    }

    /// Asks for one type of record of the first of `names` that has it. `name` is what an error is about.
    pub(super) async fn records<T: FromData>(
        &self,
        names: Vec<Name>,
        record: RecordType,
        name: &str,
        view: &View,
        context: &Context,
        explainer: &Explainer,
    ) -> Result<Lookup<T>, LookupError> {
        let not_found = || LookupError::new(name, LookupErrorKind::NotFound);
        if names.is_empty() {
            return Err(not_found());
        }
        let subject = Subject { names, lanes: vec![Lane { record, role: Role::Decides, prefix: None }] };
        let mut seat = self.inner.ask(view, subject, context, explainer);
        let settled =
            poll_fn(|cx| seat.seat.poll_next(cx, context.deadline())).await.ok_or_else(not_found)?;
        let found = settled.result.map_err(|lost| lost.error(name))?;
        let records = found.answer.records.iter().filter_map(T::from_data).collect();
        let found = Lookup::new(records, found.origin());
        if found.is_empty() { Err(refused(name, &found)) } else { Ok(found) }
    }
}

/// Data of the type that a lookup is for.
pub(super) trait FromData: Sized {
    fn from_data(data: &Data) -> Option<Self>;
}

macro_rules! from_data {
    ($($variant:ident => $type:ty),*) => {$(
        impl FromData for $type {
            fn from_data(data: &Data) -> Option<Self> {
                if let Data::$variant(data) = data { Some(data.clone()) } else { None }
            }
        }
    )*};
}

from_data!(Name => String, Mx => Mx, Srv => Srv, Txt => Txt, Svcb => Svcb);

fn random(most: u32) -> u32 {
    fastrand::u32(0..=most)
}
