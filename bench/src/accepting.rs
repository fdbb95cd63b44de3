//! What the peers on landline share that accept by hand: `listen` and `accept`, and a task for each conn.

use std::io;

use landline::Conn;

/// Accepts without end.
pub(crate) async fn serve<Handling>(handle: impl Fn(Conn) -> Handling + Send) -> io::Result<()>
where
    Handling: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = landline::listen("tcp", "127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        // A conn that ends in an error ends; the load sees it.
        drop(tokio::spawn(handle(listener.accept().await?)));
    }
}
