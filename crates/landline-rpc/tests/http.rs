//! The handshake over HTTP, and the page about the services.

mod common;

use common::{args, serve, server};
use landline_rpc::{Client, ClientConfig};
use tokio::io::AsyncReadExt;

async fn ask(address: &str, request: &str) -> String {
    let mut conn = landline::dial("tcp", address).await.unwrap();
    // In two pieces, as the network may have it.
    let (first, second) = request.split_at(request.len() / 2);
    conn.write_all(first.as_bytes()).await.unwrap();
    tokio::task::yield_now().await;
    conn.write_all(second.as_bytes()).await.unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn clients_come_with_and_without_http() {
    let (server, _) = server();
    let serving = serve(&server.http(true)).await;
    let address = serving.local_addr().to_string();
    let plain = Client::dial("tcp", &address).await.unwrap();
    let http = Client::dial_http("tcp", &address).await.unwrap();
    for client in [plain, http] {
        assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
    }
}

#[tokio::test]
async fn the_page_says_what_can_be_called_and_how_often_it_was() {
    let (server, _) = server();
    let serving = serve(&server.http(true)).await;
    let address = serving.local_addr().to_string();
    let client = Client::dial_http("tcp", &address).await.unwrap();
    for _ in 0..3 {
        client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap();
    }
    let page = ask(&address, "GET /debug/rpc HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.0 200 OK\r\n"), "{page}");
    assert!(page.contains("Service Arith"), "{page}");
    let line = page.lines().find(|line| line.contains("Multiply(")).expect("the method");
    assert!(line.contains("::Args) i64</td><td>3</td>"), "{line}");
    let unused = page.lines().find(|line| line.contains("Divide(")).expect("the method");
    assert!(unused.contains("<td>0</td>"), "{unused}");
}

#[tokio::test]
async fn other_requests_are_refused() {
    let (server, _) = server();
    let serving = serve(&server.clone().http(true)).await;
    let address = serving.local_addr().to_string();
    let refused = ask(&address, "GET /_goRPC_ HTTP/1.0\r\n\r\n").await;
    assert!(
        refused.starts_with("HTTP/1.0 405 ") && refused.ends_with("\r\n\r\n405 must CONNECT\n"),
        "{refused}"
    );
    assert!(ask(&address, "GET / HTTP/1.0\r\n\r\n").await.starts_with("HTTP/1.0 404 "));
    assert!(ask(&address, "GET /\r\n\r\n").await.starts_with("HTTP/1.0 400 "));
    let error = ClientConfig::new().http_path("/x").dial("tcp", &address).await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP handshake: unexpected HTTP response: 404 Not Found");
    let error = ClientConfig::new().http_path("/x y").dial("tcp", &address).await.unwrap_err();
    assert_eq!(error.to_string(), "HTTP handshake: \"/x y\": not a path");
    // Without HTTP, it is the beginning of a longer request, whose rest is waited for.
    let serving = serve(&server).await;
    let config = ClientConfig::new().http(true).timeout(std::time::Duration::from_millis(50));
    let error = config.dial("tcp", &serving.local_addr().to_string()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}
