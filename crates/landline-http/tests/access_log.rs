//! The access log, as whoever listens to `tracing` hears it. A process of its own: servers log on threads of theirs.
#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use landline_http::Body;
use landline_http::server::{RequestBody, Server, handle};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

const PATIENCE: Duration = Duration::from_secs(30);

type Line = BTreeMap<&'static str, String>;

/// Keeps what is said of requests.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<Line>>>);

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "landline_http::access"
    }

    fn event(&self, event: &Event<'_>) {
        assert_eq!(*event.metadata().level(), Level::INFO);
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Fields(Line);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl Listener {
    /// The line of the request for `path`, once there is one.
    async fn line(&self, path: &str) -> Line {
        let looking = async {
            loop {
                let found = self.0.lock().unwrap().iter().find(|line| line["uri"].ends_with(path)).cloned();
                match found {
                    Some(line) => return line,
                    None => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("no line for {path}"))
    }
}

#[tokio::test]
async fn each_request_has_a_line() {
    let listener = Listener::default();
    tracing::subscriber::set_global_default(listener.clone()).unwrap();
    let service = handle(async |request: Request<RequestBody>| {
        match request.uri().path() {
            "/none" => return Response::builder().status(404).body(Body::from("none")).unwrap(),
            "/slow" => tokio::time::sleep(Duration::from_millis(20)).await,
            "/endless" => return Response::new(Body::from_reader(tokio::io::repeat(b'x'), None)),
            "/never" => std::future::pending().await,
            "/panics" => panic!("as it was asked to"),
            _ => {}
        }
        Response::new(Body::from("hello"))
    });
    let server = Server::new().transport(landline::Server::new().workers(1));
    let serving = server.serve("tcp", "127.0.0.1:0", service).await.unwrap();
    for (request, path, status, bytes) in [
        ("GET /whole HTTP/1.1\r\nHost: a", "/whole", 200, 5),
        ("GET /old?q=1 HTTP/1.0\r\nHost: a", "/old?q=1", 200, 5),
        ("HEAD /head HTTP/1.1\r\nHost: a", "/head", 200, 0),
        ("GET /none HTTP/1.1\r\nHost: a", "/none", 404, 4),
        ("GET /slow HTTP/1.1\r\nHost: a", "/slow", 200, 5),
        ("GET /refused HTTP/1.1\r\nHost: a b", "/refused", 400, 0),
        ("POST /panics HTTP/1.1\r\nHost: a", "/panics", 500, 0),
    ] {
        let conn = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
        let peer = conn.local_addr().unwrap().to_string();
        conn.write_all(format!("{request}\r\n\r\n").as_bytes()).await.unwrap();
        let line = listener.line(path).await;
        let (method, rest) = request.split_once(' ').unwrap();
        let version = rest.split_once(' ').unwrap().1.lines().next().unwrap();
        let expected = [
            ("bytes", bytes.to_string()),
            ("message", "request".to_owned()),
            ("method", method.to_owned()),
            ("peer", peer),
            ("status", status.to_string()),
            ("uri", path.to_owned()),
            ("version", version.to_owned()),
            ("whole", "true".to_owned()),
        ];
        let micros: u64 = line["micros"].parse().unwrap();
        assert!(micros >= if path == "/slow" { 20_000 } else { 0 }, "{line:?}");
        assert!(u128::from(micros) < PATIENCE.as_micros(), "{line:?}");
        let rest = line.into_iter().filter(|(name, _)| *name != "micros");
        assert_eq!(rest.collect::<Line>(), Line::from(expected), "{request}");
    }
    // What the client did not wait for was not whole, or had no status at all.
    for (path, status) in [("/endless", Some("200")), ("/never", None)] {
        let conn = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
        conn.write_all(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
        if status.is_some() {
            conn.read(&mut [0; 64]).await.unwrap();
        }
        drop(conn);
        let line = listener.line(path).await;
        assert_eq!(
            (line["whole"].as_str(), line.get("status").map(String::as_str)),
            ("false", status),
            "{line:?}"
        );
    }
}
