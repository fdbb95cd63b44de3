//! What is served, and where, from the words of the command line. Pure.

use landline::Addr;

use crate::failure::Failure;

/// Where it listens unless told otherwise.
pub(super) const ADDRESS: &str = "127.0.0.1:8080";

/// A directory and an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) directory: String,
    pub(super) address: String,
}

impl Place {
    /// Of two words the first is the directory. One alone is a directory if there is such, and else an address.
    pub(super) fn of(
        first: Option<&str>,
        second: Option<&str>,
        is_directory: impl Fn(&str) -> bool,
    ) -> Result<Place, Failure> {
        let place = |directory: &str, address: &str| Place {
            directory: directory.to_owned(),
            address: address.to_owned(),
        };
        Ok(match (first, second) {
            (Some(directory), Some(address)) => place(directory, address),
            (Some(word), None) if is_directory(word) => place(word, ADDRESS),
            (Some(word), None) if is_address(word) => place(".", word),
            (Some(word), None) => {
                return Err(Failure::Usage(format!(
                    "serve {word}: neither a directory nor an address such as :8080"
                )));
            }
            (None, second) => place(".", second.unwrap_or(ADDRESS)),
        })
    }
}

fn is_address(word: &str) -> bool {
    word.contains(':') && !word.starts_with(['/', '.'])
}

/// The network of an address, and the address there: `unix:PATH`, or one of TCP, without a host that of loopback.
pub(super) fn network(address: &str) -> (&'static str, String) {
    match (address.strip_prefix("unix:"), address.strip_prefix(':')) {
        (Some(path), _) => ("unix", path.to_owned()),
        (None, Some(port)) => ("tcp", format!("127.0.0.1:{port}")),
        (None, None) => ("tcp", address.to_owned()),
    }
}

/// What to ask a browser for.
pub(super) fn url(local: &Addr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    match local.as_socket() {
        Some(socket) if socket.ip().to_canonical().is_unspecified() => {
            format!("{scheme}://localhost:{}/", socket.port())
        }
        Some(socket) => format!("{scheme}://{socket}/"),
        None => format!("unix:{local}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn one_word_is_a_directory_or_an_address() {
        for (words, expected) in [
            (&[][..], Some((".", ADDRESS))),
            (&["site"], Some(("site", ADDRESS))),
            (&["a:b"], Some(("a:b", ADDRESS))),
            (&[":80"], Some((".", ":80"))),
            (&["unix:/run/x"], Some((".", "unix:/run/x"))),
            (&["systemd:web"], Some((".", "systemd:web"))),
            (&["missing", ":80"], Some(("missing", ":80"))),
            (&["missing"], None),
            (&["8080"], None),
            (&["./a:b"], None),
        ] {
            let place = Place::of(words.first().copied(), words.get(1).copied(), |word| {
                matches!(word, "site" | "a:b")
            });
            let place = place.ok();
            let place = place.as_ref().map(|place| (&*place.directory, &*place.address));
            assert_eq!(place, expected, "{words:?}");
        }
    }

    #[test]
    fn addresses_and_their_urls() {
        assert_eq!(network(":80"), ("tcp", "127.0.0.1:80".to_owned()));
        assert_eq!(network("[::]:80"), ("tcp", "[::]:80".to_owned()));
        assert_eq!(network("unix:/run/x"), ("unix", "/run/x".to_owned()));
        for (local, expected) in [
            ("127.0.0.1:80", "http://127.0.0.1:80/"),
            ("[::1]:80", "http://[::1]:80/"),
            ("0.0.0.0:80", "http://localhost:80/"),
            ("[::]:80", "http://localhost:80/"),
        ] {
            assert_eq!(url(&local.parse::<SocketAddr>().unwrap().into(), false), expected);
        }
    }
}
