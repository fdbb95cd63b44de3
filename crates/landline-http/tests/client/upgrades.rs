//! Conns that change their protocol.

use http::{Request, StatusCode};
use landline_http::client::{Body, Client};
use tokio::io::AsyncReadExt;

use crate::harness::{Then, serve};

fn asking(url: String) -> Request<Body> {
    let request = Request::get(url).header("connection", "upgrade").header("upgrade", "counted");
    request.body(Body::empty()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_came_behind_the_head_belongs_to_the_new_protocol() {
    // More than hyper takes at once, and less than is read at once.
    let text: String = (0..3000).map(|number| format!("{number:04}")).collect();
    let reply = format!("HTTP/1.1 101 Whatever\r\nconnection: upgrade\r\nupgrade: counted\r\n\r\n{text}");
    let server = serve(move |_| (reply.clone().into_bytes(), Then::Close)).await;
    let client = Client::new();
    // Often, as whoever drives a conn and whoever takes it over are on two threads.
    for _ in 0..200 {
        let response = client.send(asking(server.at("/"))).await.unwrap();
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        assert!(!response.body().conn_info().is_reused);
        let mut upgraded = response.into_body().into_upgraded().unwrap();
        let mut heard = String::new();
        upgraded.read_to_string(&mut heard).await.unwrap();
        assert_eq!(heard, text);
    }
    assert_eq!(client.conns(), (0, 0));
}
