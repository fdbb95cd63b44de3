//! Conns to copy between, each with its far end, which is no work of landline's where that can be.

use std::time::Duration;

use landline::{Dialer, ListenConfig, Pipe, SharedStream, TcpConn, UnixConn};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::server;

use crate::adapter::tls::Tls;

/// Only what hangs takes so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// More than all buffers on the way hold, and no multiple of any of them.
pub(crate) const BULK: usize = 12_345_678;

pub(crate) trait FarStream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> FarStream for T {}
pub(crate) type Far = Box<dyn FarStream>;

pub(crate) async fn tcp() -> (TcpConn, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (near, far) = tokio::join!(async { Dialer::new().dial_tcp(&address).await.unwrap() }, async {
        listener.accept().await.unwrap().0
    });
    far.set_nodelay(true).unwrap();
    (near, far)
}

/// Both ends landline's.
pub(crate) async fn tcp_conns() -> (TcpConn, TcpConn) {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let dialer = Dialer::new();
    tokio::try_join!(dialer.dial_tcp(&address), listener.accept()).unwrap()
}

pub(crate) fn unix() -> (UnixConn, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    (UnixConn::from_tokio(near).unwrap(), far)
}

pub(crate) fn pipe() -> (Pipe, Pipe) {
    landline::pipe()
}

/// TLS over TCP, the near end on a conn of landline's.
pub(crate) async fn tls() -> (SharedStream<server::TlsStream<TcpConn>>, Far) {
    let (near, far) = tcp().await;
    let (far, near) = Tls::new().wrap((far, near)).await;
    (SharedStream::new(near), Box::new(far))
}

/// Bytes that tell from each other where they are.
pub(crate) fn pattern(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()
    });
    // Of a prime length, which no buffer's is a multiple of.
    let block: Vec<u8> = words.flatten().take(len.min(65_521)).collect();
    let mut bytes = block.repeat(len / block.len().max(1) + 1);
    bytes.truncate(len);
    bytes
}

/// Fails the test when it takes longer than anything should.
pub(crate) async fn soon<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("it does not hang")
}

/// Writes it all in pieces of this size, and ends the stream.
pub(crate) async fn say(mut far: impl AsyncWrite + Unpin, bytes: &[u8], piece: usize) {
    for piece in bytes.chunks(piece) {
        far.write_all(piece).await.unwrap();
        far.flush().await.unwrap();
    }
    far.shutdown().await.unwrap();
}

/// Reads to the end.
pub(crate) async fn hear(mut far: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut heard = Vec::new();
    far.read_to_end(&mut heard).await.unwrap();
    heard
}

/// Without printing twelve million bytes.
#[track_caller]
pub(crate) fn assert_same(heard: &[u8], said: &[u8]) {
    assert_eq!(heard.len(), said.len());
    if heard != said {
        let differs = heard.iter().zip(said).position(|(heard, said)| heard != said);
        assert_eq!(differs, None, "the first byte that is another");
    }
}
