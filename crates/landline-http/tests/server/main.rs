//! The server, against clients that behave and clients that do not.
#![allow(missing_docs)]

mod apps;
mod bodies;
mod certificates;
mod closing;
mod conns;
mod direct;
mod events;
mod files;
mod flow;
mod framing;
mod http2;
mod requests;
mod tls;
mod upgrades;
mod websockets;

use std::time::Duration;

use http::{Request, Response};
use landline::Conn;
use landline_http::Body;
use landline_http::server::{Counters, RequestBody, Server, Serving, handle};

/// Only what hangs takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves a word, with the method and the path in it.
async fn serve_word(server: Server) -> Serving {
    let word = handle(async |request: Request<RequestBody>| {
        Response::new(Body::from(format!("{} {}", request.method(), request.uri())))
    });
    server.transport(one()).serve("tcp", "127.0.0.1:0", word).await.unwrap()
}

/// One worker is enough.
fn one() -> landline::Server {
    landline::Server::new().workers(1)
}

async fn dial(serving: &Serving) -> Conn {
    landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap()
}

/// All that the server says until it closes.
async fn rest(conn: &Conn) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        loop {
            match conn.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => all.extend(&buffer[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the server closes");
    String::from_utf8_lossy(&all).into_owned()
}

/// What the server says to these bytes until it closes.
async fn say(serving: &Serving, bytes: impl AsRef<[u8]>) -> String {
    let conn = dial(serving).await;
    // It may close before it has all.
    let _ = conn.write_all(bytes.as_ref()).await;
    rest(&conn).await
}

/// One response with a length, of a conn that goes on.
async fn response(conn: &Conn) -> String {
    let mut all = Vec::new();
    let reading = async {
        let mut buffer = [0; 4096];
        loop {
            let text = String::from_utf8_lossy(&all);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let length = head.split("content-length: ").nth(1).expect("a length");
                let length: usize = length.lines().next().unwrap().parse().unwrap();
                if body.len() >= length {
                    break;
                }
            }
            let count = conn.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0, "the conn ended after {text:?}");
            all.extend(&buffer[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("a response");
    String::from_utf8(all).unwrap()
}

/// Waits until the counters are such: what ends a conn is counted a little after its peer sees the end.
async fn until(serving: &Serving, holds: impl Fn(&Counters) -> bool) {
    let waiting = async {
        while !holds(&serving.http_counters()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.unwrap_or_else(|_| panic!("{:?}", serving.http_counters()));
}
