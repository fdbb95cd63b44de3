//! `landline lookup`: names, addresses and records.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use futures_util::stream::{FuturesOrdered, StreamExt};
use landline::explain::Report;
use landline::explain::render::printable;
use landline::resolve::NameServer;
use landline::{Context, Error, Family, LookupError, LookupErrorKind, Resolver};
use serde::Serialize;

use crate::failure::{Failure, is_usage};
use crate::output::{self, To};
use crate::resolver;
use crate::values::{self, Span};

/// Look up names, addresses and records.
///
/// Pairs of KIND and NAME are looked up at the same time and printed in the order in which they were given; with more
/// than one pair, each line begins with them.
#[derive(Debug, Args)]
#[command(
    override_usage = "landline lookup [OPTIONS] KIND NAME [KIND NAME ...]",
    after_help = "\
Kinds, and what is printed for each, one line an answer:
  host, ip          the addresses of a name, IPv4 and IPv6
  ip4, ip6          those of one family
  addr              the names of an IP address
  cname             the canonical name
  mx, ns, txt       mail exchangers, name servers and texts, as in a zone file
  srv               the canonical name, then: priority weight port target
  https             service parameters (RFC 9460), as in a zone file
  port              the port of a service such as http, or for one protocol: domain/udp

Examples:
  landline lookup ip example.com
  landline lookup mx example.com txt example.com
  landline lookup --server 9.9.9.9 --tcp https example.com
  landline lookup --json srv _xmpp-client._tcp.example.com

Exit status: 0 every lookup was answered, 1 one was not, 2 bad usage, such as what cannot be
a name; with --json that is 1 too, as its line tells."
)]
pub(crate) struct Lookup {
    /// Print one JSON object a line: kind, name, and result, or error with not_found, timeout, temporary and server
    #[arg(long)]
    json: bool,
    /// Draw every step of each lookup on stderr
    #[arg(long)]
    explain: bool,
    /// Ask this name server and no other source; may be repeated
    #[arg(long, value_name = "IP[:PORT]", value_parser = values::name_server)]
    server: Vec<NameServer>,
    /// Ask over TCP only
    #[arg(long)]
    tcp: bool,
    /// Fail when one of several questions fails for a reason that may pass, rather than answer with the rest
    #[arg(long)]
    strict: bool,
    /// How long each lookup may take, such as 250ms, 1.5s or 2m; a number alone is in
    /// seconds
    #[arg(long, value_name = "D", value_parser = values::timeout, allow_hyphen_values = true)]
    timeout: Option<Span>,
    /// What to look up, and of which name
    #[arg(value_names = ["KIND", "NAME"], required = true, num_args = 2..)]
    pairs: Vec<String>,
}

/// What can be asked of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Host,
    Ip,
    Ip4,
    Ip6,
    Addr,
    Cname,
    Mx,
    Ns,
    Srv,
    Txt,
    Port,
    Https,
}

const KINDS: [(&str, Kind); 12] = [
    ("host", Kind::Host),
    ("ip", Kind::Ip),
    ("ip4", Kind::Ip4),
    ("ip6", Kind::Ip6),
    ("addr", Kind::Addr),
    ("cname", Kind::Cname),
    ("mx", Kind::Mx),
    ("ns", Kind::Ns),
    ("srv", Kind::Srv),
    ("txt", Kind::Txt),
    ("port", Kind::Port),
    ("https", Kind::Https),
];

impl Lookup {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let pairs = pairs(&self.pairs)?;
        let resolver = self.resolver();
        let several = pairs.len() > 1;
        let mut answers: FuturesOrdered<_> =
            pairs.iter().map(|&(kind, name)| self.look_up(&resolver, kind, name)).collect();
        let mut status = 0;
        while let Some(answer) = answers.next().await {
            if let Some(report) = &answer.report {
                output::tell(&output::waterfall(report, To::Stderr));
            }
            if self.json {
                output::print(&answer.json())?;
            } else {
                output::print(&answer.text(several))?;
            }
            if let Err(error) = &answer.result {
                // The drawing ends with it.
                if answer.report.is_none() {
                    output::complain(&answer.named(error));
                }
                // What the network refused weighs more than what it was never asked.
                let unanswered = self.json || is_unknown_port(error) || !is_usage(error);
                status = match status {
                    1 => 1,
                    _ if unanswered => 1,
                    _ => 2,
                };
            }
        }
        if status == 0 { Ok(()) } else { Err(Failure::Told(status)) }
    }
}

impl Lookup {
    fn resolver(&self) -> Resolver {
        let mut resolver = resolver::asking(&self.server);
        if self.tcp {
            resolver = resolver.tcp(true);
        }
        if self.strict {
            resolver = resolver.strict(true);
        }
        resolver
    }

    async fn look_up<'a>(&self, resolver: &Resolver, kind: Kind, name: &'a str) -> Answer<'a> {
        let context = match self.timeout {
            Some(Span(timeout)) => Context::background().with_timeout(timeout),
            None => Context::background(),
        };
        if !self.explain {
            let result = ask(resolver, &context, kind, name).await;
            return Answer { kind, name, result, report: None };
        }
        let (result, report) =
            resolver.explain(async |resolver| ask(resolver, &context, kind, name).await).await;
        Answer { kind, name, result, report: Some(report) }
    }
}

/// Looks one name up, and gives the answers in presentation form.
async fn ask(resolver: &Resolver, context: &Context, kind: Kind, name: &str) -> Result<Vec<String>, Error> {
    fn lines<T: ToString>(records: &[T]) -> Vec<String> {
        records.iter().map(ToString::to_string).collect()
    }
    Ok(match kind {
        Kind::Host => lines(&resolver.lookup_host_in(context, name).await?),
        Kind::Ip => lines(&resolver.lookup_ip_in(context, Family::Any, name).await?),
        Kind::Ip4 => lines(&resolver.lookup_ip_in(context, Family::V4, name).await?),
        Kind::Ip6 => lines(&resolver.lookup_ip_in(context, Family::V6, name).await?),
        Kind::Addr => lines(&resolver.lookup_addr_in(context, name).await?),
        Kind::Cname => lines(&resolver.lookup_cname_in(context, name).await?),
        Kind::Mx => lines(&resolver.lookup_mx_in(context, name).await?),
        Kind::Ns => lines(&resolver.lookup_ns_in(context, name).await?),
        Kind::Txt => lines(&resolver.lookup_txt_in(context, name).await?),
        Kind::Https => lines(&resolver.lookup_https_in(context, name).await?),
        Kind::Srv => {
            let found = resolver.lookup_srv_in(context, "", "", name).await?;
            let canonical = found.canonical_name().unwrap_or(name).to_owned();
            [vec![canonical], lines(&found)].concat()
        }
        Kind::Port => {
            let (service, network) = match name.split_once('/') {
                Some((service, network @ ("tcp" | "udp"))) => (service, network),
                Some((network @ ("tcp" | "udp"), service)) => (service, network),
                // TCP's port, else UDP's.
                _ => (name, "ip"),
            };
            lines(&[resolver.lookup_port_in(context, network, service).await?])
        }
    })
}

/// A service that there is not, which is what was asked.
fn is_unknown_port(error: &Error) -> bool {
    error.lookup_error().is_some_and(|error| error.kind() == LookupErrorKind::UnknownPort)
}

/// The pairs that the arguments are.
fn pairs(arguments: &[String]) -> Result<Vec<(Kind, &str)>, Failure> {
    arguments
        .chunks(2)
        .map(|pair| {
            let kind = pair[0].parse()?;
            match pair.get(1) {
                Some(name) => Ok((kind, name.as_str())),
                None => Err(Failure::Usage(format!("lookup {kind}: a name is missing after it"))),
            }
        })
        .collect()
}

/// One pair and what came of it.
struct Answer<'a> {
    kind: Kind,
    name: &'a str,
    result: Result<Vec<String>, Error>,
    report: Option<Report>,
}

/// A line of `--json`.
#[derive(Serialize)]
#[serde(untagged)]
enum Line<'a> {
    Result {
        kind: &'static str,
        name: &'a str,
        result: &'a [String],
    },
    Error {
        kind: &'static str,
        name: &'a str,
        error: String,
        not_found: bool,
        timeout: bool,
        temporary: bool,
        server: String,
    },
}

impl Answer<'_> {
    fn text(&self, several: bool) -> String {
        let Ok(result) = &self.result else { return String::new() };
        let mut text = String::new();
        for line in result {
            if several {
                text.push_str(&format!("{} {} ", self.kind, printable(self.name)));
            }
            text.push_str(&printable(line));
            text.push('\n');
        }
        text
    }

    fn json(&self) -> String {
        let (kind, name) = (self.kind.as_str(), self.name);
        let line = match &self.result {
            Ok(result) => Line::Result { kind, name, result },
            Err(error) => {
                let lookup = error.lookup_error();
                let server = lookup.and_then(LookupError::server).map(|server| server.to_string());
                Line::Error {
                    kind,
                    name,
                    error: error.to_string(),
                    not_found: error.is_not_found(),
                    timeout: error.is_timeout(),
                    temporary: error.is_timeout() || lookup.is_some_and(LookupError::is_temporary),
                    server: server.unwrap_or_default(),
                }
            }
        };
        let mut text = serde_json::to_string(&line).expect("strings and booleans always serialize");
        text.push('\n');
        text
    }

    /// The error with the input in it, should it not name it itself.
    fn named(&self, error: &Error) -> String {
        let message = error.to_string();
        if !self.name.is_empty() && message.contains(self.name) {
            message
        } else {
            format!("lookup {} '{}': {message}", self.kind, self.name)
        }
    }
}

/// Whether a word is one of the kinds.
pub(crate) fn is_kind(word: &str) -> bool {
    KINDS.iter().any(|(name, _)| *name == word)
}

impl Kind {
    fn as_str(self) -> &'static str {
        KINDS.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Kind, Failure> {
        KINDS.iter().find(|(name, _)| *name == text).map(|(_, kind)| *kind).ok_or_else(|| {
            let known: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
            Failure::Usage(format!("lookup: unknown kind {text}; known are {}", known.join(" ")))
        })
    }
}
