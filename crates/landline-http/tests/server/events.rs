//! Server-sent events, as curl hears them.

use std::process::Stdio;
use std::time::Duration;

use http::Request;
use landline_http::client::Client;
use landline_http::server::events::{self, Event, EventSender};
use landline_http::server::{Caller, RequestBody, Server, Serving, handle};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

use super::{PATIENCE, dial, one, until};

/// Gives the sender of each response to the test.
async fn serve() -> (Serving, mpsc::UnboundedReceiver<EventSender>) {
    let (senders, received) = mpsc::unbounded_channel();
    let service = handle(move |request: Request<RequestBody>| {
        let senders = senders.clone();
        async move {
            let (sender, events) = events::channel(4);
            if let Some(last) = events::last_event_id(request.headers()) {
                sender.send(Event::new().comment(&format!("behind {last}"))).await.unwrap();
            }
            senders.send(sender).unwrap();
            events.keep_alive(Duration::from_millis(200)).into_response()
        }
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    (serving, received)
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens")
}

/// Hears events one by one, while the response goes on, and a comment where there is none.
async fn converse(sender: EventSender, heard: impl AsyncRead + Unpin) {
    let mut lines = BufReader::new(heard).lines();
    for (event, expected) in [
        (
            Event::new().id("7").unwrap().data("first\nsecond"),
            &["id: 7", "data: first", "data: second", ""][..],
        ),
        (Event::new().event("chat").unwrap().data("hello"), &["event: chat", "data: hello", ""]),
    ] {
        sender.send(event).await.unwrap();
        for line in expected {
            loop {
                let heard = soon(lines.next_line()).await.unwrap().unwrap();
                // One that came between.
                if heard == ":" {
                    assert_eq!(soon(lines.next_line()).await.unwrap().unwrap(), "");
                    continue;
                }
                assert_eq!(heard, *line);
                break;
            }
        }
        assert_eq!(soon(lines.next_line()).await.unwrap().unwrap(), ":");
        assert_eq!(soon(lines.next_line()).await.unwrap().unwrap(), "");
    }
    drop(lines);
}

#[tokio::test]
async fn curl_hears_events_when_they_are_sent_and_is_missed_when_it_leaves() {
    let (serving, mut senders) = serve().await;
    for protocol in ["--http1.1", "--http2-prior-knowledge"] {
        let url = format!("http://{}/", serving.local_addr());
        let curl = Command::new("curl")
            .args(["--silent", "--no-buffer", protocol, &url])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let Ok(mut curl) = curl else {
            // Another client will do.
            let conn = dial(&serving).await;
            conn.write_all(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n").await.unwrap();
            let mut head = BufReader::new(&conn).lines();
            while !soon(head.next_line()).await.unwrap().unwrap().is_empty() {}
            let sender = soon(senders.recv()).await.unwrap();
            converse(sender.clone(), head.into_inner()).await;
            drop(conn);
            soon(sender.closed()).await;
            continue;
        };
        let sender = soon(senders.recv()).await.unwrap();
        converse(sender.clone(), curl.stdout.take().unwrap()).await;
        curl.kill().await.unwrap();
        soon(sender.closed()).await;
        sender.send(Event::new()).await.unwrap_err();
    }
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 2)).await;
}

#[tokio::test]
async fn a_client_that_comes_again_tells_where_it_was() {
    let (serving, mut senders) = serve().await;
    let url = format!("http://{}/", serving.local_addr());
    let request = Request::get(&url).header("last-event-id", "7").body(landline_http::Body::empty()).unwrap();
    let response = Client::new().send(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-store");
    let sender = soon(senders.recv()).await.unwrap();
    sender.send(Event::new().data("the last")).await.unwrap();
    drop(sender);
    let text = response.into_body().text(1024).await.unwrap();
    assert_eq!(text.replace(":\n\n", ""), ": behind 7\n\ndata: the last\n\n");
}

#[tokio::test]
async fn a_drain_ends_events_whose_sender_listens_for_it() {
    let service = handle(async |_: Request<RequestBody>| {
        let (sender, events) = events::channel(1);
        let caller = Caller::current().unwrap();
        tokio::spawn(async move {
            caller.draining().begun().await;
            sender.send(Event::new().data("the end")).await.unwrap();
        });
        events.into_response()
    });
    let serving = Server::new().transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap();
    let url = format!("http://{}/", serving.local_addr());
    let asking = [false, true].map(|http2| {
        let (client, url) = (Client::new().http2_prior_knowledge(http2), &url);
        async move { client.get(url).await.unwrap().into_body() }
    });
    let bodies = futures_util::future::join_all(asking).await;
    let hearing = futures_util::future::join_all(bodies.into_iter().map(|body| body.text(1024)));
    let (drained, heard) = soon(async { tokio::join!(serving.shutdown(PATIENCE * 2), hearing) }).await;
    assert_eq!((drained.finished, drained.cut), (2, 0));
    for text in heard {
        assert_eq!(text.unwrap(), "data: the end\n\n");
    }
}
