//! `landline proxy`: a forward proxy for HTTP and SOCKS5 on one port.

mod logins;
mod request;
mod rules;
mod session;
mod socks;
mod udp;

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use landline::resolve::NameServer;
use landline::{Addr, Dialer, Resolver, Server};

use crate::failure::Failure;
use crate::output;
use crate::resolver;
use crate::signals;
use crate::values::{self, Span};
use logins::Logins;
use rules::{Rule, Rules};

/// Be a forward proxy for HTTP and SOCKS5 on one port
///
/// It takes HTTP CONNECT, HTTP requests for whole URLs, and SOCKS5 with CONNECT and UDP ASSOCIATE, told apart by the
/// first byte.
///
/// Without a host it listens on loopback alone. Beyond loopback it connects to no address that is private, link-local or
/// this host's own, unless a network or address that is allowed holds it. Rules are asked about every address that a
/// name turns out to have.
#[derive(Debug, Args)]
#[command(after_help = "\
Rules, for --allow and --deny:
  example.com            the name, and every name below it
  .example.com           every name below it
  192.0.2.1 2001:db8::1  the address
  192.0.2.0/24           the addresses of the network
  :443 :1024-65535       the port, or ports
  example.com:443        both; IPv6 in brackets: [2001:db8::/32]:443
  *                      everything
What is denied stays denied. With --allow nothing else is let through.

Examples:
  landline proxy :3128                                       for the programs of this machine
  landline proxy 0.0.0.0:1080 --auth me:secret               for others, who say who they are
  landline proxy :3128 --allow example.com:443 --log         one site, and see who goes there
  landline proxy [::]:3128 --auth-file users --allow 10.0.0.0/8 --allow :443

SIGTERM, SIGHUP and Ctrl-C end it: they give conns --drain to finish, and a second one ends them at
once.

Exit status: 0 done, 1 the network said no, 2 bad usage.")]
pub(crate) struct Proxy {
    /// HOST:PORT; :PORT is that of 127.0.0.1
    address: String,
    /// Let in only who gives this user name and password; may be repeated
    #[arg(long, value_name = "USER:PASSWORD")]
    auth: Vec<String>,
    /// The same from a file, one on each line
    #[arg(long, value_name = "FILE")]
    auth_file: Option<PathBuf>,
    /// Let these targets through and no others; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule)]
    allow: Vec<Rule>,
    /// Never let these targets through; may be repeated
    #[arg(long, value_name = "RULE", value_parser = rule)]
    deny: Vec<Rule>,
    /// How long a dial to a target may take
    #[arg(long, value_name = "D", default_value = "30s", value_parser = values::timeout, allow_hyphen_values = true)]
    timeout: Span,
    /// End a conn on which nothing has moved for D
    #[arg(long, value_name = "D", default_value = "5m", value_parser = values::timeout, allow_hyphen_values = true)]
    idle: Span,
    /// Serve no more than N conns at the same time; others wait to be accepted
    #[arg(long, value_name = "N", default_value = "10000", value_parser = values::count, allow_hyphen_values = true)]
    max_conns: NonZeroUsize,
    /// Serve no more than N conns of one client at the same time; others are closed
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    max_conns_per_client: Option<NonZeroUsize>,
    /// How long conns may take to finish when the program is asked to end
    #[arg(long, value_name = "D", default_value = "10s", allow_hyphen_values = true)]
    drain: Span,
    /// Ask this name server and no other source; may be repeated
    #[arg(long, value_name = "IP[:PORT]", value_parser = values::name_server)]
    server: Vec<NameServer>,
    /// Print a line for every request on stdout
    #[arg(long)]
    log: bool,
}

fn rule(text: &str) -> Result<Rule, String> {
    text.parse()
}

impl Proxy {
    /// Runs the command, until a signal ends it.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let logins = self.logins()?;
        let address = match self.address.strip_prefix(':') {
            Some(port) => format!("127.0.0.1:{port}"),
            None => self.address.clone(),
        };
        let mut server = Server::new().max_conns(self.max_conns.get());
        if let Some(most) = self.max_conns_per_client {
            server = server.max_conns_per_peer(most.get());
        }
        let bound = server.bind("tcp", &address).await.map_err(|error| Failure::at(&self.address, &error))?;
        let local = bound.local_addr();
        let is_loopback = local.ip().is_some_and(|ip| ip.to_canonical().is_loopback());
        if !is_loopback && logins.is_open() {
            output::complain(&format!(
                "{local}: whoever reaches this address may use the proxy; --auth closes it"
            ));
        }
        let rules = Rules {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            guards_private: !is_loopback,
            own: own_addresses(),
        };
        let resolver =
            if self.server.is_empty() { Resolver::system() } else { resolver::asking(&self.server) };
        let proxy = Arc::new(session::Proxy {
            rules: Arc::new(rules),
            logins,
            dialer: Dialer::new().timeout(self.timeout.0).resolver(resolver.clone()),
            resolver,
            idle: self.idle.0,
            logs: self.log,
        });
        // Before anybody is served who would be cut off by one.
        let mut signals = signals::to_end()?;
        let serving = bound
            .serve(move |conn| {
                let proxy = proxy.clone();
                async move { proxy.serve(conn).await }
            })
            .await?;
        announce(&local);
        serving.drain_on(&mut signals, self.drain.0).await?;
        Ok(())
    }

    fn logins(&self) -> Result<Logins, Failure> {
        let mut logins = Logins::default();
        for login in &self.auth {
            // Not the login itself, which has no business in a log.
            logins.add(login).map_err(|reason| Failure::Usage(format!("--auth: {reason}")))?;
        }
        if let Some(file) = &self.auth_file {
            let name = file.display();
            let text = std::fs::read_to_string(file).map_err(|error| Failure::of_file(&name, &error))?;
            let lines =
                text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
            for (number, line) in lines {
                let refuse =
                    |reason| Failure::Usage(format!("--auth-file {name}: line {}: {reason}", number + 1));
                logins.add(line).map_err(refuse)?;
            }
            if logins.is_open() {
                return Err(Failure::Usage(format!("--auth-file {name}: it holds no login")));
            }
        }
        Ok(logins)
    }
}

fn announce(local: &Addr) {
    output::tell(&format!("listening on {local}\n"));
}

/// The addresses of this host's interfaces; without the right to ask, none.
fn own_addresses() -> Vec<IpAddr> {
    landline::interface_addrs()
        .map(|addrs| addrs.iter().map(|addr| addr.ip().to_canonical()).collect())
        .unwrap_or_default()
}
