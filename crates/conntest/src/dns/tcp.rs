//! Serves over TCP: each message with its length in two bytes before it (RFC 1035 section 4.2.2).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Duration, sleep};

use super::query::{Query, Transport};
use super::reply::Pace;
use super::script::{Connection, Delivery};
use super::server::Shared;
use crate::loopback::breathe;

pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    number += 1;
                    let shared = shared.clone();
                    connections.spawn(async move {
                        // A client may go at any time; that ends its connection, and nothing else.
                        let _ = converse(stream, from, number, shared).await;
                    });
                }
                Err(_) => breathe().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Reads queries, also while earlier ones wait for their answers, until the client or the script ends it.
async fn converse(
    stream: TcpStream,
    from: SocketAddr,
    connection: u64,
    shared: Arc<Shared>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reads, writes) = stream.into_split();
    let writes = Arc::new(Mutex::new(writes));
    let mut replies = JoinSet::new();
    // Kept from one turn to the next: half a message must not be lost because a reply was finished meanwhile.
    let mut reading = Some(Box::pin(next_message(reads)));
    // When the client has said all, it still gets its answers (RFC 7766 section 6.2.4).
    while reading.is_some() || !replies.is_empty() {
        let next = async {
            match &mut reading {
                Some(reading) => reading.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = next => {
                reading = None;
                if let Some((raw, reads)) = read? {
                    let query = Query::read(&raw, from, Transport::Tcp, Some(connection));
                    if let Some((number, deliveries)) = shared.decide(&raw, query) {
                        let due = deliveries.iter().all(Delivery::is_due);
                        let work = deliver(writes.clone(), number, deliveries, shared.clone());
                        if !due {
                            replies.spawn(work);
                        } else if work.await? == Connection::Closed {
                            return Ok(());
                        }
                    }
                    reading = Some(Box::pin(next_message(reads)));
                }
            }
            Some(done) = replies.join_next() => {
                if matches!(done, Ok(Ok(Connection::Closed)) | Ok(Err(_))) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The next message, and the half to read on from; `None` at the end.
async fn next_message(mut reads: OwnedReadHalf) -> io::Result<Option<(Vec<u8>, OwnedReadHalf)>> {
    let length = match reads.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut raw = vec![0; length.into()];
    reads.read_exact(&mut raw).await?;
    Ok(Some((raw, reads)))
}

async fn deliver(
    writes: Arc<Mutex<OwnedWriteHalf>>,
    number: u64,
    deliveries: Vec<Delivery>,
    shared: Arc<Shared>,
) -> io::Result<Connection> {
    for delivery in deliveries {
        shared.due(&delivery).await;
        // Held for the whole message, so that no other is mixed into it.
        let mut writes = writes.lock().await;
        match delivery.pace {
            Pace::Whole => writes.write_all(&delivery.bytes).await?,
            Pace::ByteByByte => {
                for byte in &delivery.bytes {
                    writes.write_all(&[*byte]).await?;
                    sleep(Duration::from_millis(1)).await;
                }
            }
        }
        if delivery.connection == Connection::Closed {
            return Ok(Connection::Closed);
        }
    }
    shared.done(number);
    Ok(Connection::Kept)
}
