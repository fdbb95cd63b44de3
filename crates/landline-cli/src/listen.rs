//! `landline listen`: wait for conns or datagrams, and converse, echo, or run a command.

use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::Stdio;

use clap::Args;
use landline::{Addr, Conn, ListenConfig, Listener, Network, PacketConn};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use crate::answering::Answering;
use crate::converse::{Peer, Shape, check_stdin, converse};
use crate::failure::Failure;
use crate::output;
use crate::values;

/// Wait for a conn, and converse: what it sends goes to stdout, stdin goes to it.
///
/// The first conn is the only one, unless --echo or --exec serve any number of them. The address it got is printed
/// before anything else, also when the kernel chose it: on stdout with --echo and --exec, on stderr otherwise, where
/// stdout belongs to the conversation.
///
/// On udp, ip and unixgram the first sender is the one to converse with; each line of stdin is a datagram. --echo
/// answers every datagram to where it came from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  landline listen tcp :8080                        netcat: converse with the first who comes
  landline listen tcp 127.0.0.1:0 --echo           an echo server on a port of the kernel's choosing
  landline listen unix /tmp/date.sock --exec date  a date server
  landline listen udp :5353 --echo                 answer datagrams
  landline listen tcp :9000 --once >file           receive one file

An empty HOST listens on all addresses; an empty path, as in unix '', on an abstract name of the
kernel's choosing. --exec runs the command by sh -c with the conn as its
stdin and stdout, and LANDLINE_LOCAL and LANDLINE_PEER in its environment.

Exit status: 0 done, 1 the network said no, 2 bad usage.")]
pub(crate) struct Listen {
    /// tcp, tcp4, tcp6, udp, unix, unixgram, unixpacket, ip4:icmp, …
    network: String,
    /// HOST:PORT, :PORT, HOST, a path, or @name, as the network needs it; also fd:N and systemd:NAME
    address: String,
    /// Send back whatever comes
    #[arg(long, conflicts_with = "exec")]
    echo: bool,
    /// Run this command for every conn
    #[arg(long, value_name = "CMD", value_parser = values::command)]
    exec: Option<String>,
    /// End after the first conn, or with --echo after the first datagram
    #[arg(long)]
    once: bool,
    /// Serve no more than N conns at the same time, others wait to be accepted; without --echo and --exec one is all
    #[arg(long, value_name = "N", value_parser = values::count, allow_hyphen_values = true)]
    max_conns: Option<NonZeroUsize>,
}

const CHUNK: usize = 16 * 1024;
const MESSAGE: usize = 256 * 1024;

impl Listen {
    /// Runs the command.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let network: Network =
            self.network.parse().map_err(|error| Failure::Usage(format!("listen: {error}")))?;
        if network.is_packet() {
            return self.packets(network).await;
        }
        self.check_stdin()?;
        let listener = ListenConfig::new().listen(network, &self.address).await;
        let listener = listener.map_err(|error| Failure::at(&self.address, &error))?;
        self.announce(&listener.local_addr()?)?;
        match self.service(network) {
            None => {
                let conn = listener.accept().await?;
                // Whoever comes later is refused at once instead of waiting in vain.
                drop(listener);
                converse(&conn, network.into()).await
            }
            Some(service) if self.once => service.serve(listener.accept().await?).await,
            Some(service) => self.serve(&listener, &service).await,
        }
    }

    /// Refuses a stdin that cannot be read, where it is to be read.
    fn check_stdin(&self) -> Result<(), Failure> {
        if self.echo || self.exec.is_some() { Ok(()) } else { check_stdin() }
    }

    fn service(&self, network: Network) -> Option<Service> {
        match (&self.exec, self.echo) {
            (Some(command), _) => Some(Service::Exec(command.clone())),
            (None, true) => Some(Service::Echo(network.into())),
            (None, false) => None,
        }
    }

    async fn serve(&self, listener: &Listener, service: &Service) -> Result<(), Failure> {
        let most = self.max_conns.map_or(usize::MAX, NonZeroUsize::get);
        // Dropped when a signal ends the program, and with it every conn and child process.
        let mut conns = JoinSet::new();
        loop {
            tokio::select! {
                conn = listener.accept(), if conns.len() < most => {
                    let (conn, service) = (conn?, service.clone());
                    conns.spawn(async move { service.serve(conn).await });
                }
                // One conn's trouble is told, and is no trouble of the others'.
                Some(Ok(Err(failure))) = conns.join_next() => {
                    if let Some(message) = failure.message() {
                        output::complain(message);
                    }
                }
                else => {}
            }
        }
    }

    async fn packets(&self, network: Network) -> Result<(), Failure> {
        let refuse = |flag| Failure::Usage(format!("{flag}: {network} has no conns, only datagrams"));
        if self.exec.is_some() {
            return Err(refuse("--exec"));
        }
        if self.max_conns.is_some() {
            return Err(refuse("--max-conns"));
        }
        self.check_stdin()?;
        let conn = ListenConfig::new().listen_packet(network, &self.address).await;
        let conn = conn.map_err(|error| Failure::at(&self.address, &error))?;
        let mut buffer = vec![0; MESSAGE];
        if self.echo {
            let conn = Answering::new(conn)?;
            self.announce(&conn.local_addr()?)?;
            loop {
                let (length, from) = conn.receive(&mut buffer).await?;
                // One peer that cannot be answered, such as an unnamed socket, is no trouble of the others'.
                if let Err(error) = conn.answer(&buffer[..length], &from).await {
                    output::complain(&error.to_string());
                }
                if self.once {
                    return Ok(());
                }
            }
        }
        self.announce(&conn.local_addr()?)?;
        let peer = FirstSender::of(conn, &mut buffer).await?;
        converse(&peer, Shape::Datagrams).await
    }

    fn announce(&self, local: &Addr) -> Result<(), Failure> {
        if self.echo || self.exec.is_some() {
            return output::print(&format!("{local}\n"));
        }
        output::tell(&format!("listening on {local}\n"));
        Ok(())
    }
}

/// What is done with every conn.
#[derive(Clone, Debug)]
enum Service {
    Echo(Shape),
    Exec(String),
}

impl Service {
    async fn serve(&self, conn: Conn) -> Result<(), Failure> {
        match self {
            Service::Echo(shape) => echo(&conn, *shape).await,
            Service::Exec(command) => exec(conn, command).await,
        }
    }
}

async fn echo(conn: &Conn, shape: Shape) -> Result<(), Failure> {
    let mut buffer = vec![0; if shape == Shape::Stream { CHUNK } else { MESSAGE }];
    loop {
        match conn.read(&mut buffer).await? {
            0 => return Ok(conn.close_write()?),
            length => conn.write_all(&buffer[..length]).await?,
        }
    }
}

/// Runs a command whose stdin and stdout are the conn itself, as inetd does.
async fn exec(conn: Conn, command: &str) -> Result<(), Failure> {
    let (local, peer) = (conn.local_addr()?, conn.peer_addr()?);
    let io = |error: std::io::Error| Failure::Refused(format!("--exec {command}: {error}"));
    let fd = match conn {
        Conn::Tcp(conn) => conn.into_owned_fd()?,
        Conn::Unix(conn) => conn.into_owned_fd()?,
        _ => return Err(Failure::Refused(format!("--exec {command}: the conn has no descriptor"))),
    };
    // Programs do not expect a stdin that says EAGAIN. The type is a detour: std sets this on any socket.
    let socket = UnixStream::from(fd);
    socket.set_nonblocking(false).map_err(io)?;
    let stdin = OwnedFd::from(socket);
    let stdout = stdin.try_clone().map_err(io)?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("LANDLINE_LOCAL", local.to_string())
        .env("LANDLINE_PEER", peer.to_string())
        .stdin(Stdio::from(stdin))
        .stdout(Stdio::from(stdout))
        // So that what the command starts can be ended with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(io)?;
    let group = Group::of(&child);
    let status = child.wait().await.map_err(io)?;
    group.leave();
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Refused(format!("--exec {command}: {status}"))),
    }
}

/// A command and all that it started, killed when dropped.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Group {
        Group(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// What a command that has ended by itself left behind on purpose may stay; and its number may be another's soon.
    fn leave(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // An error means that nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// The first who sent a datagram; what others send is passed over.
struct FirstSender {
    conn: PacketConn,
    peer: Addr,
    first: std::cell::RefCell<Option<Vec<u8>>>,
}

impl FirstSender {
    async fn of(conn: PacketConn, buffer: &mut [u8]) -> Result<FirstSender, Failure> {
        let message = conn.recv_from(buffer).await?;
        Ok(FirstSender { conn, peer: message.from, first: Some(buffer[..message.len].to_vec()).into() })
    }
}

impl Peer for FirstSender {
    async fn send(&self, bytes: &[u8]) -> landline::Result<()> {
        self.conn.send_to(bytes, &self.peer).await.map(|_| ())
    }

    async fn receive(&self, buffer: &mut [u8]) -> landline::Result<usize> {
        if let Some(first) = self.first.take() {
            buffer[..first.len()].copy_from_slice(&first);
            return Ok(first.len());
        }
        loop {
            let message = self.conn.recv_from(buffer).await?;
            if message.from == self.peer {
                return Ok(message.len);
            }
        }
    }

    fn finish(&self) -> landline::Result<()> {
        Ok(())
    }
}
