//! Requests explain themselves.

use http::Request;
use landline::Operation;
use landline::explain::{Fate, Step};
use landline_http::client::Client;

use crate::harness::{Then, ok, serve, with};

fn stages(report: &landline::explain::Report) -> Vec<&'static str> {
    let stage = |step: &Step| match step {
        Step::Stage { stage, .. } => Some(*stage),
        Step::Attempt { .. } => Some("attempt"),
        Step::Connected { .. } => Some("connected"),
        _ => None,
    };
    report.spans().iter().filter_map(|span| stage(&span.step)).collect()
}

#[tokio::test]
async fn every_step_of_a_request_is_told() {
    let server = serve(|seen| match seen.target() {
        "/" => (with(302, &[("location", "/there")], b""), Then::Keep),
        _ => (ok("hello"), Then::Keep),
    })
    .await;
    let client = Client::new();
    let (response, explanation) = client.explain(Request::get(server.at("/")).body(()).unwrap()).await;
    response.unwrap().into_body().bytes(99).await.unwrap();
    let report = explanation.report();
    assert_eq!(report.operation(), Operation::Request);
    let expected =
        ["get", "attempt", "connected", "wait", "body", "redirect", "get", "reuse", "wait", "body"];
    assert_eq!(stages(&report), expected, "{report}");
    assert!(
        report.spans().iter().all(|span| !matches!(span.fate, Fate::Failed(_) | Fate::Unfinished)),
        "{report}"
    );
    let text = report.to_string();
    assert!(text.starts_with(&format!("GET {}: 200 OK in ", server.at("/"))), "{text}");
    assert!(text.contains("of 5 bytes: 5 bytes"), "{text}");
}

#[tokio::test]
async fn failures_are_told_too() {
    let server = serve(|_| (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(), Then::Close)).await;
    let (response, explanation) = Client::new().explain(Request::get(server.at("/")).body(()).unwrap()).await;
    response.unwrap().into_body().bytes(99).await.unwrap_err();
    let report = explanation.report();
    let last = report.spans().last().unwrap();
    assert!(
        matches!((&last.step, &last.fate), (Step::Stage { stage: "body", .. }, Fate::Failed(_))),
        "{report}"
    );

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (response, explanation) = Client::new().explain(Request::get(&url).body(()).unwrap()).await;
    response.unwrap_err();
    let report = explanation.report();
    assert!(report.error().unwrap().is_connection_refused(), "{report}");
}
