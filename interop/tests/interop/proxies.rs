//! Proxies of other hands, and ours for clients of other hands.

use std::fs;
use std::net::SocketAddrV4;
use std::path::Path;
use std::process::Command;

use landline_interop::{Running, finish, free_address, go_program, peer, program, until_bound};
use tempfile::TempDir;

/// What is said through the proxy and back, as the target is named.
#[track_caller]
fn assert_echo(program: &Path, proxy: &str, target: &str) {
    let mut command = Command::new(program);
    command.args(["dial", "tcp", target, "--proxy", proxy]);
    // The input stays open: many a proxy takes the end of one side for the end of both.
    let mut talk = Running::start(&mut command);
    talk.say("hello\n");
    assert_eq!(talk.next_line(), "hello", "{proxy} {target}");
}

/// A refusal of the proxy's, and the words it is told in.
#[track_caller]
fn assert_refused(program: &Path, proxy: &str, target: &str, words: &str) {
    let done = finish(Command::new(program).args(["dial", "tcp", target, "--proxy", proxy]));
    assert!(done.code != 0 && done.stderr.contains(words), "{proxy} {target}: {done:?}");
}

struct Echo {
    _server: Running,
    address: String,
}

/// A server that repeats what it hears.
fn echo(go: &Path) -> Echo {
    let mut server = Running::start(Command::new(go).args(["tcp", "127.0.0.1:0"]));
    let address = server.next_line();
    Echo { _server: server, address }
}

/// What the proxy is asked for, by its URL, and what the server behind it saw; the status tells that of the program.
#[track_caller]
fn asked_for(program: &Path, proxy: &str, url: &str) -> (i32, String) {
    let done = finish(Command::new(program).args(["get", url, "--proxy", proxy, "--explain"]));
    assert!(done.stderr.contains("is asked for it"), "{proxy} {url}: {done:?}");
    (done.code, done.stdout)
}

/// A web server, which tells what it is asked.
fn web(go: &Path) -> Echo {
    let mut server = Running::start(Command::new(go).args(["serve", "127.0.0.1:0"]));
    let address = server.next_line();
    Echo { _server: server, address }
}

/// Nobody listens there.
fn gone() -> SocketAddrV4 {
    free_address()
}

#[test]
fn tinyproxy_connects_those_it_knows() {
    let (Some(program), Some(go), Some(tinyproxy)) = (program(), go_program("echo"), peer("tinyproxy"))
    else {
        return;
    };
    let (dir, proxy, echo) = (TempDir::new().unwrap(), free_address(), echo(&go));
    let config = dir.path().join("conf");
    let text =
        format!("Port {}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth me pw\n", proxy.port());
    fs::write(&config, text).unwrap();
    let _proxy = Running::start(Command::new(tinyproxy).arg("-d").arg("-c").arg(&config));
    until_bound("tcp", &proxy.to_string());
    assert_echo(&program, &format!("http://me:pw@{proxy}"), &echo.address);
    assert_refused(&program, &format!("http://me:no@{proxy}"), &echo.address, ": request: 401 Unauthorized");
    let words = ": request: 407 Proxy Authentication Required (it asks for Basic)";
    assert_refused(&program, &format!("http://{proxy}"), &echo.address, words);
    assert_refused(&program, &format!("http://me:pw@{proxy}"), &gone().to_string(), ": request: 500 ");

    let Some(web) = go_program("web").map(|go| web(&go)) else { return };
    let url = format!("http://{}/seen?a=b", web.address);
    let (code, seen) = asked_for(&program, &format!("http://me:pw@{proxy}"), &url);
    let expected = format!("HTTP/1.1 /seen?a=b host={} ", web.address);
    assert!(code == 0 && seen.starts_with(&expected), "{code} {seen}");
    assert_eq!(asked_for(&program, &format!("http://{proxy}"), &url).0, 1);
}

#[test]
fn squid_connects_and_says_why_it_does_not() {
    let (Some(program), Some(go), Some(squid)) = (program(), go_program("echo"), peer("squid")) else {
        return;
    };
    let (dir, proxy, echo) = (TempDir::new().unwrap(), free_address(), echo(&go));
    let config = dir.path().join("conf");
    let text = format!(
        "http_port {proxy}\nhttp_access allow all\naccess_log none\ncache_log /dev/null\npid_filename none\n\
         cache deny all\nshutdown_lifetime 0 seconds\nvisible_hostname squid.example\npinger_enable off\n\
         coredump_dir {dir}\nnetdb_filename none\n",
        dir = dir.path().display(),
    );
    fs::write(&config, text).unwrap();
    // With a name of its own, or what it leaves in shared memory is in the next one's way.
    let name = format!("landline{}", std::process::id());
    let mut command = Command::new(squid);
    command.args(["-N", "-n", &name, "-f"]).arg(&config);
    let _proxy = Running::start(&mut command);
    until_bound("tcp", &proxy.to_string());
    assert_echo(&program, &format!("http://{proxy}"), &echo.address);
    assert_refused(
        &program,
        &format!("http://{proxy}"),
        &gone().to_string(),
        ": request: 503 Service Unavailable",
    );
}

#[test]
fn microsocks_connects_those_it_knows() {
    let (Some(program), Some(go), Some(microsocks)) = (program(), go_program("echo"), peer("microsocks"))
    else {
        return;
    };
    let (proxy, echo) = (free_address(), echo(&go));
    let port = proxy.port().to_string();
    let mut command = Command::new(microsocks);
    command.args(["-i", "127.0.0.1", "-p", &port, "-u", "me", "-P", "pw"]);
    let _proxy = Running::start(&mut command);
    until_bound("tcp", &proxy.to_string());
    let by_name = echo.address.replace("127.0.0.1", "localhost");
    assert_echo(&program, &format!("socks5://me:pw@{proxy}"), &echo.address);
    assert_echo(&program, &format!("socks5h://me:pw@{proxy}"), &by_name);
    assert_refused(
        &program,
        &format!("socks5h://me:no@{proxy}"),
        &echo.address,
        ": auth: user name or password",
    );
    assert_refused(&program, &format!("socks5h://{proxy}"), &echo.address, ": greeting: it lets nobody in");
    let words = ": request: connection refused (reply 5)";
    assert_refused(&program, &format!("socks5h://me:pw@{proxy}"), &gone().to_string(), words);
}

#[test]
fn dante_speaks_both_versions_of_socks() {
    let (Some(program), Some(go), Some(danted)) = (program(), go_program("echo"), peer("danted")) else {
        return;
    };
    let (dir, proxy, echo) = (TempDir::new().unwrap(), free_address(), echo(&go));
    let config = dir.path().join("conf");
    let text = format!(
        "logoutput: stderr\ninternal: 127.0.0.1 port = {}\nexternal: 127.0.0.1\nclientmethod: none\n\
         socksmethod: none\nuser.privileged: root\nuser.unprivileged: nobody\n\
         client pass {{ from: 0/0 to: 0/0 }}\nsocks pass {{ from: 0/0 to: 0/0 }}\n",
        proxy.port(),
    );
    fs::write(&config, text).unwrap();
    let _proxy =
        Running::start(Command::new(danted).arg("-f").arg(&config).arg("-p").arg(dir.path().join("pid")));
    until_bound("tcp", &proxy.to_string());
    for scheme in ["socks5", "socks5h", "socks4", "socks4a"] {
        assert_echo(&program, &format!("{scheme}://{proxy}"), &echo.address);
    }
    assert_echo(&program, &format!("socks5h://{proxy}"), &echo.address.replace("127.0.0.1", "localhost"));
    assert_refused(
        &program,
        &format!("socks4://{proxy}"),
        &gone().to_string(),
        "rejected or failed (code 91)",
    );
}

/// A web server with one page, and its URL by address and by name.
fn page(dir: &Path) -> Option<(Running, String)> {
    let python = peer("python3")?;
    fs::write(dir.join("page"), "a page\n").unwrap();
    let address = free_address();
    let mut command = Command::new(python);
    command.args(["-m", "http.server", "--bind", "127.0.0.1", &address.port().to_string()]).current_dir(dir);
    let server = Running::start(&mut command);
    until_bound("tcp", &address.to_string());
    Some((server, format!("http://{address}/page")))
}

/// Our proxy, and `host:port` of it.
fn ours(program: &Path, arguments: &[&str]) -> (Running, SocketAddrV4) {
    let address = free_address();
    let mut command = Command::new(program);
    command.args(["proxy", &address.to_string()]).args(arguments);
    let proxy = Running::start(&mut command);
    until_bound("tcp", &address.to_string());
    (proxy, address)
}

#[test]
fn curl_goes_through_ours_every_way_it_knows() {
    let dir = TempDir::new().unwrap();
    let (Some(program), Some(curl), Some((_server, url))) = (program(), peer("curl"), page(dir.path()))
    else {
        return;
    };
    let by_name = url.replace("127.0.0.1", "localhost");
    let (_proxy, address) = ours(&program, &["--auth", "me:pw"]);
    for (options, url) in [
        (vec!["-x", "http"], &url),
        (vec!["-p", "-x", "http"], &url),
        (vec!["-x", "http"], &by_name),
        (vec!["-x", "socks5"], &url),
        (vec!["-x", "socks5h"], &by_name),
    ] {
        let (scheme, options) = options.split_last().unwrap();
        let mut command = Command::new(&curl);
        command.args(["-sS", "--max-time", "20", "--noproxy", ""]).args(options);
        command.args([&format!("{scheme}://me:pw@{address}"), url.as_str()]);
        assert_eq!(finish(&mut command).success(), "a page\n", "{options:?} {scheme} {url}");
        let mut command = Command::new(&curl);
        command.args(["-sSf", "--max-time", "20", "--noproxy", ""]).args(options);
        command.args([&format!("{scheme}://me:no@{address}"), url.as_str()]);
        assert!(finish(&mut command).code != 0, "{options:?} {scheme} {url}");
    }
}

#[test]
fn gos_client_goes_through_ours() {
    let dir = TempDir::new().unwrap();
    let (Some(program), Some(through), Some((_server, url))) =
        (program(), go_program("through"), page(dir.path()))
    else {
        return;
    };
    let (_proxy, address) = ours(&program, &["--auth", "me:pw"]);
    for scheme in ["http", "socks5"] {
        let done = finish(Command::new(&through).args([&format!("{scheme}://me:pw@{address}"), &url]));
        assert_eq!(done.success(), "a page\n", "{scheme}");
        let done = finish(Command::new(&through).args([&format!("{scheme}://me:no@{address}"), &url]));
        assert!(done.code != 0, "{scheme}: {done:?}");
    }
}
