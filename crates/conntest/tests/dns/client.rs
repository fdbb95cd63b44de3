//! A plain DNS client that takes whatever comes. Its codec is not the server's own, so that they check each other.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use domain::base::iana::{Class, Rtype};
use domain::base::{Message, MessageBuilder, Name, ParsedName, RecordSection};
use domain::rdata::AllRecordData;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

pub(crate) type Answer = Message<Vec<u8>>;

/// How long nothing has to come for silence; what comes is not waited for any longer than it takes.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) fn query(id: u16, name: &str, record_type: Rtype, udp_size: Option<u16>) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(id);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder.push((Name::<Vec<u8>>::from_chars(name.chars()).unwrap(), record_type, Class::IN)).unwrap();
    let mut builder = builder.additional();
    if let Some(size) = udp_size {
        builder
            .opt(|opt| {
                opt.set_udp_payload_size(size);
                Ok(())
            })
            .unwrap();
    }
    builder.finish()
}

/// A UDP socket that talks to one server, or hears from anybody.
pub(crate) struct Client {
    socket: UdpSocket,
    server: SocketAddr,
}

impl Client {
    pub(crate) async fn of(server: SocketAddr) -> Client {
        Client { socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), server }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    pub(crate) async fn send(&self, raw: &[u8]) {
        self.socket.send_to(raw, self.server).await.unwrap();
    }

    /// The next datagram, whatever it is and whoever sent it.
    pub(crate) async fn raw(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 65_535];
        let received = timeout(Duration::from_secs(10), self.socket.recv_from(&mut buffer)).await;
        let (count, from) = received.expect("an answer within 10 s").unwrap();
        buffer.truncate(count);
        (buffer, from)
    }

    pub(crate) async fn answer(&self) -> Answer {
        let (raw, from) = self.raw().await;
        assert_eq!(from, self.server);
        Message::from_octets(raw).unwrap()
    }

    pub(crate) async fn nothing(&self) {
        let received = timeout(SILENCE, self.socket.recv_from(&mut [0; 512])).await;
        assert!(received.is_err(), "{received:?}");
    }
}

/// Asks over UDP with id 7 and without EDNS.
pub(crate) async fn ask(server: SocketAddr, name: &str, record_type: Rtype) -> Answer {
    let client = Client::of(server).await;
    client.send(&query(7, name, record_type, None)).await;
    client.answer().await
}

/// A TCP connection to a server.
pub(crate) struct Stream(pub(crate) TcpStream);

impl Stream {
    pub(crate) async fn to(server: SocketAddr) -> Stream {
        Stream(TcpStream::connect(server).await.unwrap())
    }

    pub(crate) async fn send(&mut self, raw: &[u8]) {
        let length = u16::try_from(raw.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length, raw].concat()).await.unwrap();
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        let length = self.0.read_u16().await.unwrap();
        let mut raw = vec![0; length.into()];
        self.0.read_exact(&mut raw).await.unwrap();
        Message::from_octets(raw).unwrap()
    }

    /// All that comes until the server closes.
    pub(crate) async fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(10), self.0.read_to_end(&mut rest)).await.unwrap().unwrap();
        rest
    }
}

/// The answer section as `owner ttl type data`.
pub(crate) fn answers(message: &Answer) -> Vec<String> {
    lines(message.answer().unwrap())
}

pub(crate) fn lines(section: RecordSection<'_, Vec<u8>>) -> Vec<String> {
    let records = section.limit_to::<AllRecordData<_, ParsedName<_>>>();
    let line = |record: domain::base::Record<ParsedName<_>, AllRecordData<&[u8], ParsedName<&[u8]>>>| {
        format!(
            "{}. {} {} {}",
            record.owner(),
            record.ttl().as_secs(),
            record.rtype(),
            domain::base::zonefile_fmt::ZonefileFmt::display_zonefile(
                record.data(),
                domain::base::zonefile_fmt::DisplayKind::Simple
            )
        )
    };
    records.map(|record| line(record.unwrap())).collect()
}
