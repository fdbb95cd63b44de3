//! Which files are found, and which are not.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use http::StatusCode;
use rustix::fs::{CWD, Mode, RenameFlags, mkfifoat, renameat_with};

use crate::harness::Site;

fn site() -> Site {
    Site::new(&[
        ("a.txt", b"a"),
        ("sub/b.txt", b"b"),
        ("site/index.html", b"<h1>site</h1>"),
        ("c:d/e", b"e"),
        ("sp ace/%25", b"percent"),
        (".hidden", b"h"),
        (".git/config", b"h"),
        (".well-known/security.txt", b"s"),
    ])
}

#[tokio::test]
async fn files_directories_and_the_redirects_between_them() {
    let site = site();
    for (target, status, location) in [
        ("/a.txt", 200, ""),
        ("//a.txt", 200, ""),
        ("/sub/../a.txt", 200, ""),
        ("/../../a.txt", 200, ""),
        ("/%2e%2e/a.txt", 200, ""),
        ("http://localhost/a.txt", 200, ""),
        ("/a.txt/", 301, "../a.txt"),
        ("/sub/b.txt/?x=1", 301, "../b.txt?x=1"),
        ("/sub", 301, "sub/"),
        ("/sub?x=%20&y", 301, "sub/?x=%20&y"),
        ("//sub", 301, "sub/"),
        ("/sub/", 200, ""),
        ("/sub/.", 200, ""),
        ("/site", 301, "site/"),
        ("/site/", 200, ""),
        ("/site/index.html", 301, "./"),
        ("/index.html?q", 301, "./?q"),
        ("/c:d", 301, "c%3Ad/"),
        ("/sp%20ace", 301, "sp%20ace/"),
        ("/sp%20ace/%2525", 200, ""),
        ("/nothing", 404, ""),
        ("/a.txt/b", 404, ""),
        ("/sub%2fb.txt", 404, ""),
        ("/a.txt%00", 404, ""),
        ("/%zz", 400, ""),
        ("*", 400, ""),
        ("/.hidden", 404, ""),
        ("/.git/config", 404, ""),
        ("/.git/", 404, ""),
        ("/.well-known/security.txt", 200, ""),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = site.ask(method, target, &[]).await;
            assert_eq!((answer.status.as_u16(), answer.header("location")), (status, location), "{target}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
    assert_eq!(site.get("/site/").await.text(), "<h1>site</h1>");
    let mut open = site;
    open.files = open.files.hidden(true);
    assert_eq!(open.get("/.git/config").await.text(), "h");
    assert!(open.get("/").await.text().contains(">.git/</a>"));
}

#[tokio::test]
async fn nothing_outside_is_found_and_nothing_hangs() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let site = site();
    let root = site.directory.path();
    let name = outside.path().file_name().unwrap().to_str().unwrap();
    symlink(outside.path().join("secret"), root.join("absolute")).unwrap();
    symlink(format!("../{name}/secret"), root.join("relative")).unwrap();
    symlink(outside.path(), root.join("folder")).unwrap();
    symlink("/proc/self/root/etc/passwd", root.join("magic")).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("../a.txt", root.join("sub/inside")).unwrap();
    symlink("sub", root.join("also")).unwrap();
    mkfifoat(CWD, root.join("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(root.join("socket")).unwrap();
    for target in [
        "/absolute",
        "/relative",
        "/folder",
        "/folder/",
        "/folder/secret",
        "/magic",
        "/loop",
        "/fifo",
        "/socket",
        "/sub/../../etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
    ] {
        let answer = site.get(target).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{target}");
        assert_eq!(answer.text(), "404 Not Found\n");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    // Links that stay within are followed.
    assert_eq!(site.get("/sub/inside").await.text(), "a");
    assert_eq!(site.get("/also/b.txt").await.text(), "b");
    // What is not served is not listed.
    let answer = site.get("/").await;
    let names: Vec<&str> =
        answer.text().split("<a href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(names, [".well-known/", "also/", "c%3Ad/", "site/", "sp%20ace/", "sub/", "a.txt"]);
}

#[test]
fn a_link_that_is_put_in_place_of_a_directory_meanwhile_leads_nowhere() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "secret").unwrap();
    let site = Site::new(&[("here/file", b"inside")]);
    let (here, link) = (site.directory.path().join("here"), site.directory.path().join("link"));
    symlink(outside.path(), &link).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Relaxed) {
                renameat_with(CWD, &here, CWD, &link, RenameFlags::EXCHANGE).unwrap();
            }
        });
        let _over = Over(&over);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..5000 {
            let answer = runtime.block_on(site.get("/here/file"));
            match answer.status.as_u16() {
                200 => assert_eq!(answer.text(), "inside"),
                // The kernel gives up on a tree that never holds still.
                404 | 503 => {}
                status => panic!("{status}"),
            }
        }
    });
}

/// Says that it is over however it ends.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

#[tokio::test]
async fn a_directory_that_is_moved_is_served_all_the_same() {
    let site = site();
    let moved = site.directory.path().with_extension("moved");
    std::fs::rename(site.directory.path(), &moved).unwrap();
    std::fs::create_dir(site.directory.path()).unwrap();
    assert_eq!(site.get("/a.txt").await.text(), "a");
    std::fs::remove_dir_all(&moved).unwrap();
    assert_eq!(site.get("/a.txt").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_may_not_be_read_is_forbidden() {
    let site = site();
    site.set_mode("a.txt", 0);
    let expected = if rustix::process::geteuid().is_root() { StatusCode::OK } else { StatusCode::FORBIDDEN };
    assert_eq!(site.get("/a.txt").await.status, expected);
}

#[tokio::test]
async fn only_get_and_head_are_allowed() {
    let site = site();
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = site.ask(method, "/a.txt", &[]).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.header("allow"), "GET, HEAD");
    }
}

#[tokio::test]
async fn listings_are_pages_or_not_there() {
    let site = site();
    let answer = site.get("/sub/").await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(answer.text().contains("<title>Index of /sub/</title>"));
    assert!(answer.text().contains("<a href=\"../\">Parent directory</a>"));
    assert!(answer.text().contains(
        "<a href=\"b.txt\">b.txt</a></th><td class=\"size\"><data value=\"1\">1 B</data></td>\
         <td><time datetime=\"2020-01-01T00:00:00Z\">2020-01-01 00:00</time></td>"
    ));
    let head = site.ask("HEAD", "/sub/", &[]).await;
    assert_eq!(head.header("content-length"), answer.body.len().to_string());
    assert!(head.body.is_empty());
    let mut closed = site;
    closed.files = closed.files.listing(false);
    assert_eq!(closed.get("/sub/").await.status, StatusCode::NOT_FOUND);
    assert_eq!(closed.get("/site/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_list_has_an_end() {
    let site = site();
    let many = site.directory.path().join("many");
    std::fs::create_dir(&many).unwrap();
    for number in 0..10_001 {
        std::fs::File::create(many.join(number.to_string())).unwrap();
    }
    let answer = site.get("/many/").await;
    assert_eq!(answer.text().matches("<th scope=\"row\">").count(), 10_000);
    assert!(answer.text().contains("There is more: only 10000 names were read."));
}

#[test]
fn what_is_no_directory_cannot_be_served() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(landline_http::files::FileServer::new(file.path()).is_err());
    assert!(landline_http::files::FileServer::new(file.path().with_extension("not")).is_err());
}

#[test]
fn servers_go_everywhere() {
    fn goes<T: Clone + Send + Sync + Unpin + 'static>() {}
    fn is_sent<T: Send + Unpin + 'static>() {}
    goes::<landline_http::files::FileServer>();
    is_sent::<landline_http::files::Body>();
    is_sent::<landline_http::files::ResponseFuture>();
}
