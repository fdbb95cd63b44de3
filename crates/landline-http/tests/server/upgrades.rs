//! Conns that leave HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use landline::Conn;
use landline_http::Body;
use landline_http::server::{Place, RequestBody, Server, Serving, Upgraded, handle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{sleep, timeout};

use super::{PATIENCE, dial, one, response, rest, until};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);

/// Agrees to every upgrade, and gives away what it gets.
async fn giving(server: Server) -> (Serving, UnboundedReceiver<Upgraded>) {
    let (give, given) = unbounded_channel();
    let agree = handle(move |mut request: Request<RequestBody>| {
        let (give, upgraded) = (give.clone(), Upgraded::of(&mut request));
        async move {
            tokio::spawn(async move { give.send(upgraded.await.unwrap()) });
            Response::builder().status(101).header("upgrade", "x").body(Body::empty()).unwrap()
        }
    });
    (server.transport(one()).serve("tcp", "127.0.0.1:0", agree).await.unwrap(), given)
}

/// A conn that has left HTTP, on the side of the client and of the server; with the request go these bytes.
async fn left(serving: &Serving, given: &mut UnboundedReceiver<Upgraded>, early: &[u8]) -> (Conn, Upgraded) {
    let conn = dial(serving).await;
    conn.write_all(&[ASK, early].concat()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push((&conn).read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    (conn, timeout(PATIENCE, given.recv()).await.unwrap().unwrap())
}

async fn conns(serving: &Serving, count: u64) {
    let waiting = async {
        while serving.counters().total().conns != count {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{:?}", serving.counters()));
}

async fn converse(client: &Conn, server: &Conn) {
    let mut buffer = [0; 4];
    client.write_all(b"ping").await.unwrap();
    assert_eq!((server.read(&mut buffer).await.unwrap(), &buffer), (4, b"ping"));
    server.write_all(b"pong").await.unwrap();
    assert_eq!((client.read(&mut buffer).await.unwrap(), &buffer), (4, b"pong"));
}

#[tokio::test]
async fn the_conn_is_given_with_what_was_unread_and_keeps_its_place() {
    let (serving, mut given) = giving(Server::new()).await;
    let (client, upgraded) = left(&serving, &mut given, b"early").await;
    let (conn, unread, place): (Conn, Bytes, Place) = upgraded.into_parts().unwrap();
    assert_eq!(unread, "early");
    converse(&client, &conn).await;
    conns(&serving, 1).await;
    // As with the conn of anybody, its end is the end of the stream.
    drop(conn);
    assert_eq!(rest(&client).await, "");
    assert_eq!(serving.counters().total().conns, 1);
    drop(place);
    conns(&serving, 0).await;
}

#[tokio::test]
async fn without_its_place_the_conn_is_nobody_elses() {
    let (serving, mut given) = giving(Server::new()).await;
    let (client, upgraded) = left(&serving, &mut given, b"").await;
    let (conn, _, place) = upgraded.into_parts().unwrap();
    drop(place);
    conns(&serving, 0).await;
    // Its reactor is the worker's, and ends with it.
    let conn = Conn::from_owned_fd(conn.into_owned_fd().unwrap()).unwrap();
    let drained = serving.shutdown(PATIENCE).await;
    assert_eq!((drained.finished, drained.cut), (0, 0));
    converse(&client, &conn).await;
}

#[tokio::test]
async fn the_end_of_the_server_ends_a_conn_that_was_given_away() {
    let (serving, mut given) = giving(Server::new()).await;
    let (client, upgraded) = left(&serving, &mut given, b"").await;
    let (conn, _, _place) = upgraded.into_parts().unwrap();
    let mut buffer = [0; 1];
    let (read, drained) = tokio::join!(conn.read(&mut buffer), serving.shutdown(SHORT));
    assert_eq!((drained.finished, drained.cut), (0, 1));
    let error = read.unwrap_err();
    assert!(error.is_canceled() && error.to_string().contains("the server has ended"), "{error}");
    drop(conn);
    assert_eq!(rest(&client).await, "");
}

#[tokio::test]
async fn an_upgraded_conn_counts_among_those_of_its_server() {
    let (give, mut given) = unbounded_channel();
    let agree = handle(move |mut request: Request<RequestBody>| {
        let (give, upgraded) = (give.clone(), Upgraded::of(&mut request));
        async move {
            tokio::spawn(async move { give.send(upgraded.await.unwrap().into_parts().unwrap()) });
            Response::builder().status(101).header("upgrade", "x").body(Body::empty()).unwrap()
        }
    });
    let server = Server::new().transport(one().max_conns(1));
    let serving = server.serve("tcp", "127.0.0.1:0", agree).await.unwrap();
    let first = dial(&serving).await;
    first.write_all(ASK).await.unwrap();
    let (conn, _, place) = timeout(PATIENCE, given.recv()).await.unwrap().unwrap();
    let second = dial(&serving).await;
    second.write_all(ASK).await.unwrap();
    assert!(timeout(SHORT, given.recv()).await.is_err(), "no place for a second");
    drop((conn, place));
    drop(timeout(PATIENCE, given.recv()).await.expect("a place").unwrap());
}

#[tokio::test]
async fn what_goes_through_the_stream_is_counted() {
    let (serving, mut given) = giving(Server::new()).await;
    let (client, mut upgraded) = left(&serving, &mut given, b"early ").await;
    let before = serving.http_counters();
    client.write_all(b"late").await.unwrap();
    let mut all = [0; 10];
    upgraded.read_exact(&mut all).await.unwrap();
    assert_eq!(&all, b"early late");
    upgraded.write_all(b"answer").await.unwrap();
    let after = serving.http_counters();
    assert_eq!((after.received - before.received, after.sent - before.sent), (4, 6));
}

#[tokio::test]
async fn an_upgrade_that_is_refused_leaves_a_conn_as_any_other() {
    let word = handle(async |_| Response::new(Body::from("no")));
    let server = Server::new().transport(one()).head_timeout(Duration::from_secs(1));
    let serving = server.serve("tcp", "127.0.0.1:0", word).await.unwrap();
    let conn = dial(&serving).await;
    for _ in 0..2 {
        conn.write_all(ASK).await.unwrap();
        assert!(response(&conn).await.ends_with("no"));
        // Longer than it takes until an idle conn gives up what it needs for a request only.
        sleep(Duration::from_millis(1_700)).await;
    }
    // Which is how half a head that came too early is noticed.
    conn.write_all(&[ASK, b"GET / HT"].concat()).await.unwrap();
    assert!(response(&conn).await.ends_with("no"));
    assert_eq!(rest(&conn).await, "");
    until(&serving, |counters| (counters.late, counters.requests) == (1, 3)).await;
}

#[tokio::test]
async fn a_conn_that_was_idle_can_leave_http() {
    let (serving, mut given) = giving(Server::new()).await;
    let conn = dial(&serving).await;
    conn.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    // Refused, as it has no host; and so ends.
    assert!(rest(&conn).await.starts_with("HTTP/1.1 400 "));
    let (client, upgraded) = left(&serving, &mut given, b"").await;
    converse(&client, upgraded.conn().unwrap()).await;
}
