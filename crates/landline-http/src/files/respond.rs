//! From a request to a response.

use std::io;
use std::os::fd::OwnedFd;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use rustix::io::Errno;

use super::body::{Body, Piece};
use super::coding::{self, Coding};
use super::condition::{Verdict, evaluate};
use super::listing::Listing;
use super::path::{Place, Refused, escape};
use super::range::{Selection, select};
use super::read::Reader;
use super::root::{File, Found};
use super::{FileServer, media_type, page, read};

const INDEX: &[u8] = b"index.html";
const TEXT: &str = "text/plain; charset=utf-8";
/// A listing has a style and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl FileServer {
    pub(super) async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response<Body> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = error(StatusCode::METHOD_NOT_ALLOWED);
            set(&mut response, ALLOW, "GET, HEAD");
            return finish(response, method);
        }
        let asked = Asked { method, uri, headers };
        let response = match self.find(&asked).await {
            Ok(response) => response,
            Err(failed) => error(status_of(&failed)),
        };
        finish(response, method)
    }

    async fn find(&self, asked: &Asked<'_>) -> io::Result<Response<Body>> {
        let place = match Place::locate(asked.uri.path(), self.settings.is_hidden_served) {
            Ok(place) => place,
            Err(Refused::Malformed) => return Ok(error(StatusCode::BAD_REQUEST)),
            Err(Refused::NotFound) => return Ok(error(StatusCode::NOT_FOUND)),
        };
        let name = place.name().unwrap_or_default();
        if name == INDEX && !place.is_directory() {
            return Ok(asked.redirect("./"));
        }
        match self.root.find(place.relative()).await? {
            Found::Directory(_) if !place.is_directory() => Ok(asked.redirect(&format!("{}/", escape(name)))),
            Found::File(_) if place.is_directory() => Ok(asked.redirect(&format!("../{}", escape(name)))),
            Found::Directory(directory) => self.directory(asked, &place, directory).await,
            Found::File(file) => self.file(asked, &place.relative(), file).await,
        }
    }

    async fn directory(
        &self,
        asked: &Asked<'_>,
        place: &Place,
        directory: OwnedFd,
    ) -> io::Result<Response<Body>> {
        let path = place.relative();
        let index = [&*path, INDEX].join(&b'/');
        match self.root.find(index.clone()).await {
            Ok(Found::File(file)) => return self.file(asked, &index, file).await,
            Ok(Found::Directory(_)) => {}
            Err(error) if status_of(&error) == StatusCode::NOT_FOUND => {}
            Err(error) => return Err(error),
        }
        if !self.settings.is_listing {
            return Ok(error(StatusCode::NOT_FOUND));
        }
        let (root, is_hidden_served) = (self.root.clone(), self.settings.is_hidden_served);
        let listing =
            read::blocking(move || Listing::read(&root, &path, directory, is_hidden_served)).await?;
        let page = page::page(&listing, &place.title(), place.is_root());
        let mut response = Response::new(Body::of_bytes(page));
        set(&mut response, CONTENT_TYPE, "text/html; charset=utf-8");
        set(&mut response, CONTENT_SECURITY_POLICY, POLICY);
        Ok(response)
    }

    /// The file at `path`, or one beside it that is the same compressed.
    async fn file(&self, asked: &Asked<'_>, path: &[u8], file: File) -> io::Result<Response<Body>> {
        let original = file.clone();
        let (file, coding) = match self.settings.is_precompressed {
            true => self.compressed(asked.headers, path, file).await,
            false => (file, None),
        };
        let current = file.validators();
        let now = SystemTime::now();
        let mut response = match evaluate(asked.method, asked.headers, &current, now) {
            Verdict::Failed => error(StatusCode::PRECONDITION_FAILED),
            Verdict::NotModified => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response
            }
            Verdict::Proceed { with_range } => {
                let selection = match asked.range().filter(|_| with_range) {
                    Some(range) => select(range, file.length),
                    None => Selection::Whole,
                };
                content(&file, &selection, &media_type(path, &original).await?, coding)
            }
        };
        set(&mut response, ETAG, &current.tag);
        if let Some(modified) = current.modified {
            // It must not be later than the response (RFC 9110 section 8.8.2.1).
            set(&mut response, LAST_MODIFIED, &httpdate::fmt_http_date(modified.min(now)));
        }
        if self.settings.is_precompressed {
            set(&mut response, VARY, "accept-encoding");
        }
        Ok(response)
    }

    async fn compressed(&self, headers: &HeaderMap, path: &[u8], file: File) -> (File, Option<Coding>) {
        for coding in coding::accepted(headers) {
            let sibling = [path, coding.suffix()].concat();
            if let Ok(Found::File(sibling)) = self.root.find(sibling).await
                && !sibling.is_older_than(&file)
            {
                return (sibling, Some(coding));
            }
        }
        (file, None)
    }
}

/// What every response has, and only those to GET.
fn finish(mut response: Response<Body>, method: &Method) -> Response<Body> {
    set(&mut response, X_CONTENT_TYPE_OPTIONS, "nosniff");
    if let Some(length) = http_body::Body::size_hint(response.body()).exact()
        && response.status() != StatusCode::NOT_MODIFIED
    {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    if *method == Method::HEAD {
        *response.body_mut() = Body::empty();
    }
    response
}

/// What of a request counts.
struct Asked<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

impl Asked<'_> {
    /// The only `Range` there is; several contradict each other.
    fn range(&self) -> Option<&[u8]> {
        let mut values = self.headers.get_all(RANGE).iter();
        let (value, None) = (values.next()?, values.next()) else { return None };
        Some(value.as_bytes())
    }

    /// To a relative reference, with the query.
    fn redirect(&self, to: &str) -> Response<Body> {
        let query = self.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
        set(&mut response, LOCATION, &format!("{to}{query}"));
        response
    }
}

async fn media_type(path: &[u8], file: &File) -> io::Result<String> {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    if let Some(media_type) = media_type::by_name(name) {
        return Ok(media_type);
    }
    let start = Reader::new(file.descriptor.clone()).read(0, media_type::SNIFFED as u64).await?;
    Ok(media_type::by_content(&start, start.len() as u64 >= file.length).to_owned())
}

/// 200, 206 or 416.
fn content(file: &File, selection: &Selection, media_type: &str, coding: Option<Coding>) -> Response<Body> {
    let length = file.length;
    let part_range =
        |range: &std::ops::Range<u64>| format!("bytes {}-{}/{length}", range.start, range.end - 1);
    let mut response = Response::new(Body::empty());
    set(&mut response, CONTENT_TYPE, media_type);
    set(&mut response, ACCEPT_RANGES, "bytes");
    match selection {
        Selection::Unsatisfiable => {
            let mut response = error(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut response, CONTENT_RANGE, &format!("bytes */{length}"));
            return response;
        }
        Selection::Parts(parts) if parts.len() == 1 => {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            set(&mut response, CONTENT_RANGE, &part_range(&parts[0]));
            *response.body_mut() = Body::of_file(file, [Piece::Range(parts[0].clone())]);
        }
        Selection::Parts(parts) => {
            let boundary = boundary();
            let mut pieces = Vec::with_capacity(parts.len() * 2 + 1);
            let mut separator = "--";
            for part in parts {
                let head = format!(
                    "{separator}{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {}\r\n\r\n",
                    part_range(part)
                );
                pieces.push(Piece::Bytes(head.into()));
                pieces.push(Piece::Range(part.clone()));
                separator = "\r\n--";
            }
            pieces.push(Piece::Bytes(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
            if pieces.iter().map(Piece::length).sum::<u64>() < length {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                set(&mut response, CONTENT_TYPE, &format!("multipart/byteranges; boundary={boundary}"));
                *response.body_mut() = Body::of_file(file, pieces);
            } else {
                *response.body_mut() = Body::of_file(file, [Piece::Range(0..length)]);
            }
        }
        Selection::Whole => *response.body_mut() = Body::of_file(file, [Piece::Range(0..length)]),
    }
    if let Some(coding) = coding {
        set(&mut response, CONTENT_ENCODING, coding.name());
    }
    response
}

/// What stands between parts, and in no file that somebody made without knowing it.
fn boundary() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(32).collect()
}

fn error(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::of_bytes(format!("{status}\n")));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, TEXT);
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    // Only what a client put into its query could be no header, and a URI has none of that.
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What a client is told of an error, and no more.
fn status_of(error: &io::Error) -> StatusCode {
    match Errno::from_io_error(error) {
        Some(Errno::ACCESS | Errno::PERM) => StatusCode::FORBIDDEN,
        // Not there, or not to be had from here: leaving the directory is `EXDEV`, opening a socket `ENXIO`.
        Some(
            Errno::NOENT
            | Errno::NOTDIR
            | Errno::NAMETOOLONG
            | Errno::LOOP
            | Errno::XDEV
            | Errno::NXIO
            | Errno::NODEV
            | Errno::INVAL,
        ) => StatusCode::NOT_FOUND,
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
