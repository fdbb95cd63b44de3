//! Addresses mean to us what they mean to Go.

use std::process::Command;

use landline::split_host_port;
use landline_interop::{Running, finish, finish_with_input, go_program, program};

/// One of every sort of character that `SplitHostPort` tells apart.
const ALPHABET: [char; 5] = ['a', ':', '[', ']', '%'];

#[test]
fn every_short_address_is_split_or_refused_as_by_go() {
    let Some(go) = go_program("behaviour") else { return };
    let mut addresses = vec![String::new()];
    let mut longest = addresses.clone();
    for _ in 0..6 {
        longest = longest
            .iter()
            .flat_map(|address| ALPHABET.iter().map(move |character| format!("{address}{character}")))
            .collect();
        addresses.extend(longest.iter().cloned());
    }
    let said = finish_with_input(Command::new(go).arg("split"), addresses.join("\n").as_bytes()).json();
    // The scanner takes the empty first line as an address as well.
    assert_eq!(said.len(), addresses.len());
    for (address, said) in addresses.iter().zip(said) {
        let ours = match split_host_port(address) {
            Ok((host, port)) => serde_json::json!({ "result": [host, port] }),
            Err(error) => serde_json::json!({ "error": error.to_string() }),
        };
        match said["error"].as_str() {
            Some(error) => assert_eq!(ours["error"], error, "{address:?}"),
            None => assert_eq!(ours, said, "{address:?}"),
        }
    }
}

/// Every network with every form of an address: what Go listens on and says of what it does not, but for `0.0.0.0` and
/// `tcp`, where Go serves IPv6 as well.
#[test]
fn what_is_listened_on_is_what_go_listens_on() {
    let (Some(program), Some(go)) = (program(), go_program("behaviour")) else { return };
    let mut differences = Vec::new();
    for network in ["tcp", "tcp4", "tcp6", "udp", "udp4", "udp6"] {
        for address in [
            ":0",
            "",
            ":",
            "127.0.0.1:0",
            "127.0.0.1:",
            "[127.0.0.1]:0",
            "[::1]:0",
            "[::]:0",
            "[]:0",
            "[::ffff:127.0.0.1]:0",
            "[::ffff:127.0.0.1%lo]:0",
            "::1:0",
            "[::1]",
            "::1",
            "127.0.0.1",
            "127.0.0.1:0:0",
            "[127.0.0.1:0",
            "127.0.0.1]:0",
            "192.0.2.1:0",
        ] {
            let said = finish(Command::new(&go).args(["listen", network, address])).json().remove(0);
            let said = match said["error"].as_str() {
                Some(error) => error.to_owned(),
                None => said["result"][0].as_str().unwrap_or_default().to_owned(),
            };
            let ours = listened_on(&program, network, address);
            if portless(&ours) != portless(&said) {
                differences.push(format!("{network} {address:?}: {ours} Go: {said}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The address that the program prints, or its complaint.
fn listened_on(program: &std::path::Path, network: &str, address: &str) -> String {
    // A complaint comes by itself, and an address before anybody is there.
    let mut server = Running::start(Command::new(program).args(["listen", network, address, "--echo"]));
    match server.line_or_complaint() {
        Ok(address) => address,
        Err(complaint) => complaint.trim().trim_start_matches("landline: ").to_owned(),
    }
}

/// Without the port, which the kernel chose, where it is an address alone.
fn portless(text: &str) -> &str {
    match text.parse::<std::net::SocketAddr>() {
        Ok(_) => text.rsplit_once(':').map_or(text, |(host, _)| host),
        Err(_) => text,
    }
}
