//! The public face: every name that programs outside rely on, spelled as they spell it, and what of it can go to other
//! threads. Most of this is shown by compiling.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use futures_util::StreamExt;
use landline::explain::{self, Report};
use landline::resolve::{self, Config};
use landline::{
    Addr, Conn, Context, Dialer, Error, Family, IpConn, KeepAlive, ListenConfig, Listener, Lookup, Mx,
    Network, PacketConn, Pipe, Race, Resolver, Result, ScopedIp, Srv, Svcb, TcpConn, TcpInfo, Txt, UdpConn,
    UnixAddr, UnixConn,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test]
async fn the_front_door() -> Result<()> {
    let listener: Listener = landline::listen("tcp", "127.0.0.1:0").await?;
    let address: Addr = listener.local_addr()?;
    let conn: Conn = landline::dial("tcp", &address.to_string()).await?;
    let accepted: Conn = listener.accept().await?;
    conn.write_all(b"x").await?;
    assert_eq!(accepted.read(&mut [0; 2]).await?, 1);
    let packets: PacketConn = landline::listen_packet("udp", "127.0.0.1:0").await?;
    let to: Addr = packets.local_addr()?;
    packets.send_to(b"x", &to).await?;
    assert_eq!(packets.recv_from(&mut [0; 2]).await?.from, to);
    // A network by its name or as a value.
    landline::dial(Network::Tcp(Family::V4), &address.to_string()).await?;
    landline::dial(String::from("tcp4"), &address.to_string()).await?;
    Ok(())
}

#[tokio::test]
async fn a_dialer_and_all_its_settings() -> Result<()> {
    let listener = landline::listen("tcp", "127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let hook = |_: Network, _: &Addr, _: BorrowedFd<'_>| -> io::Result<()> { Ok(()) };
    let dialer: Dialer = Dialer::new()
        .timeout(Duration::from_secs(30))
        .deadline(Instant::now() + Duration::from_secs(30))
        .local_addr("127.0.0.1:0".parse::<SocketAddr>().expect("an address"))
        .race(Race::After(Duration::from_millis(250)))
        .race(Race::Off)
        .resolution_delay(Duration::from_millis(50))
        .keep_alive(KeepAlive::Off)
        .keep_alive(KeepAlive::Custom {
            idle: Some(Duration::from_secs(15)),
            interval: Some(Duration::from_secs(15)),
            count: Some(9),
        })
        .keep_alive(KeepAlive::Default)
        .resolver(Resolver::system())
        .https_hints(false)
        .control(hook)
        .sink(|_: &explain::Event| {})
        .mptcp(false)
        .fast_open(false);
    let conn: Conn = dialer.dial("tcp", &address).await?;
    drop(conn);
    let conn: Conn = dialer.clone().dial_in(&Context::background(), "tcp", &address).await?;
    drop(conn);
    let conn: TcpConn = dialer.dial_tcp(&address).await?;
    drop(conn);
    let (conn, report): (Result<Conn>, Report) = dialer.explain("tcp", &address).await;
    conn?;
    assert!(!report.events().is_empty());
    let (conn, _): (Result<Conn>, Report) = dialer.explain_in(&Context::background(), "tcp", &address).await;
    conn?;
    let udp: UdpConn = Dialer::new().dial_udp(&address).await?;
    drop(udp);
    let _named = Dialer::new().interface("lo").mark(1);
    let unix: Result<UnixConn> = Dialer::new().dial_unix("@landline-api-nobody").await;
    assert!(unix.unwrap_err().is_connection_refused());
    let ip: Result<IpConn> = Dialer::new().dial_ip("ip4:icmp", "127.0.0.1").await;
    if let Err(error) = ip {
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_listen_config_and_all_its_settings() -> Result<()> {
    let hook = |_: Network, _: &Addr, _: BorrowedFd<'_>| -> io::Result<()> { Ok(()) };
    let config: ListenConfig = ListenConfig::new()
        .backlog(16)
        .reuse_port(true)
        .keep_alive(KeepAlive::Default)
        .mptcp(false)
        .resolver(Resolver::system())
        .control(hook);
    let listener: Listener = config.listen("tcp", "127.0.0.1:0").await?;
    let tcp: landline::TcpListener = config.listen_tcp("127.0.0.1:0").await?;
    let unix: landline::UnixListener = ListenConfig::new().listen_unix("").await?;
    let packets: PacketConn = config.listen_packet("udp", "127.0.0.1:0").await?;
    drop((tcp, unix, packets));
    let dial = landline::dial("tcp", &listener.local_addr()?.to_string()).await?;
    let mut incoming = listener.into_incoming();
    let accepted: Option<Result<Conn>> = incoming.next().await;
    drop((dial, accepted));
    Ok(())
}

/// What every stream conn offers.
macro_rules! use_stream {
    ($conn:ty, $pair:expr) => {{
        let (a, b): ($conn, $conn) = $pair;
        let budget = Context::background().with_timeout(Duration::from_secs(30));
        a.bind_context(&budget);
        a.set_deadline(Instant::now() + Duration::from_secs(30));
        a.set_deadline(Some(Instant::now() + Duration::from_secs(30)));
        a.set_read_deadline(None);
        a.set_write_deadline(None);
        assert_eq!(a.local_addr()?, b.peer_addr()?);
        assert_eq!(a.write(b"12").await?, 2);
        assert_eq!(a.write_vectored(&[io::IoSlice::new(b"3")]).await?, 1);
        a.write_all(b"45").await?;
        a.write_all_vectored(&mut [io::IoSlice::new(b"6"), io::IoSlice::new(b"7")]).await?;
        a.close_write()?;
        let mut all = Vec::new();
        let mut buffer = [0; 16];
        loop {
            match b.read(&mut buffer).await? {
                0 => break,
                count => all.extend_from_slice(&buffer[..count]),
            }
        }
        assert_eq!(all, b"1234567");
        // By shared reference, and by value.
        AsyncWriteExt::write_all(&mut &b, b"back").await.expect("AsyncWrite for &T");
        let mut four = [0; 4];
        (&a).read_exact(&mut four).await.expect("AsyncRead for &T");
        assert_eq!(&four, b"back");
        b.close_read()?;
        let (reader, writer) = b.into_split();
        let mut whole: $conn = reader.reunite(writer).expect("halves of one conn");
        AsyncWriteExt::write_all(&mut whole, b"!").await.expect("AsyncWrite for T");
        AsyncWriteExt::shutdown(&mut whole).await.expect("shutdown");
        let mut a = a;
        let mut end = String::new();
        AsyncReadExt::read_to_string(&mut a, &mut end).await.expect("AsyncRead for T");
        assert_eq!(end, "!");
        whole.close()?;
        assert!(whole.close().unwrap_err().is_closed());
        a
    }};
}

#[tokio::test]
async fn stream_conns() -> Result<()> {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let dialer = Dialer::new();
    let tcp = || async { tokio::try_join!(dialer.dial_tcp(&address), listener.accept()) };
    let conn = use_stream!(TcpConn, tcp().await?);
    let _: BorrowedFd<'_> = conn.as_fd();
    conn.set_nodelay(true)?;
    assert!(conn.nodelay()?);
    conn.set_linger(None)?;
    assert_eq!(conn.linger()?, None);
    conn.set_keep_alive(KeepAlive::Off)?;
    assert_eq!(conn.keep_alive()?, KeepAlive::Off);
    let _: TcpInfo = conn.tcp_info()?;
    let _: OwnedFd = conn.into_owned_fd()?;

    let (a, b) = tcp().await?;
    let conn = use_stream!(Conn, (Conn::from(a), Conn::from(b)));
    let _: Option<BorrowedFd<'_>> = conn.as_fd();
    let conn = use_stream!(UnixConn, UnixConn::pair(landline::UnixKind::Stream)?);
    let _: BorrowedFd<'_> = conn.as_fd();
    let conn = use_stream!(Pipe, landline::pipe());
    let none: Option<BorrowedFd<'_>> = conn.as_fd();
    assert!(none.is_none());
    Ok(())
}

#[tokio::test]
async fn message_conns() -> Result<()> {
    let udp = UdpConn::from_std(std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket"))?;
    let here = udp.local_addr()?;
    udp.send_to(b"x", here).await?;
    let received = udp.recv_from(&mut [0; 4]).await?;
    assert_eq!((received.len, received.from, received.truncated), (1, here, false));
    udp.send_msg(b"y", Some(here), &landline::Ancillary::new()).await?;
    udp.set_recv_ttl(true)?;
    let (received, _ancillary) = udp.recv_msg(&mut [0; 4]).await?;
    assert_eq!(received.len, 1);
    let batched: landline::UdpBatchConn = udp.into_batched()?;
    batched.send_batch(&landline::SendBatch::new(b"ababab", 2).to(here)).await?;
    let mut batch = landline::RecvBatch::new();
    assert!(batched.recv_batch(&mut batch).await? >= 1);

    let (a, b) = UnixConn::pair(landline::UnixKind::Datagram)?;
    a.send_msg(b"z", &[io::stdin().as_fd()], None).await?;
    let message: landline::UnixMessage = b.recv_msg(&mut [0; 4], 1).await?;
    assert_eq!(message.descriptors.len(), 1);
    let received: landline::Received<UnixAddr> = {
        a.write_all(b"w").await?;
        b.recv_from(&mut [0; 4]).await?
    };
    assert_eq!(received.len, 1);
    Ok(())
}

#[tokio::test]
async fn a_resolver_and_its_lookups() {
    let names = conntest::dns::Server::new().otherwise(conntest::dns::Reply::no_such_name()).start();
    let names = names.await.unwrap();
    let resolver = Resolver::new(Config::new().with_servers([names.addr()]));
    let _ = Resolver::system();
    let name = "nobody.example.";
    let ip: Result<Lookup<ScopedIp>> = resolver.lookup_ip(name).await;
    let host: Result<Lookup<String>> = resolver.lookup_host(name).await;
    let addr: Result<Lookup<String>> = resolver.lookup_addr("192.0.2.1").await;
    let cname: Result<Lookup<String>> = resolver.lookup_cname(name).await;
    let mx: Result<Lookup<Mx>> = resolver.lookup_mx(name).await;
    let ns: Result<Lookup<String>> = resolver.lookup_ns(name).await;
    let srv: Result<Lookup<Srv>> = resolver.lookup_srv("x", "tcp", name).await;
    let txt: Result<Lookup<Txt>> = resolver.lookup_txt(name).await;
    let https: Result<Lookup<Svcb>> = resolver.lookup_https(name).await;
    for error in [ip.err(), host.err(), addr.err(), cname.err(), mx.err(), ns.err(), srv.err(), txt.err()]
        .into_iter()
        .chain([https.err()])
    {
        assert!(error.expect("nobody is known").is_not_found());
    }
    assert_eq!(resolver.lookup_port("tcp", "https").await.unwrap(), 443);
}

#[tokio::test]
async fn a_server() -> Result<()> {
    let serving: landline::Serving = landline::Server::new()
        .workers(1)
        .max_conns(8)
        .serve("tcp", "127.0.0.1:0", |conn: Conn| async move {
            let mut byte = [0; 1];
            while let Ok(1) = conn.read(&mut byte).await {
                if conn.write_all(&byte).await.is_err() {
                    break;
                }
            }
        })
        .await?;
    let conn = landline::dial("tcp", &serving.local_addr().to_string()).await?;
    conn.write_all(b"x").await?;
    assert_eq!(conn.read(&mut [0; 2]).await?, 1);
    drop(conn);
    serving.shutdown(Duration::from_secs(30)).await;
    Ok(())
}

#[tokio::test]
async fn contexts_and_errors() {
    let root = Context::background();
    let (child, guard) = root.with_cancel();
    drop(guard);
    assert!(child.ended().is_some());
    let _ = root.with_timeout(Duration::from_secs(1));
    let _ = root.with_deadline(Instant::now() + Duration::from_secs(1));
    let because = root.with_cause("because");
    because.cancel();
    let error: Error = Dialer::new().dial_in(&because, "tcp", "127.0.0.1:1").await.unwrap_err();
    let predicates = [
        error.is_timeout(),
        error.is_canceled(),
        error.is_not_found(),
        error.is_closed(),
        error.is_connection_refused(),
    ];
    assert_eq!(predicates, [false, true, false, false, false], "{error}");
    assert!(error.to_string().ends_with("operation was canceled: because"), "{error}");
    let kind = error.kind();
    assert_eq!(io::Error::from(error).kind(), kind);
}

#[test]
fn values_can_go_anywhere() {
    fn value<T: Send + Sync + Unpin + 'static>() {}
    fn printed<T: fmt::Debug>() {}
    macro_rules! values {
        ($($type:ty),* $(,)?) => { $( value::<$type>(); printed::<$type>(); )* };
    }
    values![
        Addr,
        UnixAddr,
        ScopedIp,
        landline::AddressError,
        landline::AddressErrorKind,
        Context,
        landline::CancelOnDrop,
        landline::Ended,
        Dialer,
        Race,
        KeepAlive,
        ListenConfig,
        Listener,
        landline::TcpListener,
        landline::UnixListener,
        Conn,
        TcpConn,
        UdpConn,
        UnixConn,
        IpConn,
        Pipe,
        PacketConn,
        landline::UdpBatchConn,
        TcpInfo,
        landline::TcpState,
        landline::Ancillary,
        landline::Ecn,
        landline::Credentials,
        landline::UnixMessage,
        landline::Received<Addr>,
        landline::RecvBatch,
        landline::SendBatch<'static>,
        landline::Datagram<'static>,
        landline::OwnedReadHalf<Conn>,
        landline::OwnedWriteHalf<Conn>,
        landline::ReadHalf<'static, Conn>,
        landline::WriteHalf<'static, Conn>,
        landline::ReuniteError<Conn>,
        Error,
        landline::Cause,
        landline::Operation,
        landline::LookupError,
        landline::LookupErrorKind,
        Network,
        Family,
        landline::Protocol,
        landline::UnixKind,
        landline::ParseNetworkError,
        landline::Interface,
        landline::InterfaceAddr,
        landline::InterfaceFlags,
        landline::AddrScope,
        landline::HardwareAddr,
        landline::Server,
        landline::Serving,
        landline::Spread,
        Resolver,
        Lookup<ScopedIp>,
        Mx,
        Srv,
        Svcb,
        Txt,
        Config,
        resolve::Cache,
        resolve::LookupOrder,
        resolve::NameServer,
        resolve::Name,
        resolve::InvalidName,
        resolve::Source,
        Report,
        explain::Event,
        explain::What,
        explain::Outcome,
        explain::Recorder,
        explain::Span,
        explain::Step,
        explain::Fate,
        explain::Answer,
        explain::OrderedAddress,
        explain::AttemptReason,
        explain::Tracing,
        explain::render::Html<'static>,
        explain::render::Waterfall<'static>,
        explain::render::Colors,
        explain::render::Glyphs,
    ];
    fn streams<T: AsyncRead + AsyncWrite>() {}
    streams::<Conn>();
    streams::<&Conn>();
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    error::<Error>();
    error::<landline::LookupError>();
    error::<landline::AddressError>();
    error::<landline::ParseNetworkError>();
    error::<resolve::InvalidName>();
}

#[test]
fn calls_can_be_spawned() {
    fn spawned<T: Send>(_: T) {}
    let (dialer, config, resolver, context) =
        (Dialer::new(), ListenConfig::new(), Resolver::system(), Context::background());
    spawned(landline::dial("tcp", ""));
    spawned(landline::listen("tcp", ""));
    spawned(landline::listen_packet("udp", ""));
    spawned(dialer.dial_in(&context, "tcp", ""));
    spawned(dialer.dial_tcp(""));
    spawned(dialer.dial_udp(""));
    spawned(dialer.dial_unix(""));
    spawned(dialer.dial_ip("ip4:icmp", ""));
    spawned(dialer.explain("tcp", ""));
    spawned(config.listen_tcp(""));
    spawned(resolver.lookup_https(""));
    spawned(context.done());
    let (a, _b) = landline::pipe();
    let conn = Conn::from(a);
    spawned(conn.read(&mut []));
    spawned(conn.write_all(b""));
}
