//! Name servers of other hands, serving the names in `interop/dns`.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

use crate::{Running, peer};

/// A name server on a free port of 127.0.0.1, ended on drop.
#[derive(Debug)]
pub struct DnsServer {
    address: SocketAddrV4,
    running: Running,
    dir: TempDir,
}

impl DnsServer {
    /// dnsmasq, or none where it is not installed.
    pub fn dnsmasq() -> Option<DnsServer> {
        DnsServer::start("dnsmasq", "dnsmasq.conf", |config| vec![format!("--conf-file={config}")])
    }

    /// unbound, or none where it is not installed.
    pub fn unbound() -> Option<DnsServer> {
        DnsServer::start("unbound", "unbound.conf", |config| {
            vec!["-d".to_owned(), "-c".to_owned(), config.to_owned()]
        })
    }

    /// BIND's named, or none where it is not installed.
    pub fn bind() -> Option<DnsServer> {
        DnsServer::start("named", "named.conf", |config| {
            vec!["-g".to_owned(), "-c".to_owned(), config.to_owned()]
        })
    }

    /// Where it answers.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    fn start(program: &str, config: &str, arguments: impl Fn(&str) -> Vec<String>) -> Option<DnsServer> {
        let file = peer(program)?;
        let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("dns");
        let dir = TempDir::new().expect("a directory for the server");
        let address = free_address();
        let text = fs::read_to_string(zones.join(config))
            .expect("our own configuration")
            .replace("@ADDRESS@", &address.ip().to_string())
            .replace("@PORT@", &address.port().to_string())
            .replace("@ZONES@", &zones.to_string_lossy())
            .replace("@DIR@", &dir.path().to_string_lossy());
        let config = dir.path().join(config);
        fs::write(&config, text).expect("the server's directory can be written to");
        let running = Running::start(Command::new(file).args(arguments(&config.to_string_lossy())));
        let mut server = DnsServer { address, running, dir };
        server.wait_until_it_answers();
        Some(server)
    }

    /// Asks, several times a second, for the zone's SOA.
    fn wait_until_it_answers(&mut self) {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        socket.connect(self.address).expect("loopback");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a duration");
        let mut query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04both".to_vec();
        query.extend(b"\x08landline\x07example\0\0\x01\0\x01");
        let limit = Instant::now() + Duration::from_secs(20);
        let mut answer = [0; 512];
        loop {
            // Refused while nobody listens there yet.
            let answered = socket.send(&query).and_then(|_| socket.recv(&mut answer));
            match answered {
                // No error and at least one record.
                Ok(length) if length > 12 && answer[3] & 0xf == 0 && answer[7] > 0 => return,
                Ok(_) => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
            let ended = self.running.ended();
            if ended.is_some() || Instant::now() > limit {
                panic!("{} does not answer: {ended:?}: {}", self.dir.path().display(), self.running.stop());
            }
        }
    }
}

/// An address where nobody listens now, from a range that the system gives to nobody who does not ask for it.
///
/// # Panics
///
/// When a thousand ports are taken.
pub fn free_address() -> SocketAddrV4 {
    // Processes begin far from each other, so that their looking does not collide.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..1000 {
        let step = std::process::id().wrapping_mul(16).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(10_000 + step % 20_000).expect("less than 30,000");
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        if UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port");
}
