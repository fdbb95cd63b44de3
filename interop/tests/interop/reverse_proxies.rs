//! The reverse proxy before servers of other hands.

use std::convert::Infallible;
use std::fs;
use std::process::Command;

use http::Request;
use hyper_util::rt::TokioIo;
use landline_http::client::{Body, Client};
use landline_http::reverse_proxy::ReverseProxy;
use landline_interop::{Running, finish, free_address, go_program, peer, until_bound};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tower_service::Service;

/// Serves with the proxy while the runtime is there, and gives its URL.
fn front(runtime: &Runtime, proxy: ReverseProxy) -> String {
    let listener = runtime.block_on(landline::listen("tcp", "127.0.0.1:0")).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    runtime.spawn(async move {
        let mut conns = JoinSet::new();
        loop {
            let conn = listener.accept().await.unwrap();
            let (peer, proxy) = (conn.peer_addr().unwrap(), proxy.clone());
            let service = hyper::service::service_fn(move |mut request: Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(peer.clone());
                let answer = proxy.clone().call(request);
                async move { Ok::<_, Infallible>(answer.await.unwrap()) }
            });
            conns.spawn(async move {
                let server = hyper::server::conn::http1::Builder::new();
                let _ = server.serve_connection(TokioIo::new(conn), service).with_upgrades().await;
            });
        }
    });
    url
}

#[test]
fn go_is_proxied_for_go() {
    let Some(web) = go_program("web") else { return };
    let mut backend = Running::start(Command::new(&web).args(["serve", "127.0.0.1:0"]));
    let address = backend.next_line();
    let proxy = ReverseProxy::new([format!("http://{address}")]).unwrap();
    for (proxy, version) in [(proxy.clone(), "HTTP/1.1"), (proxy.http2_prior_knowledge(true), "HTTP/2.0")] {
        let runtime = Runtime::new().unwrap();
        let url = front(&runtime, proxy);
        let host = url.strip_prefix("http://").unwrap();
        let done = finish(Command::new(&web).args(["ask", &url]));
        let expected = format!(
            "{version} /seen?a=b host={host} for=127.0.0.1 forwarded=for=127.0.0.1;host=\"{host}\";proto=http te=\n\
             echo 4194304 4194304 all\n\
             data: first\n\
             200 events\n\
             101 ONE\n\
             101 TWO\n\
             426 only to upper\n"
        );
        assert_eq!(done.success(), expected);
    }
}

#[test]
fn nginx_is_proxied_and_one_that_is_gone_is_passed_by() {
    let Some(nginx) = peer("nginx") else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (good, busy, gone) = (free_address(), free_address(), free_address());
    let page = "0123456789abcde\n".repeat(256 * 1024);
    fs::write(path("page"), &page).unwrap();
    let config = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr; events {{}}
         http {{ access_log off; client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp};
         uwsgi_temp_path {tmp}; scgi_temp_path {tmp}; root {root}; default_type text/plain;
         server {{ listen {good};
         location /seen {{ return 200 \"$host $http_x_forwarded_for $http_forwarded $http_connection\"; }} }}
         server {{ listen {busy}; return 503; }} }}",
        pid = path("pid"),
        tmp = path("tmp"),
        root = dir.path().display(),
    );
    fs::write(path("conf"), config).unwrap();
    let _server = Running::start(Command::new(nginx).args(["-e", "stderr", "-c", &path("conf")]));
    for address in [good, busy] {
        until_bound("tcp", &address.to_string());
    }
    let runtime = Runtime::new().unwrap();
    let backends = [good, busy, gone].map(|address| format!("http://{address}"));
    let url = front(&runtime, ReverseProxy::new(backends).unwrap());
    runtime.block_on(async {
        let client = Client::new();
        let text = async |path: &str| {
            let response = client.get(&format!("{url}{path}")).await.unwrap();
            assert_eq!(response.status(), 200, "{response:?}");
            response.into_body().text(page.len()).await.unwrap()
        };
        for _ in 0..8 {
            assert!(text("/page").await == page);
            assert_eq!(
                text("/seen").await,
                "127.0.0.1 127.0.0.1 for=127.0.0.1;host=\"HOST\";proto=http "
                    .replace("HOST", url.strip_prefix("http://").unwrap())
            );
        }
        let part =
            Request::get(format!("{url}/page")).header("range", "bytes=16-19").body(Body::empty()).unwrap();
        let response = client.send(part).await.unwrap();
        assert_eq!(response.status(), 206);
        assert_eq!(response.into_body().text(99).await.unwrap(), "0123");
        let response = client.get(&format!("{url}/missing")).await.unwrap();
        assert_eq!(response.status(), 404);
    });
}
