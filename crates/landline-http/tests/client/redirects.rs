//! Redirects, and what goes along.

use http::{Request, header};
use landline_http::client::{Body, Client, Cookies};

use crate::harness::{Then, ok, serve, with};

fn to(status: u16, location: &str) -> (Vec<u8>, Then) {
    (with(status, &[("location", location)], b"moved"), Then::Keep)
}

#[tokio::test]
async fn credentials_do_not_go_to_another_host() {
    let other = serve(|_| (ok("other"), Then::Keep)).await;
    let away = other.at("/there");
    let server = serve(move |seen| match seen.target() {
        "/away" => to(302, &away),
        "/near" => to(302, "here"),
        _ => (ok("here"), Then::Keep),
    })
    .await;
    let client = Client::new();
    for (path, kept) in [("/near", true), ("/away", false)] {
        let request = Request::get(server.at(path))
            .header(header::AUTHORIZATION, "Bearer secret")
            .header(header::COOKIE, "a=b")
            .header("x-other", "stays")
            .body(())
            .unwrap();
        client.send(request).await.unwrap().into_body().bytes(99).await.unwrap();
        let last = if kept { server.seen().pop().unwrap() } else { other.seen().pop().unwrap() };
        assert_eq!(last.header("authorization").is_some(), kept, "{}", last.head);
        assert_eq!(last.header("cookie").is_some(), kept);
        assert_eq!(last.header("x-other"), Some("stays"));
    }
    // The conn of a redirect is used for what follows it.
    assert_eq!(server.conns(), 1);
}

#[tokio::test]
async fn methods_change_and_bodies_are_sent_again() {
    let server = serve(|seen| match seen.target() {
        "/301" => to(301, "/end"),
        "/303" => to(303, "/end"),
        "/307" => to(307, "/end"),
        _ => (ok(""), Then::Keep),
    })
    .await;
    let client = Client::new();
    for (path, method, body) in [("/301", "GET", ""), ("/303", "GET", ""), ("/307", "POST", "data")] {
        let request = Request::post(server.at(path)).header("content-type", "text/x").body("data").unwrap();
        assert_eq!(client.send(request).await.unwrap().status(), 200);
        let last = server.seen().pop().unwrap();
        assert!(last.head.starts_with(method), "{}", last.head);
        assert_eq!(last.body, body.as_bytes());
        assert_eq!(last.header("content-type").is_some(), method == "POST");
    }
    // A stream cannot be sent again: the redirect is the response.
    let stream = Body::from_reader(&b"data"[..], Some(4));
    let response = client.send(Request::post(server.at("/307")).body(stream).unwrap()).await.unwrap();
    assert_eq!(response.status(), 307);
}

#[tokio::test]
async fn circles_and_long_ways_end() {
    let server = serve(|seen| match seen.target() {
        "/circle" => to(302, "/circle"),
        "/ftp" => to(302, "ftp://x/"),
        long => to(302, &format!("{long}x")),
    })
    .await;
    for (path, reason) in [
        ("/circle", "round in a circle"),
        ("/long", "too many redirects"),
        ("/ftp", "neither http nor https"),
    ] {
        let error = Client::new().max_redirects(3).get(&server.at(path)).await.unwrap_err();
        assert!(error.is_redirect() && error.to_string().contains(reason), "{error}");
    }
    let response = Client::new().max_redirects(0).get(&server.at("/circle")).await.unwrap();
    assert_eq!(response.status(), 302);
}

#[tokio::test]
async fn cookies_are_kept_and_sent_on_the_way_too() {
    let server = serve(|seen| match seen.target() {
        "/login" => (
            with(
                302,
                &[("location", "/home"), ("set-cookie", "id=7; Path=/"), ("set-cookie", "x=1; Domain=com")],
                b"",
            ),
            Then::Keep,
        ),
        _ => (ok(seen.header("cookie").unwrap_or("none")), Then::Keep),
    })
    .await;
    let cookies = Cookies::new();
    let client = Client::new().cookies(cookies.clone());
    for path in ["/login", "/again"] {
        let response = client.get(&server.at(path)).await.unwrap();
        assert_eq!(response.into_body().text(99).await.unwrap(), "id=7");
    }
    assert_eq!((cookies.len(), format!("{cookies:?}").as_str()), (1, "Cookies(1)"));
    let own = Request::get(server.at("/")).header(header::COOKIE, "own=1").body(()).unwrap();
    assert_eq!(client.send(own).await.unwrap().into_body().text(99).await.unwrap(), "own=1");
}
