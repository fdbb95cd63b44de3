//! `landline forward`: conns of one kind passed on to another.

mod counters;
mod sessions;
mod streams;
mod target;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use landline::{Dialer, Network, ProxyHeaderVersion};

use crate::failure::Failure;
use crate::output;
use crate::values::{self, Span};
use counters::{Counters, Report};
use target::Target;

/// How long a session lasts in which nothing moves; RFC 4787 section 4.3 wants two minutes at least of a NAT, but this one
/// keeps a descriptor for each.
const IDLE: Duration = Duration::from_secs(60);

/// Accept conns at the first address, dial the second for each, and pass on what either says.
///
/// The two may be of any kind: tcp to unix, unix to tcp, tcp to tcp; bytes go the shortest way the kernel has. From udp,
/// every sender has a session of its own with the second address, until nothing has moved in it for --idle; it is answered
/// from the address that it has sent to. Datagrams have no end: a conn passed on to udp ends when its client has ended and
/// no answer has come for --timeout.
///
/// What breaks is not passed on as if it had ended: when a conn is reset, or cut by --idle or at the end of --drain, the
/// other side of it is reset too (of TCP; a Unix socket has but one end).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline forward tcp :8080 tcp app.example:80          pass conns on to another host
  landline forward tcp :8080 unix /run/app.sock          let a service of this host be reached
  landline forward unix /tmp/db.sock tcp db.example:5432 a far database at a path
  landline forward udp :5353 udp 192.0.2.53:53           datagrams, a session for each sender
  landline forward tcp :80 tcp 192.0.2.8:80 --proxy-out v2
                                                         tell the server behind it who comes

SIGUSR1 prints the counters, and so does the end. SIGTERM, SIGHUP and Ctrl-C give conns --drain to
finish, those among them that wait for --max-conns to let them in, and a second one ends them at
once. A udp session is over then when nothing has moved in it for a second, or for three since a
datagram that was not answered; new senders are refused. The file of a Unix socket is removed.

A conn takes two descriptors and a udp session one; the limit (ulimit -n) is raised to the hard one.
Where they run out, conns wait to be accepted.

Lines on stderr that nobody reads are dropped, and counted; they stop nobody.

Exit status: 0 done, also where conns were cut, or refused while they waited, which the last line
counts; 1 the network said no, 2 bad usage.")]
pub(crate) struct Forward {
    /// What to accept: tcp, tcp4, tcp6, unix, unixpacket, udp, udp4, udp6
    network: String,
    /// Where: HOST:PORT, :PORT, a path, or @name; also fd:N and systemd:NAME
    address: String,
    /// What to dial: any network
    to_network: String,
    /// Where
    to_address: String,
    /// Pass on no more than N conns at the same time, others wait to be accepted; of udp sessions, of which others are
    /// dropped
    #[arg(long, value_name = "N", default_value = "10000", value_parser = values::count, allow_hyphen_values = true)]
    max_conns: NonZeroUsize,
    /// End a conn on which nothing has moved for D; from and to udp 1m unless told otherwise, else never
    #[arg(long, value_name = "D", value_parser = values::timeout, allow_hyphen_values = true)]
    idle: Option<Span>,
    /// How long a dial may take, a PROXY header, and after a client's end the answers of udp
    #[arg(long, value_name = "D", default_value = "10s", value_parser = values::timeout, allow_hyphen_values = true)]
    timeout: Span,
    /// How long conns may take to finish when the program is asked to end
    #[arg(long, value_name = "D", default_value = "10s", allow_hyphen_values = true)]
    drain: Span,
    /// Every conn begins with a PROXY header of either version, which is taken off; conns without one are closed, and
    /// those whose v2 header is longer than 4,112 bytes. For proxies alone: whoever comes may say that he is anybody
    #[arg(long)]
    proxy_in: bool,
    /// Begin every dialed conn with a PROXY header that tells where the client comes from
    #[arg(long, value_name = "VERSION")]
    proxy_out: Option<HeaderVersion>,
    /// How many threads serve; one for each CPU unless told otherwise. Not of udp, which one serves
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    workers: Option<NonZeroUsize>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum HeaderVersion {
    V1,
    V2,
}

impl Forward {
    /// Runs the command, until a signal ends it.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let parse = |text: &str| -> Result<Network, Failure> {
            text.parse().map_err(|error| Failure::Usage(format!("forward: {error}")))
        };
        let (from, to) = (parse(&self.network)?, parse(&self.to_network)?);
        if from.is_packet() && !matches!(from, Network::Udp(_)) {
            let reason = format!("forward: {from} has neither conns nor senders that could be told apart");
            return Err(Failure::Usage(reason));
        }
        if from.is_packet() && (self.proxy_in || self.proxy_out.is_some()) {
            return Err(Failure::Usage(format!(
                "forward: a PROXY header begins a conn, and {from} has none"
            )));
        }
        if to.is_packet() && self.proxy_out.is_some() {
            return Err(Failure::Usage(format!("forward: a PROXY header begins a conn, and {to} has none")));
        }
        if from.is_packet() && self.workers.is_some() {
            return Err(Failure::Usage(format!(
                "forward: --workers: the senders of {from} are served by one"
            )));
        }
        let counters = Arc::new(Counters::default());
        let target = Target {
            network: to,
            address: self.to_address.clone(),
            dialer: Dialer::new().timeout(self.timeout.0),
            idle: self.idle.map(|idle| idle.0),
            timeout: self.timeout.0,
            counters: counters.clone(),
        };
        target.check().await?;
        let report = Report::begin(counters.clone())?;
        let cut = if from.is_packet() {
            self.sessions(from, target).await?
        } else {
            let drained = self.conns(from, target).await?;
            counters.refused(drained.refused);
            drained.cut
        };
        report.end(cut);
        Ok(())
    }
}

impl From<HeaderVersion> for ProxyHeaderVersion {
    fn from(version: HeaderVersion) -> ProxyHeaderVersion {
        match version {
            HeaderVersion::V1 => ProxyHeaderVersion::V1,
            HeaderVersion::V2 => ProxyHeaderVersion::V2,
        }
    }
}

/// The address it got, before anything else, also when the kernel chose it. That whoever reads it has gone stops nothing.
fn announce(local: &landline::Addr) -> Result<(), Failure> {
    match output::print(&format!("listening on {local}\n")) {
        Err(Failure::ReaderGone) => Ok(()),
        printed => printed,
    }
}
