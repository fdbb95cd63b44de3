//! Who speaks HTTP where TLS is spoken. All that TLS would say is an alert of seven bytes, which tells such a client nothing.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use landline::{Conn, TlsConn};
use rustls::ServerConfig;
use tokio::time::{Instant, timeout};

use super::linger::linger;

/// What a client speaks, by what it says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoken {
    Http,
    /// It may become a method.
    Unknown,
    /// TLS, or nothing known here.
    Other,
}

/// The longest name of a method that is looked for, in bytes; that of RFC 3253's `BASELINE-CONTROL` has 16.
const LONGEST: usize = 20;

/// Of a line, which is a method, a space and a target (RFC 9112 section 3), the beginning. No record of TLS begins with a
/// letter (RFC 8446 section 5.1); but commands of other protocols do, such as `EHLO`.
fn spoken(heard: &[u8]) -> Spoken {
    let is_of_method = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
    let (method, rest) = heard.split_at(heard.iter().take_while(|byte| is_of_method(byte)).count());
    if method.len() > LONGEST || heard.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return Spoken::Other;
    }
    match rest {
        [] => Spoken::Unknown,
        [b' ', ..] if method == b"CONNECT" => Spoken::Http,
        [b' ', b'/' | b'*', ..] => Spoken::Http,
        [b' ', target @ ..] if target.starts_with(b"http") => Spoken::Http,
        [b' ', target @ ..] if b"http".starts_with(target) => Spoken::Unknown,
        _ => Spoken::Other,
    }
}

/// In Go's words, which people look for.
const WORDS: &str = "Client sent an HTTP request to an HTTPS server.\n";

/// What is said to one who speaks HTTP; to a HEAD without the words.
fn answer(heard: &[u8]) -> String {
    let words = if heard.starts_with(b"HEAD ") { "" } else { WORDS };
    let length = WORDS.len();
    format!(
        "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Length: {length}\r\n\r\n{words}"
    )
}

/// What has become of a handshake.
pub(super) enum Accepted {
    Tls(TlsConn),
    /// There was none, as the client speaks HTTP; what it is told.
    Plain(Conn, String),
    /// It began like HTTP, and went on like nothing.
    Neither,
}

/// Shakes hands, unless the client speaks HTTP.
pub(super) async fn accept(conn: Conn, config: Arc<ServerConfig>) -> landline::Result<Accepted> {
    let mut heard = [0; LONGEST + " http".len()];
    let count = match &conn {
        Conn::Tcp(conn) => conn.peek(&mut heard).await?,
        Conn::Unix(conn) => conn.peek(&mut heard).await?,
        _ => 0,
    };
    match spoken(&heard[..count]) {
        Spoken::Unknown if count > 0 => {
            let mut heard = Vec::new();
            while spoken(&heard) == Spoken::Unknown {
                let more = conn.read_pooled().await?;
                if more.is_empty() {
                    return Ok(Accepted::Neither);
                }
                heard.extend_from_slice(&more);
            }
            Ok(match spoken(&heard) {
                Spoken::Http => Accepted::Plain(conn, answer(&heard)),
                _ => Accepted::Neither,
            })
        }
        Spoken::Http => Ok(Accepted::Plain(conn, answer(&heard))),
        _ => Ok(Accepted::Tls(TlsConn::accept(conn, config).await?)),
    }
}

/// How often a warning is given: it is the clients who decide how often there is a reason.
const BETWEEN: Duration = Duration::from_secs(60);

/// Tells of clients who speak HTTP; of each worker one.
#[derive(Debug, Default)]
pub(super) struct Plain {
    warned: Cell<Option<Instant>>,
}

impl Plain {
    /// Says to a client that it should speak TLS, and ends the conn.
    pub(super) fn refuse(
        &self,
        conn: Conn,
        answer: String,
        longest: Duration,
    ) -> Pin<Box<dyn Future<Output = ()>>> {
        let peer = conn.peer_addr().ok();
        let peer = peer.as_ref().map(tracing::field::display);
        if self.is_time_to_warn(Instant::now()) {
            tracing::warn!(target: "landline_http", peer, "a client sent an HTTP request to an HTTPS server");
        } else {
            tracing::debug!(target: "landline_http", peer, "a client sent an HTTP request to an HTTPS server");
        }
        Box::pin(async move {
            // It has heard nothing yet, so there is room for it.
            let told = timeout(Duration::from_secs(1), conn.write_all(answer.as_bytes())).await;
            // Closed now, what it still sends would reset the conn, and take the answer with it.
            if matches!(told, Ok(Ok(()))) && !longest.is_zero() {
                linger(&conn, longest).await;
            }
        })
    }

    fn is_time_to_warn(&self, now: Instant) -> bool {
        let is_time = self.warned.get().is_none_or(|warned| now.duration_since(warned) >= BETWEEN);
        if is_time {
            self.warned.set(Some(now));
        }
        is_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_http_and_what_like_tls() {
        for (heard, expected) in [
            (&b"GET / HTTP/1.1\r\n"[..], Spoken::Http),
            (b"GET http://a/", Spoken::Http),
            (b"GET /", Spoken::Http),
            (b"CONNECT a:1", Spoken::Http),
            (b"GET ", Spoken::Unknown),
            (b"GET ht", Spoken::Unknown),
            (b"GET a", Spoken::Other),
            (b"PRI * HTTP/2.0\r\n", Spoken::Http),
            (b"VERSION-CONTROL /", Spoken::Http),
            (b"", Spoken::Unknown),
            (b"G", Spoken::Unknown),
            (b"OPTIONS", Spoken::Unknown),
            (b"SSH-2.0", Spoken::Other),
            (b"A b", Spoken::Other),
            (b"get /", Spoken::Other),
            (b"-GET /", Spoken::Other),
            (b" GET /", Spoken::Other),
            (b"EHLO\r\n", Spoken::Other),
            (b"EHLO a\r\n", Spoken::Other),
            (&[b'A'; LONGEST + 1], Spoken::Other),
            // A ClientHello, and one of SSL 2.0.
            (&[0x16, 3, 1, 0, 0xee], Spoken::Other),
            (&[0x80, 0x2e, 1], Spoken::Other),
        ] {
            assert_eq!(spoken(heard), expected, "{:?}", heard.escape_ascii().to_string());
        }
    }

    #[test]
    fn a_head_alone_for_who_asks_for_one() {
        let (head, words) = (answer(b"HEAD / HTTP/1.1\r\n"), answer(b"GET / HTTP/1.1\r\n"));
        assert!(head.ends_with("\r\n\r\n") && words.strip_prefix(&head) == Some(WORDS));
        assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", WORDS.len())));
    }

    #[test]
    fn warnings_do_not_come_as_often_as_their_reasons() {
        let (plain, now) = (Plain::default(), Instant::now());
        let times = [0, 1, 59, 60, 61, 119, 120].map(|secs| now + Duration::from_secs(secs));
        let warned = times.map(|time| plain.is_time_to_warn(time));
        assert_eq!(warned, [true, false, false, true, false, false, true]);
    }
}
