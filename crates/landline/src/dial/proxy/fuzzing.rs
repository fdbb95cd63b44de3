//! What must hold of what proxies answer, and of proxies as users write them.

#![allow(missing_docs)] // Each is named after what it parses.

use super::handshake::{Connect, Endpoint, EndpointHost, Handshake, Next, Socks4, Socks5, Taken};
use super::{Proxy, ProxyEnvironment};

/// The first byte says which handshake it is, the rest is what the proxy says.
pub fn proxy(data: &[u8]) {
    let Some((&kind, answers)) = data.split_first() else { return };
    let whole = converse(kind, answers, usize::MAX);
    // Whatever the packets it comes in.
    for size in [1, 3] {
        assert_eq!(converse(kind, answers, size), whole, "in pieces of {size}");
    }
}

fn make(kind: u8) -> Box<dyn Handshake> {
    let target = Endpoint { host: EndpointHost::Name("example.com".to_owned()), port: 443 };
    match kind % 4 {
        0 => Box::new(Connect::new(target, None).expect("a plain request")),
        1 => Box::new(Socks4::new(&target, b"me").expect("a plain request")),
        2 => Box::new(Socks5::new(target, None).expect("a plain request")),
        _ => {
            let login = Some((b"me".to_vec(), b"pw".to_vec()));
            Box::new(Socks5::new(target, login).expect("a plain request"))
        }
    }
}

/// How a conversation ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The way is open, and so many bytes are left for whoever comes next.
    Open(usize),
    Failed,
    MoreWanted,
}

/// All that is said to the proxy, and the end.
fn converse(kind: u8, answers: &[u8], size: usize) -> (Vec<u8>, End) {
    let mut handshake = make(kind);
    let mut said = handshake.begin().bytes;
    let (mut at, mut shown) = (0, 0_usize);
    loop {
        shown = answers.len().min(shown.saturating_add(size).max(at));
        if shown == at {
            return (said, End::MoreWanted);
        }
        match handshake.receive(&answers[at..shown]) {
            Err(error) => {
                // It is shown to users, and holds nothing that drives a terminal.
                assert!(!error.to_string().chars().any(char::is_control));
                return (said, End::Failed);
            }
            Ok(Taken { used, next }) => {
                at += used;
                assert!(at <= shown, "it takes what it was shown");
                match next {
                    Next::More => assert_eq!(at, shown, "an incomplete answer is taken whole"),
                    Next::Ask(_, ask) => said.extend(ask.bytes),
                    Next::Open(_) => return (said, End::Open(answers.len() - at)),
                }
            }
        }
    }
}

/// A URL of a proxy, and after a line's end a list of what is dialed directly.
pub fn proxy_url(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (url, list) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(proxy) = url.parse::<Proxy>() {
        let shown = proxy.to_string();
        let again: Proxy = shown.parse().expect("what is printed can be read");
        // All but the zone, which is printed as it is written in addresses.
        if !shown.contains('%') {
            assert_eq!(again.to_string(), shown);
        }
        assert_eq!((again.scheme(), again.port()), (proxy.scheme(), proxy.port()));
    }
    let environment = ProxyEnvironment::from_vars([("all_proxy", "http://192.0.2.1"), ("no_proxy", list)]);
    for host in ["example.com", "192.0.2.7", "2001:db8::1"] {
        assert!(environment.proxy_for_tcp(host, 80).is_ok());
    }
}
