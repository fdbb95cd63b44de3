//! A UDP socket whose send buffer is full, in a network namespace where the wire is as slow as needed.

mod namespace;

use std::future::poll_fn;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::pin::Pin;
use std::process::Command;
use std::time::Duration;

use landline::{Conn, Dialer};
use tokio::io::AsyncWrite;
use tokio::time::{Instant, sleep};

/// 8 kbit a second on loopback, whose queue holds more than any send buffer.
const SLOW: &[&str] =
    &["qdisc", "add", "dev", "lo", "root", "tbf", "rate", "8kbit", "burst", "2kb", "limit", "16mb"];
const FAST: &[&str] = &["qdisc", "del", "dev", "lo", "root"];

fn traffic_control(arguments: &[&str]) {
    assert!(Command::new("tc").args(arguments).status().unwrap().success(), "tc {arguments:?}");
}

/// Polls a write until it is done; how often, and how it ended.
async fn write_counting(mut conn: &Conn, datagram: &[u8], polls: &mut u32) -> std::io::Result<usize> {
    poll_fn(|cx| {
        *polls += 1;
        Pin::new(&mut conn).poll_write(cx, datagram)
    })
    .await
}

/// The reactor believes for good that such a socket is writable.
#[test]
fn a_full_socket_that_had_an_icmp_error_is_not_polled_without_end() {
    let name = "a_full_socket_that_had_an_icmp_error_is_not_polled_without_end";
    // Tried beforehand, since a kernel may lack it.
    let prepare = "tc qdisc add dev lo root tbf rate 8kbit burst 2kb limit 16mb && tc qdisc del dev lo root";
    if !namespace::inside(name, prepare) {
        return;
    }
    namespace::block_on(async {
        let place = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = place.local_addr().unwrap();
        drop(place);
        let conn = Dialer::new().dial("udp", &address.to_string()).await.unwrap();
        conn.write_all(b"anybody?").await.unwrap();
        let refused = conn.read(&mut [0; 16]).await.unwrap_err();
        assert!(refused.is_connection_refused(), "{refused}");

        let _peer = UdpSocket::bind(address).unwrap();
        traffic_control(SLOW);
        let datagram = [7; 1000];
        // Full when a write has not gone through for as long as the wire needs for a tenth of a datagram.
        let mut polls = 0;
        loop {
            let write = write_counting(&conn, &datagram, &mut polls);
            match tokio::time::timeout(Duration::from_millis(100), write).await {
                Ok(written) => assert_eq!(written.unwrap(), datagram.len()),
                Err(_) => break,
            }
        }
        polls = 0;
        let began = Instant::now();
        let write = write_counting(&conn, &datagram, &mut polls);
        let _ = tokio::time::timeout(Duration::from_millis(300), write).await;
        let most = 2 * began.elapsed().as_millis() + 50;
        assert!(u128::from(polls) < most, "polled {polls} times in {:?}", began.elapsed());

        // It hears of deadlines and of room.
        conn.set_write_deadline(Instant::now() + Duration::from_millis(20));
        let late = write_counting(&conn, &datagram, &mut polls).await.unwrap_err();
        assert_eq!(late.kind(), ErrorKind::TimedOut, "{late}");
        conn.set_write_deadline(None);
        let room = async {
            sleep(Duration::from_millis(20)).await;
            traffic_control(FAST);
        };
        let (written, ()) = tokio::join!(write_counting(&conn, &datagram, &mut polls), room);
        assert_eq!(written.unwrap(), datagram.len());
    });
}
