//! A directory, and what is answered to requests for what is in it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use landline_http::files::FileServer;
use tempfile::TempDir;
use tower_service::Service;

/// 2020-01-01T00:00:00Z.
pub(crate) const THEN: &str = "Wed, 01 Jan 2020 00:00:00 GMT";

pub(crate) struct Site {
    pub(crate) directory: TempDir,
    pub(crate) files: FileServer,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Site {
    /// With these files, all of 2020.
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Site {
        let directory = tempfile::tempdir().unwrap();
        let site = Site { files: FileServer::new(directory.path()).unwrap(), directory };
        for (name, content) in files {
            site.write(name, content);
        }
        site
    }

    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        self.set_modified(name, UNIX_EPOCH + Duration::from_secs(1_577_836_800));
    }

    pub(crate) fn set_modified(&self, name: &str, time: SystemTime) {
        let file = fs::File::options().append(true).open(self.directory.path().join(name)).unwrap();
        file.set_modified(time).unwrap();
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.directory.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask("GET", target, &[]).await
    }

    /// Asks, and checks what holds of every answer.
    pub(crate) async fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.files.clone().call(request.body(()).unwrap()).await.unwrap();
        let (head, body) = response.into_parts();
        let hint = http_body::Body::size_hint(&body).exact();
        let body = body.collect().await.expect("the body is whole").to_bytes().to_vec();
        assert_eq!(hint, Some(body.len() as u64), "{target}");
        if method != "HEAD"
            && let Some(length) = head.headers.get("content-length")
        {
            assert_eq!(length.to_str().unwrap(), body.len().to_string(), "{target}");
        }
        let text = format!("{:?}{}", head.headers, String::from_utf8_lossy(&body));
        assert!(!text.contains(self.directory.path().to_str().unwrap()), "{target} tells of paths: {text}");
        Answer { status: head.status, headers: head.headers, body }
    }
}

impl Answer {
    /// A header; empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
