//! Conns and listeners of every kind, left in the midst of what they were doing, leave nothing behind. In a program of its
//! own, because what is counted is the process's.

use std::future::poll_fn;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use conntest::leak::LeakCheck;
use futures_util::StreamExt;
use landline::{Conn, Context, Dialer, IpConn, ListenConfig, UdpConn, UnixConn, UnixKind};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

const ROUNDS: usize = 200;
const FAR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_left_in_mid_call_leaves_nothing() {
    // What a process starts once and keeps is started here.
    round(0).await;
    let check = LeakCheck::begin();
    for number in 0..ROUNDS {
        round(number).await;
    }
    check.end().await;
}

async fn round(number: usize) {
    for (network, address) in [("tcp", "127.0.0.1:0"), ("unix", ""), ("unixpacket", "")] {
        let listener = ListenConfig::new().listen(network, address).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        waits(listener.accept()).await;
        let near = Dialer::new().dial(network, &address).await.unwrap();
        let far = listener.accept().await.unwrap();
        leave(near, far, number).await;
        let mut incoming = listener.into_incoming();
        waits(incoming.next()).await;
        // A conn that nobody accepts.
        drop(Dialer::new().dial(network, &address).await.unwrap());
    }
    let (near, far) = landline::pipe();
    leave(near.into(), far.into(), number).await;
    for kind in [UnixKind::Stream, UnixKind::Datagram, UnixKind::Seqpacket] {
        let (near, far) = UnixConn::pair(kind).unwrap();
        // Two descriptors, of which there is room for one.
        let passed = [near.as_fd(), far.as_fd()];
        near.send_msg(b"two", &passed, None).await.unwrap();
        let message = far.recv_msg(&mut [0; 8], 1).await.unwrap();
        assert!(message.descriptors.len() <= 1);
        // And one that nobody receives.
        near.send_msg(b"one", &passed[..1], None).await.unwrap();
        leave(near.into(), far.into(), number).await;
    }
    let udp = || UdpConn::from_std(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    leave(udp().into(), udp().into(), number).await;
    waits(udp().into_batched().unwrap().recv_batch(&mut landline::RecvBatch::new())).await;
    if let Ok(ping) = IpConn::ping("127.0.0.1".parse().unwrap()) {
        leave(ping.into(), udp().into(), number).await;
    }
}

/// Leaves two conns as something waits on them: by a call, by a poll, with a deadline, in a context.
async fn leave(near: Conn, far: Conn, number: usize) {
    let context = Context::background().with_timeout(FAR);
    for conn in [&near, &far] {
        conn.set_deadline(Instant::now() + FAR);
        conn.bind_context(&context);
        let mut buffer = [0; 64];
        let mut waiting = 0;
        // What came before is taken first.
        while waiting < 2 {
            let mut read = pin!(conn.read(&mut buffer));
            match poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
                Poll::Ready(_) => {}
                Poll::Pending => waiting += 1,
            }
        }
        let mut polled = conn;
        poll_fn(|cx| {
            let read = Pin::new(&mut polled).poll_read(cx, &mut ReadBuf::new(&mut [0; 64]));
            assert!(read.is_pending());
            Poll::Ready(())
        })
        .await;
    }
    match number % 4 {
        0 => drop((near, far)),
        1 => {
            near.close().unwrap();
            drop(far.into_split());
        }
        2 => {
            context.cancel();
            assert!(far.read(&mut [0; 1]).await.unwrap_err().is_canceled());
        }
        _ => {
            let waiting = tokio::spawn(async move { far.read(&mut [0; 1]).await });
            drop(near);
            waiting.abort();
            let _ = waiting.await;
        }
    }
}

/// Polls once, to see it wait, and drops it.
async fn waits<T>(call: impl Future<Output = T>) {
    let mut call = pin!(call);
    assert!(poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_pending())).await);
}
