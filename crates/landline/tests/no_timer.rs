//! Without a deadline nothing looks at the clock: all of it runs in a runtime that has none.

use std::time::Duration;

use landline::{Conn, Dialer, ListenConfig, UdpConn, UnixConn, UnixKind};
use tokio::runtime::Builder;

/// No `enable_time`: a timer would panic.
fn without_a_clock(test: impl Future<Output = ()>) {
    Builder::new_current_thread().enable_io().build().unwrap().block_on(test);
}

/// More than the sockets hold, so that both ends wait again and again.
const MUCH: usize = 16 << 20;

async fn converse(near: &Conn, far: &Conn) {
    let much = vec![7; MUCH];
    let read = async {
        let (mut total, mut buffer) = (0, vec![0; 64 << 10]);
        while total < MUCH {
            total += far.read(&mut buffer).await.unwrap();
        }
        far.write_all(b"thanks").await.unwrap();
    };
    let write = async {
        near.write_all(&much).await.unwrap();
        assert_eq!(near.read(&mut [0; 16]).await.unwrap(), 6);
    };
    tokio::join!(read, write);
    near.close().unwrap();
    assert_eq!(far.read(&mut [0; 1]).await.unwrap(), 0);
}

#[test]
fn dials_accepts_reads_and_writes_arm_no_timer() {
    without_a_clock(async {
        for (network, address) in [("tcp", "127.0.0.1:0"), ("unix", ""), ("unixpacket", "")] {
            let listener = ListenConfig::new().listen(network, address).await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let dialer = Dialer::new();
            let (near, far) = tokio::join!(dialer.dial(network, &address), listener.accept());
            let (near, far) = (near.unwrap(), far.unwrap());
            match network {
                "unixpacket" => {
                    near.write_all(b"message").await.unwrap();
                    assert_eq!(far.read(&mut [0; 16]).await.unwrap(), 7);
                }
                _ => converse(&near, &far).await,
            }
        }
        let (near, far) = UnixConn::pair(UnixKind::Stream).unwrap();
        converse(&near.into(), &far.into()).await;
        let (near, far) = landline::pipe();
        converse(&near.into(), &far.into()).await;
        let udp = UdpConn::from_std(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        let here = udp.local_addr().unwrap();
        let (received, sent) =
            tokio::join!(async { udp.recv_from(&mut [0; 4]).await }, udp.send_to(b"x", here));
        assert_eq!((received.unwrap().len, sent.unwrap()), (1, 1));
    });
}

/// That a timer would have been noticed.
#[test]
#[should_panic(expected = "timer")]
fn a_deadline_arms_one() {
    without_a_clock(async {
        let (near, _far) = UnixConn::pair(UnixKind::Stream).unwrap();
        near.set_read_deadline(tokio::time::Instant::now() + Duration::from_secs(60));
        let _ = near.read(&mut [0; 1]).await;
    });
}
