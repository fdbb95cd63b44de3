//! URLs that a proxy is asked for, and tunnels where it is not.

use std::time::Duration;

use http::Request;
use landline::{Proxy, ProxyEnvironment};
use landline_http::client::Client;

use crate::harness::{Then, ok, serve, with};

#[tokio::test]
async fn a_proxy_is_asked_for_the_url() {
    let proxy = serve(|seen| (ok(seen.target()), Then::Keep)).await;
    let chosen: Proxy = proxy.url.parse().unwrap();
    let client = Client::new().proxy(chosen.login("Aladdin", "open sesame"));
    for url in ["http://a.example/x?y", "http://a.example:81/", "http://a.example/"] {
        let response = client.get(url).await.unwrap();
        assert_eq!(response.into_body().text(99).await.unwrap(), url);
    }
    let seen = proxy.seen();
    let hosts: Vec<_> = seen.iter().map(|seen| seen.header("host").unwrap()).collect();
    assert_eq!(hosts, ["a.example", "a.example:81", "a.example"]);
    let logins = seen.iter().map(|seen| seen.header("proxy-authorization"));
    assert!(logins.into_iter().all(|login| login == Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")));
    // The conn of the first carries the third.
    assert_eq!(proxy.conns(), 2);
}

#[tokio::test]
async fn tunnels_are_for_what_the_proxy_is_not_to_see() {
    let proxy = serve(|_| (with(403, &[], b""), Then::Close)).await;
    let chosen: Proxy = proxy.url.parse().unwrap();
    let client = Client::new().proxy(chosen);
    let error = client.get("https://a.example/x").await.unwrap_err();
    assert!(error.is_connect() && error.to_string().contains("403"), "{error}");
    let upgrade = Request::get("http://a.example/x").header("connection", "Upgrade").header("upgrade", "x");
    let error = client.send(upgrade.body(()).unwrap()).await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let error = client.clone().http2_prior_knowledge(true).get("http://b.example/").await.unwrap_err();
    assert!(error.is_connect(), "{error}");
    let heads: Vec<_> =
        proxy.seen().into_iter().map(|seen| seen.head.lines().next().unwrap().to_owned()).collect();
    let connect = |address: &str| format!("CONNECT {address} HTTP/1.1");
    assert_eq!(heads, [connect("a.example:443"), connect("a.example:80"), connect("b.example:80")]);
}

#[tokio::test]
async fn the_environment_is_asked_with_the_scheme() {
    let (plain, secure) =
        (serve(|seen| (ok(seen.target()), Then::Keep)).await, serve(|_| (ok(""), Then::Close)).await);
    let variables =
        [("http_proxy", plain.url.as_str()), ("https_proxy", &secure.url), ("no_proxy", "direct.example")];
    let client = Client::new().proxy(ProxyEnvironment::from_vars(variables));
    let response = client.get("http://a.example/").await.unwrap();
    assert_eq!(response.into_body().text(99).await.unwrap(), "http://a.example/");
    // The tunnel is given, but nobody in it speaks TLS.
    client.get("https://a.example/").await.unwrap_err();
    assert_eq!(secure.seen()[0].target(), "a.example:443");
    // Loopback is dialed directly.
    let response = client.get(&plain.at("/direct")).await.unwrap();
    assert_eq!(response.into_body().text(99).await.unwrap(), "/direct");
    let broken = Client::new().proxy(ProxyEnvironment::from_vars([("http_proxy", "ftp://x")]));
    let error = broken.get("http://a.example/").await.unwrap_err();
    assert!(error.to_string().contains("ftp://x"), "{error}");
}

#[tokio::test]
async fn a_proxy_that_cannot_be_reached_is_named() {
    // Nobody is there, or one who speaks no TLS.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = serve(|_| (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Then::Close)).await;
    let plain = plain.url.strip_prefix("http://").unwrap();
    for (proxy, reason) in [
        (format!("http://{gone}"), format!("dial tcp {gone}: connect: connection refused")),
        (format!("https://{plain}"), String::new()),
    ] {
        let chosen: Proxy = proxy.parse().unwrap();
        let client =
            Client::new().proxy(chosen.login("user", "secret")).tls_timeout(Duration::from_millis(300));
        let error = client.get("http://a.example/").await.unwrap_err();
        let (told, named) = (error.to_string(), proxy.replace("://", "://user@"));
        assert!(told.starts_with(&format!("GET http://a.example/: proxy {named}: {reason}")), "{told}");
        assert!(error.is_connect() && !told.contains("secret"), "{told}");
    }
}

#[tokio::test]
async fn a_request_by_a_proxy_is_explained() {
    let proxy = serve(|seen| (ok(seen.target()), Then::Keep)).await;
    let client = Client::new().proxy(proxy.url.parse::<Proxy>().unwrap());
    let (response, explanation) = client.explain(Request::get("http://a.example/").body(()).unwrap()).await;
    response.unwrap().into_body().bytes(99).await.unwrap();
    let report = explanation.report();
    let told = report.to_string();
    assert!(told.contains("is asked for it"), "{told}");
}
