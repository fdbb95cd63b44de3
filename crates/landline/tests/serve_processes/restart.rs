//! One server takes the place of another.

use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::clients::{Client, Clients};
use crate::server::{LONG, Process, Role, Task};

/// A folder of one test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("landline-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn role(network: &'static str, address: &str, restart: &str) -> Role {
    let (address, restart) = (address.to_owned(), restart.to_owned());
    Role { network, address, workers: 2, restart, drain: 30_000, task: Task::Answer }
}

fn program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

pub(crate) fn loses_no_conn() {
    let folder = Folder::new("restart");
    let mut role = role("tcp", "127.0.0.1:0", &folder.file("restart"));
    let mut server = Process::serve(&role);
    let address = server.address.clone();
    let clients = Clients::start(4, "tcp", &address);
    clients.see(server.id(), 50);
    // More workers than there are sockets, fewer, and as many.
    for workers in [2, 3, 1, 2, 4, 1] {
        role.workers = workers;
        let successor = Process::serve(&role);
        assert_eq!(successor.address, address);
        let (status, [_, cut]) = std::mem::replace(&mut server, successor).end();
        assert!(status.success() && cut == 0, "{status}, {cut} were cut");
        clients.see(server.id(), 50);
    }
    let conns = clients.end();
    assert!(conns > 350, "{conns}");
    server.signal(Signal::TERM);
    assert!(server.end().0.success());
    assert!(!std::fs::exists(folder.file("restart")).unwrap(), "the last one tidies up");
}

pub(crate) fn keeps_a_unix_socket() {
    let folder = Folder::new("restart-unix");
    let path = folder.file("served");
    let role = role("unix", &path, &folder.file("restart"));
    let mut server = Process::serve(&role);
    let clients = Clients::start(3, "unix", &path);
    for _ in 0..3 {
        clients.see(server.id(), 20);
        let successor = Process::serve(&role);
        let (status, [_, cut]) = std::mem::replace(&mut server, successor).end();
        assert!(status.success() && cut == 0, "{status}, {cut} were cut");
    }
    clients.see(server.id(), 20);
    clients.end();
    server.signal(Signal::TERM);
    assert!(server.end().0.success());
    assert!(!std::fs::exists(&path).unwrap(), "the last one removes the file");
}

pub(crate) fn keeps_a_udp_port() {
    let folder = Folder::new("restart-udp");
    let role = role("udp", "127.0.0.1:0", &folder.file("restart"));
    let mut server = Process::serve(&role);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(&server.address).unwrap();
    client.set_read_timeout(Some(LONG)).unwrap();
    for _ in 0..3 {
        let successor = Process::serve(&role);
        assert_eq!(successor.address, server.address);
        let (status, [_, cut]) = std::mem::replace(&mut server, successor).end();
        assert!(status.success() && cut == 0, "{status}, {cut} were cut");
        for _ in 0..20 {
            client.send(b"x").unwrap();
            let mut answer = [0; 4];
            client.recv(&mut answer).unwrap();
            assert_eq!(u32::from_be_bytes(answer), server.id());
        }
    }
}

pub(crate) fn old_conns_are_served_to_the_deadline() {
    let folder = Folder::new("restart-drain");
    let mut role = role("tcp", "127.0.0.1:0", &folder.file("restart"));
    // Enough for a conn to end in, on a busy machine.
    role.drain = 4000;
    let old = Process::serve(&role);
    let [mut goes, mut stays] = [(); 2].map(|()| Client::connect("tcp", &old.address).unwrap());
    assert_eq!((goes.ask(b"x").unwrap(), stays.ask(b"x").unwrap()), (old.id(), old.id()));
    let began = Instant::now();
    let new = Process::serve(&role);
    assert_eq!(goes.ask(b"once").unwrap(), old.id(), "served on");
    goes.end();
    assert_eq!(Client::connect("tcp", &new.address).unwrap().ask(b"x").unwrap(), new.id());
    let (status, drained) = old.end();
    assert!(status.success());
    assert_eq!(drained, [1, 1]);
    let spent = began.elapsed();
    assert!((Duration::from_millis(role.drain)..LONG).contains(&spent), "{spent:?}");
    stays.end();
}

pub(crate) fn a_successor_that_dies_changes_nothing() {
    let folder = Folder::new("restart-death");
    let role = role("tcp", "127.0.0.1:0", &folder.file("restart"));
    let mut server = Process::serve(&role);
    let clients = Clients::start(2, "tcp", &server.address);
    for _ in 0..3 {
        let leaves = Process::start(program(), &Role { task: Task::Leave, ..role.clone() });
        clients.see(server.id(), 20);
        drop(leaves);
    }
    assert!(server.runs());
    // Whoever comes after them takes over as ever.
    let successor = Process::serve(&role);
    clients.see(successor.id(), 20);
    assert!(server.end().0.success());
    clients.end();
}

/// A server with a conn, and a successor that has been sent its sockets; the server has been told to end.
fn told_to_end(role: &Role) -> (Process, Client, Process) {
    let old = Process::serve(role);
    let mut client = Client::connect("unix", &role.address).unwrap();
    assert_eq!(client.ask(b"x").unwrap(), old.id());
    let successor = Process::start(program(), &Role { task: Task::Hesitate, ..role.clone() });
    assert_eq!(successor.line(), "bound");
    old.signal(Signal::TERM);
    (old, client, successor)
}

pub(crate) fn files_are_the_successors() {
    let folder = Folder::new("restart-term");
    let role = role("unix", &folder.file("served"), &folder.file("restart"));
    // The successor serves while the old one still has a conn to serve to its end.
    let (_old, _client, successor) = told_to_end(&role);
    has_the_files(&role, successor);
    // The old one has come to its end before.
    let (old, client, successor) = told_to_end(&role);
    drop(client);
    assert!(old.end().0.success());
    has_the_files(&role, successor);
}

/// Lets it serve, which had the sockets, and another take over from it in turn.
fn has_the_files(role: &Role, mut successor: Process) {
    let ask = || Client::connect("unix", &role.address).unwrap().ask(b"x").unwrap();
    successor.signal(Signal::USR1);
    successor.serves();
    assert_eq!(ask(), successor.id());
    let next = Process::serve(role);
    assert_eq!(ask(), next.id());
    next.signal(Signal::TERM);
    assert!(next.end().0.success());
    assert!([&role.address, &role.restart].iter().all(|file| !std::fs::exists(file).unwrap()));
}

pub(crate) fn files_are_nobodys() {
    let folder = Folder::new("restart-void");
    let path = folder.file("served");
    let role = role("unix", &path, &folder.file("restart"));
    let (old, client, successor) = told_to_end(&role);
    drop(successor);
    let began = Instant::now();
    while std::fs::exists(&path).unwrap() || std::fs::exists(&role.restart).unwrap() {
        assert!(began.elapsed() < LONG, "files are left");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(client);
    assert!(old.end().0.success());
}

pub(crate) fn after_a_kill_a_new_one_begins() {
    let folder = Folder::new("restart-kill");
    let mut role = role("tcp", "127.0.0.1:0", &folder.file("restart"));
    let server = Process::serve(&role);
    role.address = server.address.clone();
    server.signal(Signal::KILL);
    drop(server);
    assert!(std::fs::exists(&role.restart).unwrap(), "it could not tidy up");
    let server = Process::serve(&role);
    let mut client = Client::connect("tcp", &server.address).unwrap();
    assert_eq!(client.ask(b"x").unwrap(), server.id());
}

pub(crate) fn strangers_are_not_let() {
    if !rustix::process::geteuid().is_root() {
        println!("  needs root to play a stranger");
        return;
    }
    // Abstract, since the file of a path keeps strangers off before they are asked who they are.
    let restart = format!("@landline-restart-{}", std::process::id());
    let role = role("tcp", "127.0.0.1:0", &restart);
    let mut server = Process::serve(&role);
    let folder = Folder::new("restart-stranger");
    // A copy, where a stranger can run it.
    let copy = folder.file("program");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let mut stranger = Command::new(copy);
    stranger.uid(65_534).gid(65_534);
    let mut stranger = Process::start(stranger, &Role { address: server.address.clone(), ..role });
    let line = stranger.line();
    assert!(line.starts_with("failed "), "{line}");
    let began = Instant::now();
    while stranger.runs() {
        assert!(began.elapsed() < LONG, "it goes on");
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut client = Client::connect("tcp", &server.address).unwrap();
    assert_eq!(client.ask(b"x").unwrap(), server.id());
    assert!(server.runs());
}
