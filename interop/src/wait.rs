//! Waiting for what gives no event.

use std::fs;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// Waits until something has become true, looking a hundred times a second.
///
/// # Panics
///
/// When it has not after 20 s, naming `what`.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until somebody has bound an address on this host, and listens there where that is needed.
///
/// Asks the kernel's tables, so that the server does not notice.
///
/// # Panics
///
/// When nobody has after 20 s, or for an address that is not IPv4 on loopback or a path.
#[track_caller]
pub fn until_bound(network: &str, address: &str) {
    let (table, entry) = match network {
        "unix" | "unixpacket" | "unixgram" => ("unix", format!(" {address}\n")),
        _ => {
            let port = address.parse::<SocketAddr>().expect("an address").port();
            // Local address, remote address, state: LISTEN, or the only one that an unconnected datagram socket has.
            let state = if network == "tcp" { "0A" } else { "07" };
            (network, format!("0100007F:{port:04X} 00000000:0000 {state}"))
        }
    };
    let listens = |line: &str| network == "unixgram" || line.split_whitespace().nth(3) == Some("00010000");
    until(&format!("{network} {address} to be bound"), || {
        let text = fs::read_to_string(format!("/proc/net/{table}")).expect("procfs");
        match table {
            "unix" => text.split_inclusive('\n').any(|line| line.ends_with(&entry) && listens(line)),
            _ => text.contains(&entry),
        }
    });
}
