//! Requests that can be taken in more than one way, each with another inside that nobody meant to send.

/// What stands in for the number of a case, so that each has paths of its own.
const NUMBER: &str = "NUMBER";

/// The request inside: if it is answered, somebody has taken it for one.
const INNER: &str = "GET /smuggled-NUMBER HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";

/// Ways to write `Transfer-Encoding: chunked`, good and bad. Some hide it from one reader, some show it to another.
const CODINGS: &[&str] = &[
    "Transfer-Encoding: chunked",
    "transfer-encoding:chunked",
    "Transfer-Encoding: CHUNKED",
    "Transfer-Encoding:\tchunked",
    "Transfer-Encoding: chunked \t",
    "Transfer-Encoding: \x0bchunked",
    "Transfer-Encoding: chunked\x0b",
    "Transfer-Encoding: \x0cchunked",
    "Transfer-Encoding: xchunked",
    "Transfer-Encoding: chunkedx",
    "Transfer-Encoding: \"chunked\"",
    "Transfer-Encoding: chunked;q=1",
    "Transfer-Encoding: ,chunked",
    "Transfer-Encoding: chunked,",
    "Transfer-Encoding: chunked, identity",
    "Transfer-Encoding: identity, chunked",
    "Transfer-Encoding: gzip, chunked",
    "Transfer-Encoding: chunked, chunked",
    "Transfer-Encoding: identity",
    "Transfer-Encoding:",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding : chunked",
    "Transfer-Encoding\t: chunked",
    " Transfer-Encoding: chunked",
    "X: y\r\n Transfer-Encoding: chunked",
    "Transfer-Encoding:\r\n chunked",
    "Transfer-Encoding: x\r\n chunked",
    "X: y\nTransfer-Encoding: chunked",
    "X: y\rTransfer-Encoding: chunked",
    "X: y\0\r\nTransfer-Encoding: chunked",
    "Transfer-Encoding: chunked\0",
    "Transfer_Encoding: chunked",
    "Transfer-Encoding\0: chunked",
    "\x01Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked\nX: y",
    "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
];

/// Ways to write a length, of which `LENGTH` is that of the request inside.
const LENGTHS: &[&str] = &[
    "Content-Length: LENGTH",
    "Content-Length: 0\r\nContent-Length: LENGTH",
    "Content-Length: LENGTH\r\nContent-Length: 0",
    "Content-Length: LENGTH\r\nContent-Length: LENGTH",
    "Content-Length: 0, LENGTH",
    "Content-Length: LENGTH, 0",
    "Content-Length: LENGTH, LENGTH",
    "Content-Length: +LENGTH",
    "Content-Length: -LENGTH",
    "Content-Length: 0x0LENGTH",
    "Content-Length: 000LENGTH",
    "Content-Length: LENGTH \t",
    "Content-Length: \x0bLENGTH",
    "Content-Length: LENGTH\x0b",
    "Content-Length: LENGTH.0",
    "Content-Length: LENGTHe0",
    "Content-Length: 0 LENGTH",
    "Content-Length: 0\r\n LENGTH",
    "Content-Length:\r\n LENGTH",
    "Content-Length : LENGTH",
    "Content_Length: LENGTH",
    "Content-Length: ",
    "Content-Length: 184467440737095516160",
    "X: y\nContent-Length: LENGTH",
    "X: y\rContent-Length: LENGTH",
    "X: y\0\r\nContent-Length: LENGTH",
    "Connection: Content-Length\r\nContent-Length: LENGTH",
    "Connection: close, Content-Length\r\nContent-Length: LENGTH",
    "Expect: 100-continue\r\nContent-Length: LENGTH",
    "Expect: y, 100-continue\r\nContent-Length: LENGTH",
    "Expect: cake\r\nContent-Length: LENGTH",
    "Expect:\r\n 100-continue\r\nContent-Length: LENGTH",
    "Connection: Upgrade\r\nUpgrade: cake\r\nContent-Length: LENGTH",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: LENGTH",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nContent-Length: LENGTH",
    "Host: b\r\nContent-Length: LENGTH",
    "Host : b\r\nContent-Length: LENGTH",
    " Host: b\r\nContent-Length: LENGTH",
    "X: y\r\n Host: b\r\nContent-Length: LENGTH",
    "Trailer: Content-Length\r\nContent-Length: LENGTH",
    "Content-Encoding: chunked\r\nContent-Length: LENGTH",
    "TE: chunked\r\nContent-Length: LENGTH",
    "X-HTTP-Method-Override: GET\r\nContent-Length: LENGTH",
    "Keep-Alive: timeout=0\r\nContent-Length: LENGTH",
    "Range: bytes=0-1\r\nContent-Length: LENGTH",
];

/// Bodies in chunks with something about their framing; `SIZE` is the length of `INNER` in hexadecimal digits.
const CHUNKS: &[&str] = &[
    "SIZE\r\nINNER\r\n0\r\n\r\n",
    "000000000000000000000000SIZE\r\nINNER\r\n0\r\n\r\n",
    "0xSIZE\r\nINNER\r\n0\r\n\r\n",
    "+SIZE\r\nINNER\r\n0\r\n\r\n",
    "-SIZE\r\nINNER\r\n0\r\n\r\n",
    " SIZE\r\nINNER\r\n0\r\n\r\n",
    "SIZE \r\nINNER\r\n0\r\n\r\n",
    "SIZE\t;x\r\nINNER\r\n0\r\n\r\n",
    "SIZE;x=\"\r\n\"\r\nINNER\r\n0\r\n\r\n",
    "SIZE;\nINNER\r\n0\r\n\r\n",
    "SIZE;x\nINNER\n0\n\n",
    "SIZE\nINNER\n0\n\n",
    "SIZE\rINNER\r0\r\r",
    "SIZE\r\rINNER\r\n0\r\n\r\n",
    "SIZE;x\rX\r\nINNER\r\n0\r\n\r\n",
    "SIZE\r\nINNER0\r\n\r\n",
    "SIZE\r\nINNERxx0\r\n\r\n",
    "SIZE\r\nINNER\n0\r\n\r\n",
    "1\r\nA\r\r\n0\r\n\r\nINNER",
    "2;\n0\r\n\r\n\r\nINNER",
    "2;\nxx\r\nSIZE\r\n0\r\n\r\nINNER",
    "0\r\n\r\nINNER",
    "0;\n\r\nINNER",
    "0\n\nINNER",
    "0\r\rINNER",
    "0\r\n\nINNER",
    "0\n\r\nINNER",
    "00000\r\n\r\nINNER",
    "0\r\nINNER",
    "0\r\nContent-Length: 5\r\n\r\nINNER",
    "0\r\nTransfer-Encoding: chunked\r\n\r\nINNER",
    "0\r\nHost: b\r\n\r\nINNER",
    "0\r\nX: y\r\n z\r\n\r\nINNER",
    "0\r\nX: y\n\nINNER",
    "0\r\n X: y\r\n\r\nINNER",
    "\r\n0\r\n\r\nINNER",
    "FFFFFFFFFFFFFFFF\r\nINNER",
    "10000000000000000\r\nINNER",
    "100000000SIZE\r\nINNER\r\n0\r\n\r\n",
    "SIZEg\r\nINNER\r\n0\r\n\r\n",
    "SIZE,0\r\nINNER\r\n0\r\n\r\n",
    "\r\nINNER",
    ";\r\nINNER",
];

/// Beginnings that are none, or not quite, in front of the request inside.
const HEADS: &[&str] = &[
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\nX: y\r\n\r",
    "GET /case-NUMBER HTTP/1.1\nHost: a\n\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\rHost: a\r\r",
    "\r\nGET /case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "\nGET /case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "\0GET /case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    " GET /case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER\r\n",
    "GET /case-NUMBER \r\n",
    "GET /case-NUMBER HTTP/1.1\r\n\r\n",
    "GET /case-NUMBER HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost:\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a, b\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a/smuggled-NUMBER?\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\n: y\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER\tHTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER  HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER HTTP/1.2\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER HTTP/01.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER HTTP/2.0\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER http/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER%0d%0a%0d%0aGET%20/smuggled-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER\rGET /smuggled-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http://b/case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET http:///case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /case-NUMBER#/../smuggled-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /probe HTTP/1.1\r\nHost: a\r\n\r\n",
    "HEAD /probe HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "HEAD /probe HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
    "TRACE /case-NUMBER HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\n",
    "POST /case-NUMBER HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "GET /case-NUMBER HTTP/1.1\r\nHost: a\r\nConnection: Host\r\n\r\n",
    "GET /probe HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\nContent-Length: 5\r\n\r\nhello",
    "GET /probe HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\nContent-Length: 5\r\n\r\nhello",
];

/// Every case as it goes over the wire.
pub(super) fn all() -> Vec<String> {
    let (length, size) = (inner_at(0).len(), format!("{:x}", inner_at(0).len()));
    let mut cases = Vec::new();
    let head = |method: &str, path: &str, fields: &str| {
        format!("{method} /{path} HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n")
    };
    for coding in CODINGS {
        // Whole for those who go by the length; for those who go by chunks the one inside comes behind.
        let by_length = format!("Content-Length: {}", length + 5);
        // Whole for those who go by chunks; for those who go by the length the one inside comes behind.
        let by_chunks = format!("Content-Length: {}", size.len() + 2);
        for (length, body) in
            [(by_length, format!("0\r\n\r\n{INNER}")), (by_chunks, format!("{size}\r\n{INNER}\r\n0\r\n\r\n"))]
        {
            for fields in
                [format!("{length}\r\n{coding}"), format!("{coding}\r\n{length}"), (*coding).to_owned()]
            {
                cases.push(format!("{}{body}", head("POST", "case-NUMBER", &fields)));
            }
        }
    }
    for fields in LENGTHS {
        let fields = fields.replace("LENGTH", &length.to_string());
        // Files are not posted to, and a GET has a body that nobody reads.
        for (method, path) in [("POST", "case-NUMBER"), ("GET", "probe"), ("HEAD", "probe")] {
            cases.push(format!("{}{INNER}", head(method, path, &fields)));
        }
    }
    for body in CHUNKS {
        let body = body.replace("SIZE", &size).replace("INNER", INNER);
        for (method, path) in [("POST", "case-NUMBER"), ("GET", "probe")] {
            cases.push(format!("{}{body}", head(method, path, "Transfer-Encoding: chunked")));
        }
    }
    cases.extend(HEADS.iter().map(|head| format!("{head}{INNER}")));
    for (number, case) in cases.iter_mut().enumerate() {
        *case = case.replace(NUMBER, &padded(number));
    }
    cases
}

/// A number of which the width is that of its placeholder's: lengths were counted before.
fn padded(number: usize) -> String {
    format!("{number:0width$}", width = NUMBER.len())
}

fn inner_at(number: usize) -> String {
    INNER.replace(NUMBER, &padded(number))
}
