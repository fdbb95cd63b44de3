//! Ours: `landline_rpc::Server`, on one core as all peers.

use std::io;

use landline_rpc::Server;
use tokio::runtime::Builder;

use super::Args;

pub(crate) fn serve() -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let server = Server::new()
            .register("Arith.Multiply", |args: Args| async move { Ok::<_, String>(args.a * args.b) })
            .map_err(io::Error::other)?;
        let transport = landline::Server::new().workers(1);
        let serving = server.serve_with(&transport, "tcp", "127.0.0.1:0").await?;
        println!("listening {}", serving.local_addr());
        serving.wait().await?;
        Ok(())
    })
}
