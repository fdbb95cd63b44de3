//! A service whose every request has its line in the log.

use std::task::{Context, Poll};

use http::header::{HOST, USER_AGENT};
use http::{HeaderName, Request};
use landline_http::server::{Caller, Outcome};
use time::OffsetDateTime;
use tower_service::Service;

use super::log::{Entry, Log};

/// A service, and the log of it. Its responses stay as they are, so that the kernel may send files by itself.
#[derive(Clone)]
pub(super) struct Logged<S> {
    inner: S,
    log: Log,
}

impl<S> Logged<S> {
    pub(super) fn new(inner: S, log: Log) -> Logged<S> {
        Logged { inner, log }
    }
}

impl<S, B> Service<Request<B>> for Logged<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        // Our own server tells it of every request.
        if let Some(caller) = Caller::current() {
            // An IP address, as clients of Unix sockets have no name.
            let ip = caller.peer_addr().and_then(landline::Addr::ip);
            let entry = begun(&request, ip.map(|ip| ip.to_canonical().to_string()));
            let log = self.log.clone();
            caller.on_end(move |outcome| log.add(ended(entry, outcome)));
        }
        self.inner.call(request)
    }
}

/// How much of each word of a client's is kept, in bytes: lines wait in memory.
const LONGEST: usize = 2048;

/// A client's word, or the beginning of it.
fn cut(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

/// What is known of a request before it is answered.
fn begun<B>(request: &Request<B>, client: Option<String>) -> Entry {
    let header = |name: HeaderName| {
        let value = request.headers().get(name)?;
        Some(cut(&String::from_utf8_lossy(value.as_bytes())))
    };
    // HTTP/2 has the host in the target (RFC 9113 section 8.3.1).
    let authority = request.uri().authority().map(ToString::to_string);
    let target = request.uri().path_and_query().map_or("*", |target| target.as_str());
    Entry {
        began: OffsetDateTime::now_utc(),
        took: std::time::Duration::ZERO,
        client,
        method: cut(request.method().as_str()),
        target: cut(target),
        version: request.version(),
        status: None,
        bytes: 0,
        is_whole: false,
        host: authority.map(|authority| cut(&authority)).or_else(|| header(HOST)),
        agent: header(USER_AGENT),
    }
}

fn ended(entry: Entry, outcome: &Outcome) -> Entry {
    Entry {
        took: outcome.time,
        status: outcome.status.map(|status| status.as_u16()),
        bytes: outcome.bytes,
        is_whole: outcome.is_whole,
        ..entry
    }
}

#[cfg(test)]
mod tests {
    use landline_http::files::FileServer;
    use landline_http::server::Server;

    use super::super::log::Format;
    use super::*;

    #[tokio::test]
    async fn the_kernel_sends_files_that_are_logged() {
        let directory = tempfile::tempdir().unwrap();
        let content = vec![b'x'; 300_000];
        std::fs::write(directory.path().join("large"), &content).unwrap();
        let files = FileServer::new(directory.path()).unwrap();
        let (log, writer) = Log::begin(Format::Common);
        let serving = Server::new().serve("tcp", "127.0.0.1:0", Logged::new(files, log)).await.unwrap();
        let url = format!("http://{}/large", serving.local_addr());
        let response = landline_http::client::Client::new().get(&url).await.unwrap();
        assert_eq!(response.into_body().bytes(1 << 20).await.unwrap(), content);
        assert!(serving.http_counters().sent_from_files > 0, "{:?}", serving.http_counters());
        serving.shutdown(std::time::Duration::from_secs(30)).await;
        writer.end();
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        assert_eq!(cut("/a"), "/a");
        assert_eq!(cut(&"a".repeat(LONGEST)), "a".repeat(LONGEST));
        assert_eq!(cut(&"a".repeat(LONGEST + 1)), format!("{}…", "a".repeat(LONGEST)));
        assert_eq!(cut(&"é".repeat(LONGEST)), format!("{}…", "é".repeat(LONGEST / 2)));
        assert_eq!(cut(&format!("a{}", "é".repeat(LONGEST))), format!("a{}…", "é".repeat(LONGEST / 2 - 1)));
    }
}
