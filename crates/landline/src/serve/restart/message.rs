//! What a server and its successor say to each other: pure code.

use std::fmt;

use crate::network::Network;

/// The most that one message has.
pub(super) const LONGEST: usize = 4096;

/// So many descriptors go with one message; the kernel takes 253 (`SCM_MAX_FD`).
pub(super) const MOST_SOCKETS: usize = 64;

const VERSION: &str = "landline-restart 1";

/// One record on the seqpacket socket between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// The successor's first words: it wants the sockets.
    Hello,
    /// Sockets of one address come with this, named as the server was asked to listen.
    Sockets {
        /// The network, without the IP version where the server does not care.
        network: Network,
        /// As it was written.
        address: String,
    },
    /// The socket on which the next successor will call comes with this.
    Point,
    /// Those were all.
    End,
    /// The successor serves.
    Ready,
    /// The server accepts no more.
    Done,
}

/// What a message should have been and was not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotUnderstood(String);

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Message::Hello => VERSION.into(),
            Message::Sockets { network, address } => format!("sockets {network} {address}").into(),
            Message::Point => "point".into(),
            Message::End => "end".into(),
            Message::Ready => "ready".into(),
            Message::Done => "done".into(),
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Message, NotUnderstood> {
        let not_understood = || NotUnderstood(bytes[..bytes.len().min(80)].escape_ascii().to_string());
        let text = std::str::from_utf8(bytes).map_err(|_| not_understood())?;
        match text {
            VERSION => Ok(Message::Hello),
            "point" => Ok(Message::Point),
            "end" => Ok(Message::End),
            "ready" => Ok(Message::Ready),
            "done" => Ok(Message::Done),
            _ => {
                let sockets = text.strip_prefix("sockets ").and_then(|rest| rest.split_once(' '));
                let (network, address) = sockets.ok_or_else(not_understood)?;
                let network = network.parse().map_err(|_| not_understood())?;
                Ok(Message::Sockets { network, address: address.to_owned() })
            }
        }
    }
}

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "restart: not understood: \"{}\"", self.0)
    }
}

impl std::error::Error for NotUnderstood {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Family, UnixKind};
    use proptest::prelude::*;

    #[test]
    fn what_is_written_is_read() {
        let sockets = |network, address: &str| Message::Sockets { network, address: address.to_owned() };
        for (message, text) in [
            (Message::Hello, "landline-restart 1"),
            (sockets(Network::Tcp(Family::Any), ":8080"), "sockets tcp :8080"),
            (sockets(Network::Udp(Family::V6), ""), "sockets udp6 "),
            (sockets(Network::Unix(UnixKind::Seqpacket), "/a b"), "sockets unixpacket /a b"),
            (Message::Point, "point"),
            (Message::End, "end"),
            (Message::Ready, "ready"),
            (Message::Done, "done"),
        ] {
            assert_eq!(message.encode(), text.as_bytes());
            assert_eq!(Message::decode(text.as_bytes()), Ok(message));
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for text in ["", "landline-restart 2", "sockets tcp", "sockets tcp9 :80", "ready\n", "\u{0}"] {
            let error = Message::decode(text.as_bytes()).unwrap_err();
            assert!(error.to_string().contains(&text.as_bytes().escape_ascii().to_string()), "{error}");
        }
        assert!(Message::decode(&[b'x'; 10_000]).unwrap_err().to_string().len() < 200);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
            }
        }
    }
}
