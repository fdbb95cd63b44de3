//! The peer: tarpc with its own transport, as its documentation has it, on one thread.

use std::io;

use futures_util::StreamExt as _;
use tarpc::{
    context,
    server::{BaseChannel, Channel as _},
    tokio_serde::formats::Bincode,
    tokio_util::codec::{Framed, LengthDelimitedCodec},
};
use tokio::{net::TcpListener, runtime::Builder};

#[tarpc::service]
pub(super) trait Arith {
    async fn multiply(a: i64, b: i64) -> i64;
}

#[derive(Clone)]
struct Service;

impl Arith for Service {
    async fn multiply(self, _: context::Context, a: i64, b: i64) -> i64 {
        a * b
    }
}

pub(crate) fn serve() -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("listening {}", listener.local_addr()?);
        loop {
            let (conn, _) = listener.accept().await?;
            conn.set_nodelay(true)?;
            let framed = Framed::new(conn, LengthDelimitedCodec::new());
            let transport = tarpc::serde_transport::new(framed, Bincode::default());
            let channel = BaseChannel::with_defaults(transport);
            tokio::spawn(channel.execute(Service.serve()).for_each(|response| async move {
                tokio::spawn(response);
            }));
        }
    })
}
