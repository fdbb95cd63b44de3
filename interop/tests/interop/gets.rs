//! `landline get` asks servers of other hands.

use std::fs;
use std::process::Command;

use landline_interop::{Running, finish, free_address, peer, program, until_bound};
use tempfile::TempDir;

#[test]
fn nginx_is_asked_for_files_whole_compressed_and_in_part() {
    let (Some(program), Some(nginx)) = (program(), peer("nginx")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (plain, h2) = (free_address(), free_address());
    let page = "0123456789abcde\n".repeat(256 * 1024);
    fs::write(path("page"), &page).unwrap();
    let config = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr; events {{}}
         http {{ access_log off; client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp};
         uwsgi_temp_path {tmp}; scgi_temp_path {tmp}; root {root}; default_type text/plain;
         server {{ listen {plain};
         location /packed/ {{ alias {root}/; gzip on; gzip_types text/plain; }}
         location /moved {{ return 302 /page; }} }}
         server {{ listen {h2} http2; }} }}",
        pid = path("pid"),
        tmp = path("tmp"),
        root = dir.path().display(),
    );
    fs::write(path("conf"), config).unwrap();
    let _server = Running::start(Command::new(nginx).args(["-e", "stderr", "-c", &path("conf")]));
    for address in [plain, h2] {
        until_bound("tcp", &address.to_string());
    }
    let get = |arguments: &[&str]| finish(Command::new(&program).arg("get").args(arguments));
    for (url, option) in [
        (format!("http://{plain}/page"), "--redirects=0"),
        (format!("http://{plain}/packed/page"), "--redirects=0"),
        (format!("http://{plain}/moved"), "--redirects=1"),
        (format!("http://{h2}/page"), "--http2"),
    ] {
        let done = get(&[&url, option]);
        assert!(done.success() == page, "{url}: {} bytes of {}", done.stdout.len(), page.len());
    }
    let part = path("part");
    fs::write(&part, &page[..1_000_001]).unwrap();
    let url = format!("http://{plain}/page");
    for _ in 0..2 {
        get(&[&url, "--output", &part, "--resume"]).success();
        assert!(fs::read_to_string(&part).unwrap() == page);
    }
    let done = get(&[&format!("http://{plain}/missing")]);
    assert_eq!(done.code, 1, "{done:?}");
}
