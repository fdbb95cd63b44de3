//! `landline serve` for load generators and for the HTTP clients of other languages.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use landline_interop::{Running, finish, free_address, go_program, peer, program, until_bound};
use tempfile::TempDir;

/// How long `large` is, in bytes.
const LARGE: usize = 3_000_000;

/// A directory with a page and something large, served.
struct Site {
    server: Running,
    address: SocketAddrV4,
    directory: TempDir,
}

impl Site {
    fn start(program: &Path, options: &[&str]) -> Site {
        let (directory, address) = (TempDir::new().unwrap(), free_address());
        fs::write(directory.path().join("page"), "0123456789").unwrap();
        fs::write(directory.path().join("large"), vec![b'x'; LARGE]).unwrap();
        let mut command = Command::new(program);
        command.args(["serve", directory.path().to_str().unwrap(), &address.to_string()]).args(options);
        let server = Running::start(&mut command);
        until_bound("tcp", &address.to_string());
        Site { server, address, directory }
    }

    /// It has neither ended nor complained.
    #[track_caller]
    fn end(mut self) {
        assert_eq!(self.server.ended(), None);
        let said = self.server.stop();
        let told = |line: &str| line.starts_with("serving ") || line.starts_with("certificate ");
        assert!(said.lines().all(told), "{said}");
    }
}

#[test]
fn wrk_finds_no_errors() {
    let (Some(program), Some(wrk)) = (program(), peer("wrk")) else { return };
    let site = Site::start(&program, &[]);
    let url = format!("http://{}/page", site.address);
    let done = finish(Command::new(wrk).args(["-t", "1", "-c", "32", "-d", "1s", "--timeout", "20s", &url]));
    let said = done.success();
    assert!(said.contains(" requests in ") && !said.contains("\n  0 requests in "), "{said}");
    // Both lines are there only where something went wrong.
    assert!(!said.contains("Socket errors") && !said.contains("Non-2xx"), "{said}");
    site.end();
}

#[test]
fn h2load_has_an_answer_to_every_request() {
    let (Some(program), Some(h2load)) = (program(), peer("h2load")) else { return };
    for (scheme, options, arguments) in [
        ("http", &[][..], &["-m", "10"][..]),
        ("http", &[], &["--h1"]),
        ("https", &["--self-signed"], &["-m", "10"]),
        ("https", &["--self-signed"], &["--h1"]),
    ] {
        let site = Site::start(&program, options);
        let urls = ["page", "large", "none"].map(|name| format!("{scheme}://{}/{name}", site.address));
        let mut command = Command::new(&h2load);
        let done = finish(command.args(["-n", "300", "-c", "10"]).args(arguments).args(urls));
        let said = done.success();
        // An answer of 404 counts as failed.
        for expected in [
            "300 total, 300 started, 300 done, 200 succeeded, 100 failed, 0 errored",
            "200 2xx, 0 3xx, 100 4xx",
        ] {
            assert!(said.contains(expected), "{scheme} {arguments:?}: {said}");
        }
        site.end();
    }
}

#[test]
fn nghttp_has_large_files_beside_others_in_one_conn() {
    let (Some(program), Some(nghttp)) = (program(), peer("nghttp")) else { return };
    let site = Site::start(&program, &[]);
    // The same one twice it would ask for once.
    let urls =
        ["large?1", "page?2", "large?3", "page?4"].map(|name| format!("http://{}/{name}", site.address));
    let done = finish(Command::new(nghttp).args(urls));
    done.success();
    // What answers to requests under way at once say may be mixed.
    assert_eq!(done.bytes.iter().filter(|&&byte| byte == b'x').count(), 2 * LARGE);
    assert_eq!(done.bytes.len(), 2 * LARGE + 20);
    site.end();
}

#[test]
fn curl_keeps_an_upload_that_is_refused_to_itself() {
    let (Some(program), Some(curl)) = (program(), peer("curl")) else { return };
    let site = Site::start(&program, &[]);
    let (large, url) = (site.directory.path().join("large"), format!("http://{}/page", site.address));
    let upload = |expect: &str| {
        let mut command = Command::new(&curl);
        command.args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-H", expect, "--expect100-timeout", "25"]);
        command.args(["-w", "%{http_code} %{size_upload}\n", "-T"]).arg(&large).arg(&url).arg(&url);
        // The second is for a download behind it, in the same conn or another.
        finish(command.args(["-o", "/dev/null"]))
    };
    assert_eq!(upload("Expect: 100-continue").success(), "405 0\n200 0\n");
    // Without being asked for its leave, all or some is sent, and the answer is heard all the same.
    let done = upload("Expect:");
    let said = done.success();
    assert!(said.starts_with("405 ") && said.ends_with("\n200 0\n"), "{said}");
    assert_eq!(fs::read(site.directory.path().join("page")).unwrap(), b"0123456789");
    site.end();
}

#[test]
fn node_keeps_conns_in_either_protocol() {
    let (Some(program), Some(node)) = (program(), peer("node")) else { return };
    let script = "
const http = require('http'), http2 = require('http2');
const origin = process.argv[1], agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const sockets = new Set();
const one = (method, path, headers, body) => new Promise((resolve, reject) => {
  const request = http.request(origin + path, { agent, method, headers }, response => {
    sockets.add(response.socket);
    let length = 0;
    response.on('data', data => { length += data.length; });
    response.on('error', reject);
    response.on('end', () => resolve(response.statusCode + ' ' + length));
  });
  request.on('error', reject);
  request.end(body);
});
const two = (session, path, headers) => new Promise((resolve, reject) => {
  const stream = session.request({ ':path': path, ...headers });
  let status, length = 0;
  stream.on('response', headers => { status = headers[':status']; });
  stream.on('data', data => { length += data.length; });
  stream.on('error', reject);
  stream.on('end', () => resolve(status + ' ' + length));
  stream.end();
});
(async () => {
  console.log(await one('GET', '/large'));
  console.log(await one('GET', '/page', { Range: 'bytes=2-4' }));
  console.log(await one('HEAD', '/large'));
  console.log(await one('GET', '/none'));
  console.log(sockets.size);
  console.log(await one('POST', '/page', { 'Content-Length': 5 }, 'hello'));
  console.log(await one('GET', '/page', { 'Transfer-Encoding': 'chunked' }, 'hello'));
  console.log(await one('GET', '/page'));
  agent.destroy();
  const session = http2.connect(origin);
  const all = ['/large', '/page', '/none', '/large'].map(path => two(session, path, {}));
  console.log((await Promise.all(all)).join(', '));
  console.log(await two(session, '/page', { range: 'bytes=-1' }));
  session.close();
})().catch(error => { console.error(error); process.exit(1); });
";
    let site = Site::start(&program, &[]);
    let done = finish(Command::new(node).args(["-e", script, &format!("http://{}", site.address)]));
    let said = done.success();
    let lines: Vec<&str> = said.lines().collect();
    let (first, rest) = lines.split_at(3);
    assert_eq!(first, ["200 3000000", "206 3", "200 0"]);
    let statuses: Vec<&str> = rest.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(statuses, ["404", "1", "405", "200", "200", "200", "206"], "{said}");
    assert!(rest[5].starts_with("200 3000000, 200 10, 404 ") && rest[5].ends_with(", 200 3000000"), "{said}");
    site.end();
}

#[test]
fn go_keeps_conns_in_either_protocol() {
    let (Some(program), Some(go)) = (program(), go_program("fetch")) else { return };
    for (scheme, options) in [("http", &[][..]), ("https", &["--self-signed"])] {
        let site = Site::start(&program, options);
        let url = format!("{scheme}://{}", site.address);
        for version in ["1", "2"] {
            let done = finish(Command::new(&go).args([version, &url]));
            let protocol = if version == "1" { "HTTP/1.1" } else { "HTTP/2.0" };
            // A request whose body is not read may cost its conn, so the count of them is of those without.
            let expected = format!(
                "{protocol} 200 3000000\n{protocol} 206 3\n{protocol} 200 0\n{protocol} 404\n\
                 1 conns\n{protocol} 405\n{protocol} 200 10\n64 times 10\n"
            );
            assert_eq!(done.success(), expected, "{url}");
        }
        site.end();
    }
}
