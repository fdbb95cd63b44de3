//! A server with methods to test with.

#![allow(dead_code)] // Each test uses some of it.

mod gate;

use std::sync::Arc;
use std::time::Duration;

use landline::Serving;
use landline_rpc::codec::Codec;
use landline_rpc::{Client, Error, Server, Wire};
use serde::{Deserialize, Serialize};

pub(crate) use gate::Gate;

/// As long as a loaded machine may need.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Args {
    #[serde(default)]
    pub(crate) a: i64,
    #[serde(default)]
    pub(crate) b: i64,
}

pub(crate) fn args(a: i64, b: i64) -> Args {
    Args { a, b }
}

pub(crate) fn server() -> (Server, Arc<Gate>) {
    server_with(Wire::Gob)
}

pub(crate) fn server_with<C: Codec>(codec: C) -> (Server<C>, Arc<Gate>) {
    let gate = Arc::new(Gate::default());
    let server = Server::with_codec(codec)
        .register("Arith.Multiply", |args: Args| async move { Ok::<_, Error>(args.a * args.b) })
        .and_then(|server| {
            server.register("Arith.Divide", |args: Args| async move {
                args.a.checked_div(args.b).ok_or("divide by zero")
            })
        })
        .and_then(|server| {
            server.register("Arith.Panic", |args: Args| async move {
                assert!(args.a < 0, "{} is not negative", args.a);
                Ok::<i64, Error>(args.a)
            })
        })
        .and_then(|server| server.register("Text.Echo", |text: String| async move { Ok::<_, Error>(text) }))
        .and_then(|server| server.register("Text.Nothing", |(): ()| async move { Ok::<(), Error>(()) }))
        .and_then(|server| {
            server.register("Text.Silent", |(): ()| async move { Err::<(), _>(String::new()) })
        })
        .and_then(|server| server.register_on(&gate, "Gate.Wait", Gate::wait))
        .expect("the names are good");
    (server, gate)
}

/// Serves on one core until the `Serving` is dropped, and a client of that.
pub(crate) async fn pair(server: &Server) -> (Serving, Client) {
    let serving = serve(server).await;
    let client = Client::dial("tcp", &serving.local_addr().to_string()).await.expect("it listens");
    (serving, client)
}

pub(crate) async fn serve<C: Codec>(server: &Server<C>) -> Serving {
    let transport = landline::Server::new().workers(1);
    server.serve_with(&transport, "tcp", "127.0.0.1:0").await.expect("there is a free port")
}
