//! `landline get`: ask a server for something, by HTTP.

mod jar;
mod progress;
mod request;
mod store;
mod trust;
mod validator;
mod words;

use std::path::PathBuf;

use clap::Args;
use http::response::Parts;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, header};
use landline::explain::render::printable;
use landline::resolve::NameServer;
use landline::{Cause, Dialer};
use landline_http::client::{Client, Error, ErrorKind, ResponseBody};
use tokio::io::AsyncWriteExt;

use crate::dial::proxies;
use crate::failure::{Failure, is_usage};
use crate::fingerprint::Fingerprint;
use crate::output::{self, Page};
use crate::resolver;
use crate::values::{self, Span, Way};

use jar::CookieFile;
use progress::Progress;
use request::{Source, url};
use store::{Place, Store};

/// Ask a server for something by HTTP, and write what it answers.
///
/// Redirects are followed, compressed answers decompressed, and conns kept from one URL to the next. HTTP/2 is spoken
/// where a server of https agrees to it. A status from 400 on is an answer too: its body is written to stdout, and the
/// exit status is 1.
///
/// A server that says nothing is waited for without end, as curl does; --timeout limits it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline get https://example.com/
  landline get https://example.com/ --explain >/dev/null
  landline get https://example.com/big.iso --output big.iso --resume
  landline get http://localhost:8080/items --body item.json --header 'Content-Type: application/json'
  echo hello | landline get http://localhost:8080/log --method PUT --body -
  landline get http://docker/version --unix /run/docker.sock

Exit status: 0 done, 1 the network or the server said no, 2 bad usage.")]
pub(crate) struct Get {
    /// What to ask for; http:// goes without saying
    #[arg(value_name = "URL", required = true)]
    urls: Vec<String>,
    /// What to do there: HEAD, PUT, … [default: GET, or POST with a body]
    #[arg(long, short = 'X', value_name = "METHOD", value_parser = request::method)]
    method: Option<Method>,
    /// A header to send along; may be repeated
    #[arg(long, short = 'H', value_name = "NAME: VALUE", value_parser = request::header)]
    header: Vec<(HeaderName, HeaderValue)>,
    /// A cookie to send along; may be repeated. It does not go to other hosts that the server redirects to
    #[arg(long, short = 'b', value_name = "NAME=VALUE", value_parser = request::cookie)]
    cookie: Vec<String>,
    /// Send the cookies of this file, and write it anew with those that servers set, as curl does
    #[arg(long, short = 'c', value_name = "FILE", conflicts_with = "cookie")]
    cookie_jar: Option<PathBuf>,
    /// The file to send as body, - for stdin
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Write the answer to this file, once there is one
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
    /// Go on where the file ends, if the server can, and still has the version that it began with. Where no version was
    /// kept with the file, it is gone on with all the same, and stderr says so
    #[arg(long, short = 'C', requires = "output", conflicts_with = "body")]
    resume: bool,
    /// Write the status and the headers of the answer to stdout first
    #[arg(long, short = 'i', conflicts_with_all = ["output", "json"])]
    include: bool,
    /// Draw every step on stderr, at the end
    #[arg(long)]
    explain: bool,
    /// Print the report of each request as one line of JSON in place of the answer
    #[arg(long)]
    json: bool,
    /// Write the report of the request as a web page, - for stdout in place of the answer
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,
    /// How long each request may take, redirects and the whole answer included [default: no limit]
    #[arg(long, value_name = "D", value_parser = values::timeout, allow_hyphen_values = true)]
    timeout: Option<Span>,
    /// How long a dial may take, looking the name up included, and behind it the TLS handshake [default: 30s, and 10s]
    #[arg(long, value_name = "D", value_parser = values::timeout, allow_hyphen_values = true)]
    connect_timeout: Option<Span>,
    /// How many redirects to follow
    #[arg(long, value_name = "N", default_value_t = 10, allow_hyphen_values = true)]
    redirects: usize,
    /// Dial this Unix socket, whatever the host in the URL
    #[arg(long, value_name = "PATH", conflicts_with_all = ["server", "proxy"])]
    unix: Option<String>,
    /// Speak HTTP/2 to http URLs too
    #[arg(long)]
    http2: bool,
    /// Trust the authorities in this file of PEM certificates, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Trust the certificate that has this fingerprint, as serve --self-signed prints it, and no others
    #[arg(long, value_name = "SHA256", conflicts_with = "ca")]
    fingerprint: Option<Fingerprint>,
    /// Ask this name server and no other source; may be repeated
    #[arg(long, value_name = "IP[:PORT]", value_parser = values::name_server)]
    server: Vec<NameServer>,
    /// Go through this proxy, as for dial; given again, through each in turn. env: the one that http_proxy, https_proxy,
    /// all_proxy and no_proxy name for the URL
    #[arg(long, value_name = "URL|env", value_parser = values::proxy)]
    proxy: Vec<Way>,
}

impl Get {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        if self.urls.len() > 1 {
            for (given, option) in [
                (self.output.is_some(), "--output"),
                (self.html.is_some(), "--html"),
                (self.body.is_some(), "--body"),
            ] {
                if given {
                    return Err(Failure::Usage(format!(
                        "{option}: takes one URL, and there are {}",
                        self.urls.len()
                    )));
                }
            }
        }
        if self.body.is_none() && self.has_header(&header::CONTENT_LENGTH) {
            return Err(Failure::Usage(
                "--header Content-Length: there is no body; --body sends one".to_owned(),
            ));
        }
        let jar = self.cookie_jar.as_deref().map(CookieFile::open).transpose()?;
        let mut client = self.client()?;
        if let Some(jar) = &jar {
            client = client.cookies(jar.cookies.clone());
        }
        let done = self.all(&client).await;
        let saved = jar.map_or(Ok(()), |jar| jar.save());
        done.and(saved)
    }

    async fn all(&self, client: &Client) -> Result<(), Failure> {
        let urls = self.urls.iter().map(|text| url(text)).collect::<Result<Vec<_>, _>>()?;
        let mut ended = Ok(());
        for url in urls {
            match self.one(client, url).await {
                Ok(()) => {}
                // The other URLs are asked for all the same; the first failure decides the exit status.
                Err(failure @ (Failure::Refused(_) | Failure::Told(_))) => {
                    let status = failure.status();
                    if let Some(message) = failure.message() {
                        output::complain(message);
                    }
                    ended = ended.and(Err(Failure::Told(status)));
                }
                Err(failure) => return Err(failure),
            }
        }
        ended
    }

    async fn one(&self, client: &Client, url: http::Uri) -> Result<(), Failure> {
        let source = self.body.as_deref().map(Source::open).transpose()?;
        let mut place = match &self.output {
            Some(path) => Some(Place::find(path, self.resume)?),
            None => None,
        };
        if let Some(place) = &place
            && place.resumes_at().is_some()
            && place.validator().is_none()
        {
            let file = place.name();
            output::complain(&format!("{file}: gone on with, though of which version it is was not kept"));
        }
        let page = self.html.as_deref().map(Page::create).transpose()?;
        let request = self.request(url, source, place.as_ref())?;
        let name = format!("{} {}", request.method(), request.uri());
        let is_explained = self.explain || self.json || page.is_some();
        let (result, report) = if is_explained {
            let (response, explanation) = client.explain(request).await;
            let result = self.receive(response, &name, place.as_mut()).await;
            (result, Some(explanation.report()))
        } else {
            (self.receive(client.send(request).await, &name, place.as_mut()).await, None)
        };
        if let Some(report) = &report {
            output::give(report, self.explain, self.json, page)?;
        }
        result
    }

    /// Reads the response to its end, to where it belongs.
    async fn receive(
        &self,
        response: Result<http::Response<ResponseBody>, Error>,
        name: &str,
        place: Option<&mut Place<'_>>,
    ) -> Result<(), Failure> {
        let response = response.map_err(|error| failure(&error))?;
        let (head, mut body) = response.into_parts();
        let is_good = head.status.as_u16() < 400;
        let refused = || Failure::Refused(format!("{name}: {}", head.status));
        let is_asked_for = match head.status {
            // Nothing here could speak another protocol, whoever asked for it.
            StatusCode::SWITCHING_PROTOCOLS => false,
            StatusCode::PARTIAL_CONTENT => {
                place.as_ref().is_some_and(|place| place.resumes_at().is_some())
                    || self.has_header(&header::RANGE)
            }
            _ => true,
        };
        if !is_asked_for {
            return Err(Failure::Refused(format!("{name}: {}, which was not asked for", head.status)));
        }
        // What could be followed was, unless its body is gone: no answer, and nothing for a file.
        if self.redirects > 0
            && let Some(to) = leads_to(&head)
        {
            return Err(Failure::Refused(format!(
                "{name}: {} to {}, where the body cannot be sent, as it was read already",
                head.status,
                printable(&to)
            )));
        }
        let length = http_body::Body::size_hint(&body).exact();
        if let Some(place) = place {
            if head.status == StatusCode::RANGE_NOT_SATISFIABLE && place.is_whole(&head.headers) {
                return Ok(());
            }
            if is_good {
                let store = place.store(head.status, &head.headers)?;
                return fill(store, &mut body, length, name).await;
            }
            // An error page is not what the file is for.
            return Err(refused());
        }
        let is_silent = self.json || self.html.as_deref() == Some("-".as_ref());
        let mut stdout = tokio::io::stdout();
        let gone = |error: std::io::Error| Failure::of_file("stdout", &error);
        let copied = async {
            if self.include {
                stdout.write_all(&request::head(&head)).await.map_err(gone)?;
            }
            while let Some(chunk) = body.chunk().await.map_err(|error| broken(name, &error))? {
                if !is_silent {
                    stdout.write_all(&chunk).await.map_err(gone)?;
                }
            }
            Ok(())
        }
        .await;
        // Of an answer that breaks off, all that has come is written: tokio writes it on a thread that the end of the
        // program does not wait for.
        let flushed = stdout.flush().await.map_err(gone);
        copied.and(flushed)?;
        if is_good { Ok(()) } else { Err(refused()) }
    }

    fn has_header(&self, wanted: &HeaderName) -> bool {
        self.header.iter().any(|(name, _)| name == wanted)
    }

    fn request(
        &self,
        url: http::Uri,
        source: Option<Source>,
        place: Option<&Place<'_>>,
    ) -> Result<Request<landline_http::client::Body>, Failure> {
        let method = self.method.clone().unwrap_or(if source.is_some() { Method::POST } else { Method::GET });
        let mut request = Request::new(source.map(Source::into_body).unwrap_or_default());
        *request.method_mut() = method;
        *request.uri_mut() = url;
        for (name, value) in &self.header {
            request.headers_mut().append(name.clone(), value.clone());
        }
        if !self.cookie.is_empty() {
            let value = HeaderValue::from_str(&self.cookie.join("; "));
            let mut value = value.map_err(|_| Failure::Usage("--cookie: a control character".to_owned()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::COOKIE, value);
        }
        if let Some(from) = place.and_then(Place::resumes_at) {
            let range = HeaderValue::from_str(&format!("bytes={from}-"))
                .map_err(|_| Failure::Usage("--resume: the file is too long".to_owned()))?;
            request.headers_mut().insert(header::RANGE, range);
            // Where the server has another version by now, it gives all of that.
            if let Some(validator) = place.and_then(Place::validator) {
                request.headers_mut().insert(header::IF_RANGE, validator.clone());
            }
        }
        Ok(request)
    }

    fn client(&self) -> Result<Client, Failure> {
        let mut dialer = Dialer::new();
        if !self.server.is_empty() {
            dialer = dialer.resolver(resolver::asking(&self.server));
        }
        let mut client =
            Client::new().dialer(dialer).max_redirects(self.redirects).http2_prior_knowledge(self.http2);
        if !self.proxy.is_empty() {
            client = client.proxy(proxies(&self.proxy)?);
        }
        if let Some(path) = &self.ca {
            client = client.tls(trust::only(path)?);
        }
        if let Some(fingerprint) = self.fingerprint {
            client = client.tls(trust::pinned(fingerprint)?);
        }
        if let Some(path) = &self.unix {
            client = client.unix_socket(path);
        }
        if let Some(Span(timeout)) = self.timeout {
            client = client.timeout(timeout);
        }
        if let Some(Span(timeout)) = self.connect_timeout {
            client = client.connect_timeout(timeout).tls_timeout(timeout);
        }
        Ok(client)
    }
}

/// Where a redirect leads (RFC 9110 section 15.4).
fn leads_to(head: &Parts) -> Option<String> {
    let is_redirect = matches!(head.status.as_u16(), 301..=303 | 307 | 308);
    let location = head.headers.get(header::LOCATION).filter(|_| is_redirect)?;
    Some(String::from_utf8_lossy(location.as_bytes()).into_owned())
}

/// Writes the body to its file, telling how far it is.
async fn fill(
    mut store: Store,
    body: &mut ResponseBody,
    length: Option<u64>,
    name: &str,
) -> Result<(), Failure> {
    let mut progress = Progress::new(store.written(), length.map(|length| store.written() + length));
    let filled = async {
        while let Some(chunk) = body.chunk().await.map_err(|error| broken(name, &error))? {
            store.write(&chunk).await?;
            progress.show(store.written());
        }
        Ok(())
    }
    .await;
    progress.end();
    // What has come is kept, so that it can be resumed.
    let finished = store.finish().await;
    filled.and(finished)
}

/// A response that does not come to its end: of several URLs, the reader wants to know which.
fn broken(name: &str, error: &Error) -> Failure {
    let message = words::of(error);
    Failure::Refused(if error.url().is_some() { message } else { format!("{name}: {message}") })
}

fn failure(error: &Error) -> Failure {
    let is_usage = match error.kind() {
        ErrorKind::Invalid(_) => true,
        ErrorKind::Connect(error) => matches!(error.cause(), Cause::Address(_)) || is_usage(error),
        _ => false,
    };
    let words = words::of(error);
    if is_usage { Failure::Usage(words) } else { Failure::Refused(words) }
}
