//! Going through proxies: what the handshakes decide, done on a conn.

use std::future::Future;
use std::net::SocketAddr;

use super::address::{Proxy, ProxyScheme};
use super::environment::ProxyEnvironment;
use super::handshake::{Ask, Connect, Endpoint, EndpointHost, Handshake, Next, Socks4, Socks5, Taken};
use crate::addr::Host;
use crate::conn::Conn;
use crate::dial::Answers;
use crate::dial::dialer::{Arrived, Dial};
use crate::error::{
    Cause, Error, LookupError, LookupErrorKind, ProxyError, ProxyErrorKind, ProxyStep, Result,
};
use crate::explain::What;
use crate::network::{Family, Network};
use crate::order;

/// How much of an answer is looked at at once.
const GLANCE: usize = 2048;

/// The proxies that a [`Dialer`](crate::Dialer) goes through; made of a [`Proxy`], of several, or of a
/// [`ProxyEnvironment`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Proxies {
    /// None.
    #[default]
    Off,
    /// These, each dialed through those before it; an empty list is none.
    Chain(Vec<Proxy>),
    /// What the environment says of the target: see [`ProxyEnvironment::proxy_for_tcp`].
    Environment(Box<ProxyEnvironment>),
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Proxies {
        Proxies::Chain(vec![proxy])
    }
}

impl From<Vec<Proxy>> for Proxies {
    fn from(chain: Vec<Proxy>) -> Proxies {
        Proxies::Chain(chain)
    }
}

impl<const N: usize> From<[Proxy; N]> for Proxies {
    fn from(chain: [Proxy; N]) -> Proxies {
        Proxies::Chain(chain.into())
    }
}

/// `None` is a direct conn, as [`ProxyEnvironment::proxy_for`] gives it.
impl From<Option<Proxy>> for Proxies {
    fn from(proxy: Option<Proxy>) -> Proxies {
        proxy.map_or(Proxies::Off, Proxies::from)
    }
}

impl From<ProxyEnvironment> for Proxies {
    fn from(environment: ProxyEnvironment) -> Proxies {
        Proxies::Environment(Box::new(environment))
    }
}

impl Proxies {
    /// Those on the way to a target, in order; none on networks other than TCP.
    pub(in crate::dial) fn on_the_way(&self, dial: &Dial<'_>, host: &Host, port: u16) -> Result<Vec<Proxy>> {
        let environment = match self {
            _ if !matches!(dial.network, Network::Tcp(_)) => return Ok(Vec::new()),
            Proxies::Off => return Ok(Vec::new()),
            Proxies::Chain(chain) => return Ok(chain.clone()),
            Proxies::Environment(environment) => environment,
        };
        let host = match host {
            Host::Literal(ip) => ip.ip.to_string(),
            Host::Name(name) => name.clone(),
        };
        let chosen = environment.proxy_for_tcp(&host, port);
        let chosen = chosen.map_err(|error| dial.error(Cause::Other(std::sync::Arc::new(error))))?;
        dial.explainer.tell(|| What::ProxyChosen {
            proxies: chosen.iter().map(Proxy::to_string).collect(),
            reason: match chosen {
                Some(_) => "the environment says so".to_owned(),
                None => "the environment names none for it".to_owned(),
            },
        });
        Ok(chosen.into_iter().collect())
    }
}

/// How far one try came: the place of the proxy that failed, counted from 0, and why.
struct Stuck {
    hop: usize,
    step: ProxyStep,
    kind: ProxyErrorKind,
}

impl Dial<'_> {
    /// Through every proxy, each asked for the next, and the last for the target.
    ///
    /// Where a proxy is given addresses because it does not resolve names, and cannot reach one, the next is tried, over
    /// a new conn: a refusal ends the one it came on.
    pub(in crate::dial) async fn through(
        &self,
        proxies: &[Proxy],
        host: &Host,
        port: u16,
    ) -> Result<Arrived> {
        let mut choices = Vec::with_capacity(proxies.len());
        for (hop, proxy) in proxies.iter().enumerate() {
            let choice = match proxies.get(hop + 1) {
                Some(next) => self.endpoints(proxy, Family::Any, &host_of(next), next.port()).await,
                None => {
                    let family = self.network.family().unwrap_or_default();
                    self.endpoints(proxy, family, host, port).await
                }
            };
            // What cannot be said to the proxy is noticed before it is dialed.
            let choice = choice.and_then(|choice| handshake(proxy, &choice[0]).map(|_| choice));
            choices.push(
                choice.map_err(|kind| self.stuck(proxies, Stuck { hop, step: ProxyStep::Request, kind }))?,
            );
        }
        let mut chosen = vec![0; proxies.len()];
        let mut failed = Vec::new();
        loop {
            let targets: Vec<&Endpoint> =
                choices.iter().zip(&chosen).map(|(choice, &at)| &choice[at]).collect();
            let stuck = match self.hop_by_hop(proxies, &targets).await {
                Ok(arrived) => return Ok(arrived),
                Err(stuck) => stuck,
            };
            let hop = stuck.hop;
            let has_more = chosen[hop] + 1 < choices[hop].len();
            let go_on = has_more && stuck.step == ProxyStep::Request && is_unreachable(&stuck.kind);
            let error = self.stuck(proxies, stuck);
            failed.push(if choices[hop].len() > 1 {
                error.to_text(&targets[hop].to_string())
            } else {
                error
            });
            if !go_on {
                break;
            }
            chosen[hop] += 1;
        }
        match failed.len() {
            1 => Err(failed.remove(0).to_text(self.address)),
            _ => Err(self.error(Cause::Attempts(failed.into()))),
        }
    }

    /// One try, with one target for each proxy.
    async fn hop_by_hop(&self, proxies: &[Proxy], targets: &[&Endpoint]) -> Result<Arrived, Stuck> {
        let first = &proxies[0];
        let address = first.address();
        let dial = self.towards(Network::Tcp(Family::Any), &address);
        let dialed = dial.direct(&host_of(first), first.port()).await;
        let mut arrived = dialed.map_err(|error| Stuck {
            hop: 0,
            step: ProxyStep::Dial,
            kind: ProxyErrorKind::Failed(Box::new(error.cause().clone())),
        })?;
        for (hop, (proxy, target)) in proxies.iter().zip(targets).enumerate() {
            let number = hop_number(hop);
            self.explainer.tell(|| What::HopStarted {
                hop: number,
                proxy: proxy.to_string(),
                target: target.to_string(),
            });
            match self.hop(number, proxy, target, arrived.conn).await {
                Ok(conn) => arrived.conn = conn,
                Err((step, kind)) => {
                    let stuck = Stuck { hop, step, kind };
                    self.explainer.tell(|| What::HopFailed {
                        hop: number,
                        error: self.error(ProxyError::new(proxy.to_string(), step, stuck.kind.clone())),
                    });
                    return Err(stuck);
                }
            }
            self.explainer.tell(|| What::HopDone { hop: number });
        }
        Ok(arrived)
    }

    /// Through one proxy, to which the conn leads.
    async fn hop(
        &self,
        hop: u32,
        proxy: &Proxy,
        target: &Endpoint,
        conn: Conn,
    ) -> Result<Conn, (ProxyStep, ProxyErrorKind)> {
        let conn = match proxy.scheme() {
            ProxyScheme::Https => {
                self.secured(hop, proxy, conn).await.map_err(|kind| (ProxyStep::Tls, kind))?
            }
            _ => conn,
        };
        let mut handshake = handshake(proxy, target).map_err(|kind| (ProxyStep::Request, kind))?;
        let mut ask = handshake.begin();
        loop {
            let Ask { step, words, bytes } = ask;
            self.explainer.tell(|| What::HopAsked { hop, step, question: words });
            match self.asked(&conn, &bytes, &mut *handshake).await.map_err(|kind| (step, kind))? {
                Next::Ask(answer, next) => {
                    self.explainer.tell(|| What::HopAnswered { hop, step, answer });
                    ask = next;
                }
                Next::Open(answer) => {
                    self.explainer.tell(|| What::HopAnswered { hop, step, answer });
                    return Ok(conn);
                }
                Next::More => unreachable!("`asked` goes on until the answer is complete"),
            }
        }
    }

    /// One question and its whole answer, of which nothing more is taken off the conn than is its own.
    async fn asked(
        &self,
        conn: &Conn,
        question: &[u8],
        handshake: &mut (dyn Handshake + Send),
    ) -> Result<Next, ProxyErrorKind> {
        self.within(conn.write_all(question)).await?;
        let mut glance = vec![0; GLANCE];
        loop {
            let seen = self.within(peek(conn, &mut glance)).await?;
            if seen == 0 {
                return Err(ProxyErrorKind::Failed(Box::new(Cause::UnexpectedEof)));
            }
            let Taken { used, next } = handshake.receive(&glance[..seen])?;
            let mut taken = 0;
            while taken < used {
                // It is there, so this does not wait.
                match self.within(conn.read(&mut glance[taken..used])).await? {
                    0 => return Err(ProxyErrorKind::Failed(Box::new(Cause::UnexpectedEof))),
                    count => taken += count,
                }
            }
            if next != Next::More {
                return Ok(next);
            }
        }
    }

    #[cfg(feature = "tls")]
    async fn secured(&self, hop: u32, proxy: &Proxy, conn: Conn) -> Result<Conn, ProxyErrorKind> {
        let step = ProxyStep::Tls;
        self.explainer.tell(|| What::HopAsked { hop, step, question: format!("TLS for {}", proxy.host()) });
        let tls = self.within(super::tls::secure(proxy, conn)).await?;
        self.explainer.tell(|| What::HopAnswered { hop, step, answer: tls.description() });
        Ok(tls.into())
    }

    #[cfg(not(feature = "tls"))]
    #[allow(clippy::unused_async, clippy::needless_pass_by_value)] // As the one that does it.
    async fn secured(&self, _: u32, _: &Proxy, _: Conn) -> Result<Conn, ProxyErrorKind> {
        Err(ProxyErrorKind::Unsupported("TLS to a proxy needs landline's feature tls".into()))
    }

    /// Does something on a conn within the budget.
    async fn within<T>(&self, io: impl Future<Output = Result<T>>) -> Result<T, ProxyErrorKind> {
        let cause = match self.context.run(io).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => error.cause().clone(),
            Err(ended) => ended.into(),
        };
        Err(ProxyErrorKind::Failed(Box::new(cause)))
    }

    /// What a proxy may be asked for so that it connects to `host`: the name, or the addresses that it has here.
    async fn endpoints(
        &self,
        proxy: &Proxy,
        family: Family,
        host: &Host,
        port: u16,
    ) -> Result<Vec<Endpoint>, ProxyErrorKind> {
        let at = |host| Endpoint { host, port };
        let name = match host {
            Host::Literal(ip) if ip.scope_id != 0 => {
                let reason = format!("the zone of {ip} means nothing to a proxy");
                return Err(ProxyErrorKind::Unsupported(reason.into()));
            }
            Host::Literal(ip) => return Ok(vec![at(EndpointHost::Ip(ip.ip))]),
            Host::Name(name) => name,
        };
        if proxy.scheme().resolves_names() && family == Family::Any {
            return Ok(vec![at(EndpointHost::Name(name.clone()))]);
        }
        let only_v4 = matches!(proxy.scheme(), ProxyScheme::Socks4 | ProxyScheme::Socks4a);
        let family = if only_v4 && family == Family::Any { Family::V4 } else { family };
        let found = self.addresses(name, family, port).await;
        let found = found.map_err(|cause| ProxyErrorKind::Failed(Box::new(cause)))?;
        Ok(found.into_iter().map(|found| at(EndpointHost::Ip(found.ip()))).collect())
    }

    /// The addresses of a name, best first; at least one.
    async fn addresses(&self, name: &str, family: Family, port: u16) -> Result<Vec<SocketAddr>, Cause> {
        let mut answers = self.resolver().addresses(name, family, port, false, self.context, self.explainer);
        let mut found = Vec::new();
        let mut error = None;
        let all = async {
            while let Some(answer) = answers.next().await {
                match answer.addresses {
                    Ok(addresses) => found.extend(addresses),
                    Err(failed) => error = error.take().or(Some(failed)),
                }
            }
        };
        if let Err(ended) = self.context.run(all).await {
            return Err(ended.into());
        }
        if found.is_empty() {
            return Err(error.unwrap_or_else(|| LookupError::new(name, LookupErrorKind::NoData)).into());
        }
        let ordered = order::order(&found);
        let addresses = ordered.iter().map(|ordered| ordered.address).collect();
        self.explainer.tell(|| What::Ordered { addresses: ordered });
        Ok(addresses)
    }

    fn stuck(&self, proxies: &[Proxy], stuck: Stuck) -> Error {
        let Stuck { hop, step, kind } = stuck;
        self.error(ProxyError::new(proxies[hop].to_string(), step, kind))
    }
}

fn handshake(proxy: &Proxy, target: &Endpoint) -> Result<Box<dyn Handshake + Send>, ProxyErrorKind> {
    let login = proxy.user_password();
    Ok(match proxy.scheme() {
        ProxyScheme::Http | ProxyScheme::Https => {
            let authorization =
                proxy.proxy_authorization().map_err(|reason| ProxyErrorKind::Unsupported(reason.into()))?;
            Box::new(Connect::new(target.clone(), authorization)?)
        }
        ProxyScheme::Socks4 | ProxyScheme::Socks4a => {
            Box::new(Socks4::new(target, login.map(|(user, _)| user).unwrap_or_default().as_slice())?)
        }
        ProxyScheme::Socks5 | ProxyScheme::Socks5h => Box::new(Socks5::new(target.clone(), login)?),
    })
}

/// What has arrived, left where it is; `Ok(0)` is the end.
async fn peek(conn: &Conn, buffer: &mut [u8]) -> Result<usize> {
    match conn {
        Conn::Tcp(conn) => conn.peek(buffer).await,
        #[cfg(feature = "tls")]
        Conn::Tls(conn) => conn.peek(buffer).await,
        _ => unreachable!("proxies are dialed over TCP"),
    }
}

/// A target that the proxy could not reach, which says nothing about the next address.
fn is_unreachable(kind: &ProxyErrorKind) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, Other, Unsupported};
    matches!(
        kind,
        // SOCKS4, and many a SOCKS5 proxy, have but one code for all that.
        ProxyErrorKind::Refused {
            kind: ConnectionRefused | HostUnreachable | NetworkUnreachable | Unsupported | Other,
            ..
        }
    )
}

fn host_of(proxy: &Proxy) -> Host {
    match Host::parse(proxy.host()) {
        Ok(host) => host,
        // A zone that names no interface; the lookup will say that there is no such host.
        Err(_) => Host::Name(proxy.host().to_owned()),
    }
}

fn hop_number(hop: usize) -> u32 {
    u32::try_from(hop).map_or(u32::MAX, |hop| hop.saturating_add(1))
}
