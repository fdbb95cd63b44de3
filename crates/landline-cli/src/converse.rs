//! Standard input to the conn, the conn to standard output.

use std::io::{self, BufRead, IsTerminal, Read};
use std::os::fd::AsFd;
use std::time::Duration;

use landline::{Conn, Network, UnixKind};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;
use tokio::sync::{mpsc, watch};

use crate::failure::Failure;

/// After one side of a conversation has ended, how long the other may be silent before it is over: long enough for an
/// answer to the last datagram, short enough to wait for.
const SILENCE: Duration = Duration::from_secs(1);
const CHUNK: usize = 64 * 1024;
/// No datagram is longer, and a seqpacket message only where the send buffer has been enlarged.
const MESSAGE: usize = 256 * 1024;

/// How bytes are grouped on a conn, and what its end looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A stream with two ends.
    Stream,
    /// Messages, and an end: each line of stdin is one.
    Messages,
    /// Messages without an end, which may also be empty.
    Datagrams,
}

impl From<Network> for Shape {
    fn from(network: Network) -> Shape {
        match network {
            Network::Unix(UnixKind::Seqpacket) => Shape::Messages,
            network if network.is_packet() => Shape::Datagrams,
            _ => Shape::Stream,
        }
    }
}

/// One end to talk to.
pub(crate) trait Peer {
    /// Sends it all, as one message where the shape has messages.
    async fn send(&self, bytes: &[u8]) -> landline::Result<()>;
    /// Receives some, or one message.
    async fn receive(&self, buffer: &mut [u8]) -> landline::Result<usize>;
    /// Says that nothing more will be sent.
    fn finish(&self) -> landline::Result<()>;
}

impl Peer for Conn {
    async fn send(&self, bytes: &[u8]) -> landline::Result<()> {
        self.write_all(bytes).await
    }

    async fn receive(&self, buffer: &mut [u8]) -> landline::Result<usize> {
        self.read(buffer).await
    }

    fn finish(&self) -> landline::Result<()> {
        self.close_write()
    }
}

/// Converses until both sides have ended.
///
/// The end of stdin closes the conn for writing, and the conversation goes on until the peer has ended too; datagrams
/// have no end, so there it is over after a second of silence. When the peer ends first, what stdin still holds is
/// sent; it is over when stdin ends, is silent for a second, or is a terminal.
pub(crate) async fn converse(peer: &impl Peer, shape: Shape) -> Result<(), Failure> {
    let (ended, peer_ended) = watch::channel(false);
    let (finished, stdin_ended) = watch::channel(false);
    let up = async {
        let sent = up(peer, shape, peer_ended).await;
        let _ = finished.send(true);
        sent
    };
    let down = async {
        let received = down(peer, shape, stdin_ended).await;
        let _ = ended.send(true);
        received
    };
    tokio::pin!(up, down);
    tokio::select! {
        sent = &mut up => match sent {
            Ok(()) => down.await,
            // Without its input the conversation makes no sense, and the peer may wait for ever for the rest.
            Err(Trouble::Input(failure)) => Err(failure),
            // What cannot be sent may have been answered all the same, so the answer is read to its end first.
            Err(Trouble::Conn(failure)) => down.await.and(Err(failure)),
        },
        received = &mut down => {
            received?;
            up.await.map_err(|(Trouble::Input(failure) | Trouble::Conn(failure))| failure)
        }
    }
}

/// Why nothing more goes up.
enum Trouble {
    Input(Failure),
    Conn(Failure),
}

impl From<landline::Error> for Trouble {
    fn from(error: landline::Error) -> Trouble {
        Trouble::Conn(error.into())
    }
}

/// Refuses a stdin that nothing can be read from, such as a directory, before anybody is bothered.
pub(crate) fn check_stdin() -> Result<(), Failure> {
    // Reading nothing takes nothing and never waits, but is refused where reading is (read(2)).
    let probe = io::stdin().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).read(&mut []));
    match probe {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => Err(of_stdin(&error)),
        // Other trouble may pass, or is an end of input, as it is for a stdin that is open for writing only.
        _ => Ok(()),
    }
}

fn of_stdin(error: &io::Error) -> Failure {
    Failure::of_file("standard input", error)
}

async fn up(peer: &impl Peer, shape: Shape, mut peer_ended: watch::Receiver<bool>) -> Result<(), Trouble> {
    let patience = if io::stdin().is_terminal() { Duration::ZERO } else { SILENCE };
    let mut stdin = stdin(shape);
    loop {
        let chunk = tokio::select! {
            chunk = stdin.recv() => chunk,
            () = silence_after(&mut peer_ended, patience) => None,
        };
        match chunk {
            Some(Ok(chunk)) => peer.send(&chunk).await?,
            Some(Err(error)) => return Err(Trouble::Input(of_stdin(&error))),
            None => break,
        }
    }
    match shape {
        Shape::Datagrams => Ok(()),
        // A peer that is gone by now has nothing to be told.
        Shape::Stream | Shape::Messages if *peer_ended.borrow() => Ok(()),
        Shape::Stream | Shape::Messages => Ok(peer.finish()?),
    }
}

async fn down(peer: &impl Peer, shape: Shape, mut stdin_ended: watch::Receiver<bool>) -> Result<(), Failure> {
    let mut out = Output::new()?;
    let mut buffer = vec![0; if shape == Shape::Stream { CHUNK } else { MESSAGE }];
    loop {
        let length = tokio::select! {
            length = peer.receive(&mut buffer) => length?,
            () = silence_after(&mut stdin_ended, SILENCE), if shape == Shape::Datagrams => return Ok(()),
        };
        if length == 0 && shape != Shape::Datagrams {
            return Ok(());
        }
        out.write(&buffer[..length]).await?;
    }
}

/// Waits for the end of the other direction, and then for `patience`.
async fn silence_after(ended: &mut watch::Receiver<bool>, patience: Duration) {
    // An error means that the sender is gone, which is an end as well.
    let _ = ended.wait_for(|ended| *ended).await;
    tokio::time::sleep(patience).await;
}

/// Reads stdin on a thread of its own, because nothing else can read a terminal, a pipe and a file alike without
/// changing how whoever shares them reads them. It never reads more than one chunk ahead.
fn stdin(shape: Shape) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let chunk = match shape {
                Shape::Stream => read_chunk(&mut stdin),
                Shape::Messages | Shape::Datagrams => read_line(&mut stdin),
            };
            let last = !matches!(&chunk, Ok(chunk) if !chunk.is_empty());
            if matches!(&chunk, Ok(chunk) if chunk.is_empty()) || sender.blocking_send(chunk).is_err() || last
            {
                return;
            }
        }
    });
    receiver
}

fn read_chunk(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match input.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(length) => {
                chunk.truncate(length);
                return Ok(chunk);
            }
        }
    }
}

/// A line with its end, or what comes before the end of the file. More than any message holds is cut off there, so
/// that the kernel can refuse it as too long without all of it having been kept.
fn read_line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    Read::take(input, MESSAGE as u64).read_until(b'\n', &mut line)?;
    Ok(line)
}

/// Standard output without a buffer of its own, so that each message is one write.
struct Output(File);

impl Output {
    fn new() -> Result<Output, Failure> {
        let fd = io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .map_err(|error| Failure::of_file("standard output", &error))?;
        Ok(Output(File::from_std(fd.into())))
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        // A file is written by another thread: a full pipe stops nobody else, and Ctrl-C is still heard.
        let written = async {
            self.0.write_all(bytes).await?;
            self.0.flush().await
        };
        written.await.map_err(|error| Failure::of_file("standard output", &error))
    }
}
