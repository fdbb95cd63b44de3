//! `landline serve`: the files of a directory, or what backends answer, by HTTP.

mod certificate;
mod log;
mod logged;
mod place;
mod tls;

use std::convert::Infallible;
use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use http::{Request, Response};
use http_body::Body;
use landline::Addr;
use landline_http::files::FileServer;
use landline_http::reverse_proxy::ReverseProxy;
use landline_http::server::{RequestBody, Server};
use tower_service::Service;

use crate::failure::Failure;
use crate::output;
use crate::signals;
use crate::values::{self, Span};

use log::{Format, Log};
use logged::Logged;
use place::{Place, network, url};

/// The longest head of a request. hyper keeps as much of a response that its client is slow to take, so that thousands
/// of these cost megabytes and not gigabytes.
const HEAD: usize = 64 * 1024;

/// Serve the files of a directory, or what other servers answer, by HTTP
///
/// Files come whole, in ranges, or compressed where there is a FILE.br, FILE.zst or FILE.gz beside them that is not older.
/// A directory is its index.html, or a list of what is in it. Nothing outside the directory is served, whatever links
/// lead there, and nothing whose name begins with a dot, but for /.well-known.
///
/// With --proxy, requests are passed on to a backend instead. The backend is told of the client by Forwarded and
/// X-Forwarded-For, -Host and -Proto.
///
/// HTTP/1.1 and HTTP/2 are spoken on the same port. One word alone is a directory if there is such, and else an address;
/// with --proxy it is the address.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline serve                                   this directory, at http://127.0.0.1:8080/
  landline serve site :3000 --log                  another one, and see who asks for what
  landline serve site 0.0.0.0:8443 --self-signed   for others too, by https
  landline serve site [::]:443 --tls-cert site.pem --tls-key site.key
  landline serve site unix:/run/site.sock          behind a proxy of this host
  landline serve --json | jq .target               the log as JSON
  landline serve --proxy http://127.0.0.1:3000 0.0.0.0:8443 --self-signed
                                                   https in front of a server that has none

SIGTERM, SIGHUP and Ctrl-C give requests --drain to finish, and a second one ends them at once.

Exit status: 0 done, 1 the network said no, 2 bad usage.")]
pub(crate) struct Serve {
    /// What to serve [default: .]
    #[arg(value_name = "DIR")]
    directory: Option<String>,
    /// Where: HOST:PORT, unix:PATH, fd:N or systemd:NAME; :PORT is that of 127.0.0.1 [default: 127.0.0.1:8080]
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Pass requests on to this server, an http or https URL or unix:PATH; of several, to the one with the fewest under way
    #[arg(long, value_name = "URL", conflicts_with_all = ["no_listing", "hidden"])]
    proxy: Vec<String>,
    /// TLS with this certificate, and those between it and its root; PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate; PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// TLS with a certificate made on the spot, whose fingerprint is printed; for trying out
    #[arg(long, conflicts_with = "tls_cert")]
    self_signed: bool,
    /// Directories without an index.html are not found
    #[arg(long)]
    no_listing: bool,
    /// Serve and list names that begin with a dot, too
    #[arg(long)]
    hidden: bool,
    /// Serve no more than N conns at the same time; others wait to be accepted
    #[arg(long, value_name = "N", default_value = "10000", value_parser = values::count, allow_hyphen_values = true)]
    max_conns: NonZeroUsize,
    /// Close a conn that has been kept for D without a request
    #[arg(long, value_name = "D", default_value = "2m", value_parser = values::timeout, allow_hyphen_values = true)]
    idle: Span,
    /// How long requests may take to finish when the program is asked to end
    #[arg(long, value_name = "D", default_value = "10s", allow_hyphen_values = true)]
    drain: Span,
    /// Print a line for every request on stderr, in the Common Log Format
    #[arg(short = 'v', long, conflicts_with = "json")]
    log: bool,
    /// Print a line of JSON for every request on stdout
    #[arg(long)]
    json: bool,
}

impl Serve {
    /// Runs the command, until a signal ends it.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.proxy.is_empty() {
            let (first, second) = (self.directory.as_deref(), self.address.as_deref());
            let place = Place::of(first, second, |word| Path::new(word).is_dir())?;
            let files = FileServer::new(&place.directory)
                .map_err(|error| Failure::of_file(&place.directory, &error))?
                .listing(!self.no_listing)
                .hidden(self.hidden);
            return self.host(files, &place.directory, &place.address, |_| Ok(())).await;
        }
        if self.address.is_some() {
            return Err(Failure::Usage("serve --proxy: takes an ADDRESS and no DIR".to_owned()));
        }
        let address = self.directory.as_deref().unwrap_or(place::ADDRESS);
        let proxy = ReverseProxy::new(&self.proxy)
            .map_err(|error| Failure::Usage(format!("--proxy: {error}")))?
            .secure(self.is_secure());
        let asks_another = |local: &Addr| match proxy.backend_at(local) {
            Some(url) => Err(Failure::Usage(format!("--proxy {url}: that is this server itself"))),
            None => Ok(()),
        };
        self.host(proxy.clone(), &self.proxy.join(", "), address, asks_another).await
    }

    /// Serves `what`, if `may` says so of where it listens.
    async fn host<S, R>(
        &self,
        service: S,
        what: &str,
        address: &str,
        may: impl FnOnce(&Addr) -> Result<(), Failure>,
    ) -> Result<(), Failure>
    where
        S: Service<Request<RequestBody>, Response = Response<R>, Error = Infallible>,
        S: Clone + Send + 'static,
        S::Future: Send + 'static,
        R: Body<Data = Bytes> + Unpin + 'static,
        R::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let from_files = match (&self.tls_cert, &self.tls_key) {
            (Some(certificates), Some(key)) => Some(tls::from_files(certificates, key)?),
            _ => None,
        };
        let transport = landline::Server::new().max_conns(self.max_conns.get());
        let (network, at) = network(address);
        let bound = transport.bind(network, &at).await.map_err(|error| Failure::at(address, &error))?;
        let local = bound.local_addr();
        may(&local)?;
        let tls = if self.self_signed { Some(tls::self_signed(&local)?) } else { from_files };
        let mut server = Server::new().idle_timeout(self.idle.0).max_head(HEAD);
        if let Some(config) = &tls {
            server = server.tls(config.clone());
        }
        let (log, writer) = self.format().map(Log::begin).unzip();
        // Before anybody is served who would be cut off by one.
        let mut signals = signals::to_end()?;
        let serving = match log {
            Some(log) => server.serve_bound(bound, Logged::new(service, log)).await?,
            None => server.serve_bound(bound, service).await?,
        };
        announce(what, &local, tls.is_some());
        let drained = serving.drain_on(&mut signals, self.drain.0).await;
        // The workers have ended, and with them all that writes into the log.
        drop(serving);
        if let Some(writer) = writer {
            writer.end();
        }
        drained?;
        Ok(())
    }

    fn is_secure(&self) -> bool {
        self.self_signed || self.tls_cert.is_some()
    }

    fn format(&self) -> Option<Format> {
        match (self.log, self.json) {
            (_, true) => Some(Format::Json),
            (true, _) => Some(Format::Common),
            _ => None,
        }
    }
}

fn announce(what: &str, local: &Addr, is_secure: bool) {
    let what = landline::explain::render::printable(what);
    output::tell(&format!("serving {what} at {}\n", url(local, is_secure)));
}
