//! Descriptors taken over and given away.

use std::os::fd::{AsFd, OwnedFd};

use landline::{Conn, pipe};
use rustix::io::FdFlags;

async fn connected(network: &str) -> (Conn, Conn) {
    let address = match network {
        "unix" | "unixpacket" => format!("@landline-convert-{network}-{}", std::process::id()),
        _ => "127.0.0.1:0".to_owned(),
    };
    let listener = landline::listen(network, &address).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::try_join!(landline::dial(network, &address), listener.accept()).unwrap()
}

#[tokio::test]
async fn conns_go_through_a_descriptor_and_stay_what_they_were() {
    for network in ["tcp", "unix", "unixpacket"] {
        let (left, right) = connected(network).await;
        let (before, local) = (left.network(), left.local_addr().unwrap());
        let fd = left.into_owned_fd().unwrap();
        assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        let left = Conn::from_owned_fd(fd).unwrap();
        assert_eq!((left.network(), left.local_addr().unwrap()), (before, local));
        left.write_all(b"still here").await.unwrap();
        assert_eq!(right.read(&mut [0; 16]).await.unwrap(), 10);
    }
    let server = landline::listen_packet("udp", "127.0.0.1:0").await.unwrap();
    let conn = landline::dial("udp", &server.local_addr().unwrap().to_string()).await.unwrap();
    let conn = Conn::from_owned_fd(conn.into_owned_fd().unwrap()).unwrap();
    assert_eq!(conn.peer_addr().unwrap(), server.local_addr().unwrap());
    assert!(conn.as_udp().is_some());
}

#[tokio::test]
async fn descriptors_that_are_no_conns_are_refused() {
    let (reader, _writer) = std::io::pipe().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let unix = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::STREAM, None);
    for (fd, message) in [
        (OwnedFd::from(reader), "dial: socket operation on non-socket"),
        (listener.into(), "dial tcp: transport endpoint is not connected"),
        (unix.unwrap(), "dial unix: transport endpoint is not connected"),
    ] {
        assert_eq!(Conn::from_owned_fd(fd).unwrap_err().to_string(), message);
    }
}

#[tokio::test]
async fn what_has_no_descriptor_gives_none() {
    let (left, _right) = pipe();
    assert!(Conn::from(left).into_owned_fd().is_err());
    let (left, _right) = connected("tcp").await;
    left.close().unwrap();
    assert!(left.into_owned_fd().unwrap_err().is_closed());
}

#[tokio::test]
async fn a_copy_of_the_descriptor_keeps_the_socket_open() {
    let (left, right) = connected("tcp").await;
    let copy = left.as_fd().unwrap().as_fd().try_clone_to_owned().unwrap();
    left.close().unwrap();
    rustix::net::send(&copy, b"through the copy", rustix::net::SendFlags::empty()).unwrap();
    assert_eq!(right.read(&mut [0; 32]).await.unwrap(), 16);
}
