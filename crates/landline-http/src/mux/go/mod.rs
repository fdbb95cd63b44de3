//! The mux beside Go's: `answers.jsonl` is what Go 1.27.3 said to `questions.jsonl`, line by line, and `cargo xtask test
//! interop` asks it again (`interop/go/mux`).

use http::Method;
use serde::Deserialize;

use super::{Route, ServeMux};

#[derive(Deserialize)]
struct Question {
    patterns: Vec<String>,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    method: String,
    host: String,
    path: String,
}

#[derive(Deserialize)]
struct Answer {
    patterns: Vec<String>,
    requests: Vec<String>,
}

#[test]
fn patterns_and_requests_are_taken_as_go_takes_them() {
    let mut compared = 0;
    let lines = include_str!("questions.jsonl").lines().zip(include_str!("answers.jsonl").lines());
    for (question, answer) in lines {
        let question: Question = serde_json::from_str(question).unwrap();
        let answer: Answer = serde_json::from_str(answer).unwrap();
        let mut mux = ServeMux::new();
        for (pattern, said) in question.patterns.iter().zip(&answer.patterns) {
            let outcome = match mux.handle(pattern, ()) {
                Ok(()) => "ok",
                Err(error) if error.conflicts_with().is_some() => "conflict",
                Err(_) => "invalid",
            };
            assert_eq!(outcome, said, "{pattern} after {mux:?}");
        }
        for (request, said) in question.requests.iter().zip(&answer.requests) {
            let Request { method, host, path } = request;
            let ours = outcome(&mux, request);
            compared += 1;
            // Of CONNECT, Go forgets the host where it redirects, and the path too where it looks for other methods.
            let is_found = |outcome: &str| outcome.starts_with("200");
            if method == "CONNECT" && !(is_found(&ours) && is_found(said)) {
                continue;
            }
            assert_eq!(ours, *said, "{method} {host} {path} in {mux:?}");
        }
    }
    assert!(compared > 1000, "{compared} requests");
}

fn outcome(mux: &ServeMux<()>, request: &Request) -> String {
    let (mut host, mut target) = (request.host.as_str(), request.path.as_str());
    // The absolute form names the host itself.
    if let Some(rest) = target.strip_prefix("http://") {
        (host, target) = rest.split_at(rest.find('/').unwrap());
    }
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let method: Method = request.method.parse().unwrap();
    match mux.route(&method, host, path, query) {
        Route::Found { pattern, values, .. } => {
            let values: String = values.iter().map(|(name, value)| format!(" {name}={value}")).collect();
            format!("200 {pattern}{values}")
        }
        Route::Redirect { location } => format!("307 -> {location}"),
        Route::MethodNotAllowed { allow } => format!("405 {allow}"),
        Route::NotFound => "404".to_owned(),
    }
}
