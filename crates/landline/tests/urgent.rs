//! Urgent data, which stops a read before it (tcp(7), unix(7)).

use std::time::Duration;

use landline::{Conn, Server, UnixConn, UnixKind};
use rustix::net::{SendFlags, send};
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Sends bytes before and behind an urgent one, and reads them when all have arrived.
async fn read_past_urgent_data(sender: Conn, receiver: Conn, polled: bool) {
    let fd = sender.as_fd().unwrap();
    receiver.set_read_deadline(Instant::now() + Duration::from_secs(10));
    for _ in 0..3 {
        send(fd, b"before", SendFlags::empty()).unwrap();
        send(fd, b"!", SendFlags::OOB).unwrap();
        send(fd, b"behind", SendFlags::empty()).unwrap();
        let mut text = Vec::new();
        while !text.ends_with(b"behind") {
            let mut buffer = [0; 64];
            let count = match polled {
                true => AsyncReadExt::read(&mut &receiver, &mut buffer).await.unwrap(),
                false => receiver.read(&mut buffer).await.unwrap(),
            };
            text.extend_from_slice(&buffer[..count]);
        }
        assert!(text.starts_with(b"before"));
    }
}

#[tokio::test]
async fn what_follows_urgent_data_is_read_without_waiting_for_more() {
    for polled in [false, true] {
        let listener = landline::listen("tcp", "127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, receiver) =
            tokio::try_join!(landline::dial("tcp", &address), listener.accept()).unwrap();
        read_past_urgent_data(sender, receiver, polled).await;
        let (sender, receiver) = UnixConn::pair(UnixKind::Stream).unwrap();
        read_past_urgent_data(sender.into(), receiver.into(), polled).await;
    }
}

#[tokio::test]
async fn a_conn_that_the_reactor_does_not_know_yet_is_read_past_urgent_data_too() {
    for polled in [false, true] {
        let (conns, mut served) = mpsc::unbounded_channel();
        let handler = move |conn| {
            let _ = conns.send(conn);
            std::future::pending::<()>()
        };
        let serving = Server::new().serve_here("tcp", "127.0.0.1:0", handler).await.unwrap();
        let sender = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
        let receiver = served.recv().await.unwrap();
        read_past_urgent_data(sender, receiver, polled).await;
    }
}
