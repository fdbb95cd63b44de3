//! Addresses mean to us what they mean to Go.

use std::process::Command;

use landline::split_host_port;
use landline_interop::{finish_with_input, go_program};

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
