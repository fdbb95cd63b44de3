//! Clients, with nothing of landline in them.
#![allow(clippy::disallowed_methods)] // They block their own threads.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

use crate::server::LONG;

/// A conn to a server, by TCP or a Unix socket.
pub(crate) enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    pub(crate) fn connect(network: &str, address: &str) -> std::io::Result<Client> {
        Ok(match network {
            "tcp" => {
                let stream = TcpStream::connect(address)?;
                stream.set_read_timeout(Some(LONG))?;
                Client::Tcp(stream)
            }
            _ => {
                let stream = UnixStream::connect(address)?;
                stream.set_read_timeout(Some(LONG))?;
                Client::Unix(stream)
            }
        })
    }

    /// Asks who serves.
    pub(crate) fn ask(&mut self, question: &[u8]) -> std::io::Result<u32> {
        let mut answer = [0; 4];
        match self {
            Client::Tcp(stream) => stream.write_all(question).and_then(|()| stream.read_exact(&mut answer)),
            Client::Unix(stream) => stream.write_all(question).and_then(|()| stream.read_exact(&mut answer)),
        }?;
        Ok(u32::from_be_bytes(answer))
    }

    /// Waits for the end of the conn.
    pub(crate) fn end(&mut self) {
        let ended = match self {
            Client::Tcp(stream) => stream.read(&mut [0]),
            Client::Unix(stream) => stream.read(&mut [0]),
        };
        assert!(matches!(ended, Ok(0)) || ended.is_err(), "{ended:?}");
    }
}

/// Clients that connect, ask, and connect again, until they are dropped.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Seen {
    /// How many conns each server has answered.
    answers: Mutex<BTreeMap<u32, u64>>,
    failures: Mutex<Vec<String>>,
}

impl Clients {
    pub(crate) fn start(count: usize, network: &'static str, address: &str) -> Clients {
        let (stop, seen) = (Arc::<AtomicBool>::default(), Arc::<Seen>::default());
        let threads = (0..count)
            .map(|_| {
                let (stop, seen, address) = (stop.clone(), seen.clone(), address.to_owned());
                std::thread::spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        match Client::connect(network, &address).and_then(|mut client| client.ask(b"once")) {
                            Ok(server) => *seen.answers.lock().unwrap().entry(server).or_default() += 1,
                            Err(error) => seen.failures.lock().unwrap().push(error.to_string()),
                        }
                    }
                })
            })
            .collect();
        Clients { stop, seen, threads }
    }

    /// Waits until a server has answered so many conns more.
    pub(crate) fn see(&self, server: u32, more: u64) {
        let answered = || self.seen.answers.lock().unwrap().get(&server).copied().unwrap_or(0);
        let (before, began) = (answered(), Instant::now());
        while answered() < before + more {
            assert!(began.elapsed() < LONG, "{server} answers nobody");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends them; how many conns were answered. None may have failed.
    pub(crate) fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().unwrap());
        let failures = self.seen.failures.lock().unwrap();
        assert!(failures.is_empty(), "{} conns failed, the first: {}", failures.len(), failures[0]);
        self.seen.answers.lock().unwrap().values().sum()
    }
}

impl Drop for Clients {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
