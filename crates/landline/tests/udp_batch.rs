//! UDP in batches, on loopback.

use std::net::SocketAddr;
use std::time::Duration;

use landline::{Ecn, RecvBatch, SendBatch, UdpBatchConn};
use tokio::time::Instant;

async fn batched(address: &str) -> UdpBatchConn {
    let conn = landline::listen_packet("udp", address).await.unwrap().into_udp().unwrap();
    conn.set_recv_buffer_size(1 << 20).unwrap();
    conn.set_read_deadline(Instant::now() + Duration::from_secs(10));
    conn.into_batched().unwrap()
}

/// So many datagrams, one by one.
async fn receive(conn: &UdpBatchConn, count: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let mut batch = RecvBatch::new();
    assert!(batch.is_empty());
    let mut received = Vec::new();
    while received.len() < count {
        let more = conn.recv_batch(&mut batch).await.unwrap();
        assert!(more > 0 && more == batch.len());
        received.extend(batch.datagrams().map(|datagram| (datagram.bytes.to_vec(), datagram.from)));
    }
    received
}

#[tokio::test]
async fn batches_arrive_as_the_datagrams_they_were_of_either_family() {
    for (address, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1")] {
        let (receiver, sender) = (batched(address).await, batched(address).await);
        let to = SocketAddr::new(to.parse().unwrap(), receiver.local_addr().unwrap().port());
        let from = SocketAddr::new(to.ip(), sender.local_addr().unwrap().port());
        // More than one call can take, and a last one that is shorter.
        let contents: Vec<u8> = (0..150_500_u32).map(|number| (number / 1000) as u8).collect();
        sender.send_batch(&SendBatch::new(&contents, 1000).to(to)).await.unwrap();
        let received = receive(&receiver, 151).await;
        let expected: Vec<_> = contents.chunks(1000).map(|chunk| (chunk.to_vec(), from)).collect();
        assert!(received == expected, "{address}");
    }
}

#[tokio::test]
async fn empty_and_single_and_largest_datagrams_are_batches_too() {
    let receiver = batched("127.0.0.1:0").await;
    let sender = landline::dial("udp", &receiver.local_addr().unwrap().to_string()).await.unwrap();
    let sender = sender.into_udp().unwrap().into_batched().unwrap();
    assert_eq!(sender.peer_addr().unwrap(), receiver.local_addr().unwrap());
    sender.send_batch(&SendBatch::new(b"", 100)).await.unwrap();
    sender.send_batch(&SendBatch::new(b"one", 100)).await.unwrap();
    sender.send_batch(&SendBatch::new(&[7; 65_507], 65_507)).await.unwrap();
    let lengths: Vec<usize> = receive(&receiver, 3).await.iter().map(|(bytes, _)| bytes.len()).collect();
    assert_eq!(lengths, [0, 3, 65_507]);

    let error = sender.send_batch(&SendBatch::new(&[7; 65_508], 65_508)).await.unwrap_err();
    assert!(error.to_string().ends_with(": message too long"), "{error}");
    let error = sender.send_batch(&SendBatch::new(b"x", 0)).await.unwrap_err();
    assert!(error.to_string().ends_with(": invalid argument"), "{error}");
    let error = receiver.send_batch(&SendBatch::new(b"to whom?", 100)).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotConnected);
}

#[tokio::test]
async fn datagrams_tell_where_they_were_sent_to_and_of_congestion() {
    let (receiver, sender) = (batched("0.0.0.0:0").await, batched("0.0.0.0:0").await);
    let to = SocketAddr::from(([127, 0, 0, 3], receiver.local_addr().unwrap().port()));
    let from = "127.0.0.4".parse().unwrap();
    let mut batch = RecvBatch::with_buffers(1);
    for ecn in [Ecn::NotEct, Ecn::Ect0, Ecn::Ect1, Ecn::Ce] {
        let send = SendBatch::new(b"four", 4).to(to).from_local(from).ecn(ecn);
        sender.send_batch(&send).await.unwrap();
        assert_eq!(receiver.recv_batch(&mut batch).await.unwrap(), 1);
        let datagram = batch.datagrams().next().unwrap();
        assert_eq!((datagram.from.ip(), datagram.local, datagram.ecn), (from, Some(to.ip()), ecn));
        assert_eq!(datagram.interface, Some(1));
    }
}

#[tokio::test]
async fn a_close_or_deadline_ends_a_waiting_receive() {
    let conn = batched("127.0.0.1:0").await;
    let mut batch = RecvBatch::new();
    conn.set_read_deadline(Instant::now() + Duration::from_millis(5));
    assert!(conn.recv_batch(&mut batch).await.unwrap_err().is_timeout());
    conn.set_deadline(None);
    let (received, closed) = tokio::join!(conn.recv_batch(&mut batch), async {
        tokio::task::yield_now().await;
        conn.close()
    });
    closed.unwrap();
    assert!(received.unwrap_err().is_closed());
    assert!(conn.send_batch(&SendBatch::new(b"x", 1)).await.is_err());
}
