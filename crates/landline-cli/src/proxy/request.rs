//! What an HTTP client asks a proxy for: a tunnel, or a request passed on (RFC 9110 section 7.6, RFC 9112 section 3.2).

use landline::{join_host_port, split_host_port};

use super::logins::Logins;

/// The most bytes and fields of a head.
pub(crate) const LONGEST_HEAD: usize = 64 * 1024;
const MOST_FIELDS: usize = 128;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// `CONNECT`.
    Tunnel { host: String, port: u16 },
    /// Any other method: the head to send on; the body follows as it comes.
    Forward { host: String, port: u16, head: Vec<u8> },
}

/// An answer that is no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: impl Into<String>) -> Refusal {
        Refusal { status, reason: reason.into() }
    }

    /// The whole answer, after which the conn ends.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let phrase = match self.status {
            400 => "Bad Request",
            403 => "Forbidden",
            407 => "Proxy Authentication Required",
            408 => "Request Timeout",
            431 => "Request Header Fields Too Large",
            502 => "Bad Gateway",
            504 => "Gateway Timeout",
            _ => "Error",
        };
        let challenge = match self.status {
            407 => "Proxy-Authenticate: Basic realm=\"landline\", charset=\"UTF-8\"\r\n",
            _ => "",
        };
        // The reason may name what came from outside.
        let body: String = self.reason.chars().filter(|ch| !ch.is_control()).collect();
        format!(
            "HTTP/1.1 {} {phrase}\r\n{challenge}Content-Type: text/plain; charset=utf-8\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}\n",
            self.status,
            body.len() + 1,
        )
        .into_bytes()
    }
}

/// Where a head ends: after an empty line.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    (0..bytes.len()).find_map(|at| {
        let rest = &bytes[at..];
        let length = if rest.starts_with(b"\n\r\n") {
            3
        } else if rest.starts_with(b"\n\n") {
            2
        } else {
            return None;
        };
        Some(at + length)
    })
}

/// Reads a whole head.
pub(crate) fn read(head: &[u8], logins: &Logins) -> Result<Request, Refusal> {
    let bad = |reason: &str| Refusal::new(400, reason);
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    match parsed.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Err(bad("the head is not complete")),
        Err(httparse::Error::TooManyHeaders) => return Err(Refusal::new(431, "too many header fields")),
        Err(error) => return Err(bad(&error.to_string())),
    }
    let (Some(method), Some(target), Some(version)) = (parsed.method, parsed.path, parsed.version) else {
        return Err(bad("the request line is not complete"));
    };
    if !logins.is_open() {
        let mut given = values(parsed.headers, "proxy-authorization");
        if !given.next().is_some_and(|value| logins.admit_basic(value)) {
            return Err(Refusal::new(407, "this proxy is for those it knows"));
        }
    }
    if method == "CONNECT" {
        let (host, port) = authority(target, None).map_err(|reason| bad(&reason))?;
        return Ok(Request::Tunnel { host, port });
    }
    check_framing(parsed.headers).map_err(bad)?;
    let Some(rest) = strip_prefix_ignoring_case(target, "http://") else {
        return Err(bad(match strip_prefix_ignoring_case(target, "https://") {
            Some(_) => "an https URL goes through CONNECT",
            None => "this is a proxy: the target has to be a whole http URL",
        }));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    if path.contains('#') {
        return Err(bad("a fragment in the target"));
    }
    let (host, port) = authority(host, Some(80)).map_err(|reason| bad(&reason))?;
    let path = match path {
        "" if method == "OPTIONS" => "*".to_owned(),
        path if path.starts_with('/') => path.to_owned(),
        path => format!("/{path}"),
    };
    let named = if port == 80 && !host.contains(':') { host.clone() } else { join_host_port(&host, port) };
    let named = if port == 80 && host.contains(':') { format!("[{host}]") } else { named };
    let mut head = format!("{method} {path} HTTP/1.{version}\r\nHost: {named}\r\n").into_bytes();
    let dropped = nominated(parsed.headers);
    for field in parsed.headers.iter() {
        let name = field.name.to_ascii_lowercase();
        if name == "host" || is_hop_by_hop(&name) || dropped.contains(&name) {
            continue;
        }
        head.extend(field.name.as_bytes());
        head.extend(b": ");
        head.extend(field.value);
        head.extend(b"\r\n");
    }
    head.extend(format!("Via: 1.{version} landline\r\nConnection: close\r\n\r\n").bytes());
    Ok(Request::Forward { host, port, head })
}

fn values<'a>(fields: &'a [httparse::Header<'a>], name: &'a str) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name)).map(|field| field.value)
}

/// RFC 9110 section 7.6.1.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "proxy-connection"
            | "keep-alive"
            | "te"
            | "upgrade"
            | "proxy-authorization"
            | "proxy-authenticate"
            | "http2-settings"
    )
}

/// The fields that `Connection` says are meant for us, but for those that tell where the body ends.
fn nominated(fields: &[httparse::Header<'_>]) -> Vec<String> {
    values(fields, "connection")
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(|name| String::from_utf8_lossy(name).trim().to_ascii_lowercase())
        .filter(|name| !matches!(name.as_str(), "content-length" | "transfer-encoding" | "host"))
        .collect()
}

/// Refuses what two servers may take for different lengths (RFC 9112 sections 6.1 and 6.3).
fn check_framing(fields: &[httparse::Header<'_>]) -> Result<(), &'static str> {
    let mut lengths = values(fields, "content-length");
    if let Some(length) = lengths.next() {
        if length.is_empty() || !length.iter().all(u8::is_ascii_digit) || length.len() > 18 {
            return Err("Content-Length is not a number");
        }
        if lengths.next().is_some() {
            return Err("more than one Content-Length");
        }
    }
    let mut codings = values(fields, "transfer-encoding");
    if let Some(coding) = codings.next() {
        if !coding.eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err("a Transfer-Encoding other than chunked");
        }
        if values(fields, "content-length").next().is_some() {
            return Err("both Content-Length and Transfer-Encoding");
        }
    }
    if values(fields, "host").count() > 1 {
        return Err("more than one Host");
    }
    Ok(())
}

/// `host:port`; without a port the one given, where there is one.
fn authority(text: &str, default: Option<u16>) -> Result<(String, u16), String> {
    if text.contains('@') {
        return Err("a user in the target".to_owned());
    }
    let (host, port) = match (split_host_port(text), default) {
        (Ok((host, port)), _) if !port.is_empty() => {
            (host, port.parse().map_err(|_| format!("no port {port:?}"))?)
        }
        (_, Some(default)) => {
            let host = text.strip_suffix(':').unwrap_or(text);
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            if bare.is_none() && host.contains(['[', ']', ':']) {
                return Err(format!("no host {text:?}"));
            }
            (bare.unwrap_or(host), default)
        }
        _ => return Err(format!("{text:?} is no HOST:PORT")),
    };
    if host.is_empty() || port == 0 {
        return Err(format!("{text:?} is no HOST:PORT"));
    }
    Ok((host.to_owned(), port))
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (start, rest) = text.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked(head: &str) -> Result<String, String> {
        match read(head.as_bytes(), &Logins::default()) {
            Ok(Request::Tunnel { host, port }) => Ok(format!("tunnel {host} {port}")),
            Ok(Request::Forward { host, port, head }) => {
                Ok(format!("{host} {port} {}", String::from_utf8(head).unwrap()))
            }
            Err(Refusal { status, reason }) => Err(format!("{status} {reason}")),
        }
    }

    #[test]
    fn tunnels() {
        for (target, expected) in [
            ("example.com:443", Ok("tunnel example.com 443")),
            ("[2001:db8::1]:22", Ok("tunnel 2001:db8::1 22")),
            ("example.com", Err("400 \"example.com\" is no HOST:PORT")),
            ("example.com:", Err("400 \"example.com:\" is no HOST:PORT")),
            (":443", Err("400 \":443\" is no HOST:PORT")),
            ("example.com:0", Err("400 \"example.com:0\" is no HOST:PORT")),
            ("example.com:65536", Err("400 no port \"65536\"")),
            ("me@example.com:443", Err("400 a user in the target")),
        ] {
            let head = format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\n");
            assert_eq!(asked(&head), expected.map(str::to_owned).map_err(str::to_owned), "{target}");
        }
    }

    #[test]
    fn requests_are_passed_on_with_what_is_theirs_and_without_what_is_ours() {
        let head = "GET http://Example.com/a?b=c HTTP/1.1\r\nHost: evil\r\nAccept: */*\r\nProxy-Connection: keep-alive\r\n\
                    Connection: X-Mine, close\r\nx-mine: 1\r\nTE: trailers\r\nUpgrade: h2c\r\nCookie: a=b\r\n\
                    Proxy-Authorization: Basic x\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(
            asked(head).unwrap(),
            "Example.com 80 GET /a?b=c HTTP/1.1\r\nHost: Example.com\r\nAccept: */*\r\nCookie: a=b\r\n\
             Content-Length: 5\r\nVia: 1.1 landline\r\nConnection: close\r\n\r\n"
        );
        for (line, expected) in [
            ("GET http://a HTTP/1.0", "a 80 GET / HTTP/1.0\r\nHost: a\r\nVia: 1.0 landline"),
            ("GET HTTP://a:8080/ HTTP/1.1", "a 8080 GET / HTTP/1.1\r\nHost: a:8080\r\n"),
            ("GET http://a?q HTTP/1.1", "a 80 GET /?q HTTP/1.1\r\n"),
            ("OPTIONS http://a HTTP/1.1", "a 80 OPTIONS * HTTP/1.1\r\n"),
            ("GET http://[::1]/ HTTP/1.1", "::1 80 GET / HTTP/1.1\r\nHost: [::1]\r\n"),
            ("GET http://[::1]:81/ HTTP/1.1", "::1 81 GET / HTTP/1.1\r\nHost: [::1]:81\r\n"),
        ] {
            let passed = asked(&format!("{line}\r\n\r\n")).unwrap();
            assert!(passed.starts_with(expected), "{line}: {passed}");
        }
        // What says where the body ends cannot be taken away by calling it ours.
        let passed =
            asked("POST http://a/ HTTP/1.1\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\n");
        assert!(passed.unwrap().contains("Content-Length: 2"));
    }

    #[test]
    fn what_is_no_request_to_a_proxy_or_may_be_two_is_refused() {
        for (head, words) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 this is a proxy"),
            ("GET https://a/ HTTP/1.1\r\n\r\n", "400 an https URL"),
            ("GET ftp://a/ HTTP/1.1\r\n\r\n", "400 this is a proxy"),
            ("GET http:///x HTTP/1.1\r\n\r\n", "400 "),
            ("GET http://u@a/ HTTP/1.1\r\n\r\n", "400 a user"),
            ("GET http://a/#x HTTP/1.1\r\n\r\n", "400 a fragment"),
            ("GET http://::1/ HTTP/1.1\r\n\r\n", "400 "),
            ("GET http://a/ HTTP/2.0\r\n\r\n", "400 "),
            ("GET http://a/ HTTP/1.1\r\n folded: x\r\n\r\n", "400 "),
            ("GET http://a/ HTTP/1.1\r\nA : x\r\n\r\n", "400 "),
            ("GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 more than one Host"),
            (
                "GET http://a/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
                "400 more than one Content",
            ),
            ("GET http://a/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n", "400 Content-Length is not"),
            ("GET http://a/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "400 both"),
            ("GET http://a/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "400 a Transfer-Encoding"),
        ] {
            let error = asked(head).expect_err(head);
            assert!(error.starts_with(words), "{head}: {error}");
        }
        let many = "A: b\r\n".repeat(MOST_FIELDS + 1);
        assert!(asked(&format!("GET http://a/ HTTP/1.1\r\n{many}\r\n")).unwrap_err().starts_with("431"));
    }

    #[test]
    fn who_is_unknown_is_asked_who_he_is() {
        let mut logins = Logins::default();
        logins.add("a:b").unwrap();
        let head = |field: &str| format!("CONNECT x:1 HTTP/1.1\r\n{field}\r\n");
        let refusal = read(head("").as_bytes(), &logins).unwrap_err();
        assert!(String::from_utf8(refusal.to_bytes()).unwrap().contains("Proxy-Authenticate: Basic"));
        assert!(read(head("Proxy-Authorization: Basic YTpj\r\n").as_bytes(), &logins).is_err());
        assert!(read(head("Proxy-Authorization: Basic YTpi\r\n").as_bytes(), &logins).is_ok());
        // Only one is looked at, so nobody tries a list of passwords with one request.
        let two = head("Proxy-Authorization: Basic YTpj\r\nProxy-Authorization: Basic YTpi\r\n");
        assert!(read(two.as_bytes(), &logins).is_err());
    }

    proptest! {
        /// Whatever a client says, at most one request goes out, and its head is one that we would take.
        #[test]
        fn what_is_passed_on_is_one_request(
            target in "(http://)?[a-z0-9.:@/?#\\[\\]-]{0,20}",
            fields in prop::collection::vec(
                ("(Connection|Content-Length|Transfer-Encoding|Host|X|Te)", "[ -~\\t]{0,12}|chunked|[0-9]{1,3}"),
                0..6,
            ),
        ) {
            let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("GET {target} HTTP/1.1\r\n{fields}\r\n");
            if let Ok(Request::Forward { host, port, head }) = read(head.as_bytes(), &Logins::default()) {
                prop_assert!(!host.is_empty() && port != 0);
                prop_assert_eq!(head_end(&head), Some(head.len()));
                let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS + 4];
                let mut again = httparse::Request::new(&mut fields);
                prop_assert!(again.parse(&head).unwrap().is_complete());
                prop_assert_eq!(values(again.headers, "host").count(), 1);
                prop_assert!(check_framing(again.headers).is_ok());
            }
        }
    }

    #[test]
    fn heads_end_with_an_empty_line() {
        for (bytes, end) in [
            ("GET / HTTP/1.1\r\n\r\nbody", Some(18)),
            ("GET / HTTP/1.1\n\nbody", Some(16)),
            ("GET / HTTP/1.1\r\nA: b\r\n", None),
            ("\r\n\r\n", Some(4)),
            ("", None),
        ] {
            assert_eq!(head_end(bytes.as_bytes()), end, "{bytes:?}");
        }
    }
}
