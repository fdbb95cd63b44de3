//! What a terminal is shown of `landline forward`, and what nobody else is.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use common::{Running, landline};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A terminal, and what has been written to it.
struct Terminal {
    master: File,
    written: Vec<u8>,
}

impl Terminal {
    /// With so many columns; and the side of it that a program has.
    fn open(columns: u16) -> (Terminal, OwnedFd) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let programs = ioctl_tiocgptpeer(&master, flags).unwrap();
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&programs, size).unwrap();
        (Terminal { master: master.into(), written: Vec::new() }, programs)
    }

    /// Reads until the rows are such; a program that is gone, as the watchdog makes it, writes no more.
    fn until(&mut self, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        loop {
            let rows = rows(&self.written);
            if holds(&rows) {
                return rows;
            }
            let mut more = [0; 4096];
            match self.master.read(&mut more) {
                Ok(length) if length > 0 => self.written.extend(&more[..length]),
                ended => panic!("waited in vain for {what}: {ended:?}, {rows:#?}"),
            }
        }
    }

    /// Reads until the program has ended.
    fn until_the_end(&mut self) -> Vec<String> {
        let mut more = [0; 4096];
        // EIO is the end of what the other side has written.
        while let Ok(length) = self.master.read(&mut more) {
            self.written.extend(&more[..length]);
        }
        rows(&self.written)
    }
}

/// What stands on a terminal to which this was written.
fn rows(written: &[u8]) -> Vec<String> {
    let (mut rows, mut column) = (vec![Vec::new()], 0);
    let text = String::from_utf8_lossy(written);
    for character in text.chars() {
        let row: &mut Vec<char> = rows.last_mut().unwrap();
        match character {
            '\r' => column = 0,
            '\n' => rows.push(Vec::new()),
            '\x1b' => panic!("an escape sequence"),
            character => {
                row.resize(row.len().max(column + 1), ' ');
                row[column] = character;
                column += 1;
            }
        }
    }
    let row = |row: Vec<char>| row.into_iter().collect::<String>().trim_end().to_owned();
    rows.into_iter().map(row).collect()
}

/// A server, and a program that forwards to it; with the program's address.
fn forwarding(command: &mut Command) -> (TcpListener, Running, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = listener.local_addr().unwrap().to_string();
    let mut running = Running::start(command.args(["tcp", "127.0.0.1:0", "tcp", &backend]));
    let line = running.line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
    (listener, running, address.to_owned())
}

/// The same on a terminal.
fn shown(columns: u16, variables: &[(&str, &str)]) -> (Terminal, TcpListener, Running, String) {
    let (terminal, programs) = Terminal::open(columns);
    let mut command = landline(&["forward"]);
    command.envs(variables.iter().copied()).stderr(programs);
    let (listener, running, address) = forwarding(&mut command);
    (terminal, listener, running, address)
}

/// A conn through it, and the server's end.
fn passed_on(listener: &TcpListener, address: &str) -> (TcpStream, TcpStream) {
    let conn = TcpStream::connect(address).unwrap();
    (conn, listener.accept().unwrap().0)
}

#[test]
fn a_line_says_what_moves_and_is_written_over() {
    let (mut terminal, listener, running, address) = shown(80, &[]);
    let first = terminal.until("a line", |rows| rows != [""]);
    assert_eq!(first, ["0 open of 0, 0 B there, 0 B back"]);
    let (mut conn, mut far) = passed_on(&listener, &address);
    conn.write_all(b"hello").unwrap();
    // No row more, whenever one looks.
    let is = |rows: &[String], line: &str| {
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows[0] == line
    };
    terminal.until("five bytes", |rows| is(rows, "1 open of 1, 5 B there, 0 B back"));
    far.write_all(b"hi").unwrap();
    conn.read_exact(&mut [0; 2]).unwrap();
    far.read_exact(&mut [0; 5]).unwrap();
    terminal.until("two more", |rows| is(rows, "1 open of 1, 5 B there, 2 B back"));
    drop((conn, far));
    let last = "0 open of 1, 5 B there, 2 B back";
    terminal.until("the end of the conn", |rows| is(rows, last));
    // Whatever else is said goes above it, and in the end it is gone.
    let counters = "0 open, 1 conns, 0 failed, 5 bytes there, 2 back";
    running.signal(Signal::USR1);
    terminal.until("the counters", |rows| rows == [counters, last]);
    running.signal(Signal::TERM);
    assert_eq!(terminal.until_the_end(), [counters, counters, ""]);
    running.end().expect(0);
}

#[test]
fn nothing_of_a_longer_line_is_left() {
    // Without escape sequences, too.
    for variables in [&[][..], &[("NO_COLOR", "1")], &[("TERM", "dumb")]] {
        let (mut terminal, listener, running, address) = shown(80, variables);
        let conns: Vec<_> = (0..10).map(|_| passed_on(&listener, &address)).collect();
        terminal.until("ten conns", |rows| rows == ["10 open of 10, 0 B there, 0 B back"]);
        drop(conns);
        terminal.until("none", |rows| rows == ["0 open of 10, 0 B there, 0 B back"]);
        running.signal(Signal::TERM);
        let rows = terminal.until_the_end();
        assert_eq!(rows, ["0 open, 10 conns, 0 failed, 0 bytes there, 0 back", ""], "{variables:?}");
        running.end().expect(0);
    }
}

#[test]
fn the_line_is_no_wider_than_the_terminal() {
    let (mut terminal, _listener, running, _) = shown(20, &[]);
    assert_eq!(terminal.until("a line", |rows| rows != [""]), ["0 open of 0, 0 B th"]);
    drop(running);
}

#[test]
fn nothing_is_drawn_where_stderr_is_no_terminal() {
    let (listener, running, address) = forwarding(&mut landline(&["forward"]));
    let conn = passed_on(&listener, &address);
    // Longer than it takes to draw a line, and to draw it again.
    std::thread::sleep(Duration::from_millis(600));
    drop(conn);
    running.signal(Signal::TERM);
    let done = running.end().expect(0);
    assert_eq!(done.stderr, "0 open, 1 conns, 0 failed, 0 bytes there, 0 back\n");
}
