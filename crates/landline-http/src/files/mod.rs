//! Files of a directory, served.
//!
//! [`FileServer`] answers GET and HEAD for what is below a directory, and for nothing that is not. It is a
//! `tower::Service`, for any server that speaks [`http`]; what Go's `http.FileServer` documents it does too, except where
//! its documentation says so.
//!
//! ```no_run
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use landline_http::files::FileServer;
//! use landline_http::server::Server;
//!
//! let serving = Server::new().serve("tcp", "127.0.0.1:8080", FileServer::new("site")?).await?;
//! serving.wait().await?;
//! # Ok(()) }
//! ```

mod body;
mod coding;
mod condition;
mod listing;
mod media_type;
mod page;
mod path;
mod range;
mod read;
mod respond;
mod root;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderMap, Method, Request, Response, Uri};
use tower_service::Service;

pub use body::Body;
pub(crate) use body::shorter;

#[cfg(any(test, fuzzing))]
pub(crate) use {
    coding::accepted,
    condition::{Validators, Verdict, evaluate},
    path::{Place, escape},
    range::{Selection, select},
};

use root::Root;

/// Serves the files of a directory.
///
/// - **Paths** are resolved by the kernel below the directory (openat2(2), `RESOLVE_BENEATH`): neither `..`, nor a
///   symbolic link, nor an escaped slash leads out of it, whoever changes the tree meanwhile. Links within it are
///   followed if they are relative; absolute ones are not. What is neither a file nor a directory is not found, and
///   nobody waits for a FIFO.
/// - **Hidden files**, whose name or directory begins with a dot, are not found, but for `/.well-known` (RFC 8615). See
///   [`FileServer::hidden`]. Go serves them.
/// - **Directories** are answered with their `index.html`, or a list of what is in them ([`FileServer::listing`]).
///   `/dir` is redirected to `/dir/`, `/file/` to `/file`, and `/dir/index.html` to `/dir/`, all relatively, so that a
///   prefix taken off the path does no harm.
/// - **Types** are known by the extension, text with `charset=utf-8`. Without one that is known, what begins as UTF-8
///   is `text/plain`, anything else `application/octet-stream`; a browser is told not to guess
///   (`X-Content-Type-Options`), and no content makes a file HTML, as it does in Go.
/// - **Ranges** (RFC 9110 section 14) are answered with 206, several as `multipart/byteranges`. All of the file is sent
///   instead where that is not more, or where more than 100 ranges are asked for, or more than two that overlap; 416
///   where none can be had. They count for GET alone.
/// - **Conditions** (RFC 9110 section 13) are evaluated in the order that section 13.2.2 gives. The entity tag is strong,
///   and made of inode, length and time of change in nanoseconds: a file written twice within a tick of the kernel's clock
///   (some milliseconds), to the same length, keeps its tag.
/// - **Compressed siblings**: see [`FileServer::precompressed`].
/// - **Errors** are a line of text that names the status and nothing else: 400, 403, 404, 405, 412, 416, 500, and 503 where
///   descriptors or memory have run out.
///
/// # What blocks
///
/// Nothing waits for a disk on the thread that serves. Names, metadata and bytes that are in the kernel's caches are taken
/// from there at once (`RESOLVE_CACHED`, `RWF_NOWAIT`); for what is not, and for listings, a thread of tokio's pool waits,
/// so the server and its bodies need a tokio runtime. A response holds 64 KiB of its file at most. A network file
/// system may make even a question about an open file wait.
///
/// Dropping the future of a response ends it; work that a thread of the pool has begun ends unheard.
///
/// # What is never read
///
/// A [`Server`](crate::server::Server) has the kernel send a body by itself (sendfile(2)), over HTTP/1.1 without TLS, where
/// there are 64 KiB of a file to be sent or more, and they are in memory: of every 64 KiB one byte is looked at, so what
/// is missing in between is waited for. It does so where it is given this very [`Body`], or what
/// [`Body::wrap`](crate::Body::wrap) makes of it. Whoever puts another around it, as layers that compress and axum's
/// `Router` do, has the bytes read; who only wants to know how many were sent asks
/// [`Caller::on_end`](crate::server::Caller::on_end).
///
/// ```
/// use http::{Request, StatusCode};
/// use landline_http::files::FileServer;
/// use tower_service::Service;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let directory = tempfile::tempdir()?;
/// std::fs::write(directory.path().join("hello.txt"), "hello")?;
/// let mut files = FileServer::new(directory.path())?.listing(false);
///
/// let request = Request::get("/hello.txt").header("range", "bytes=1-2").body(()).unwrap();
/// let response = files.call(request).await.unwrap();
/// assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT);
/// assert_eq!(response.headers()["content-range"], "bytes 1-2/5");
/// assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct FileServer {
    root: Arc<Root>,
    settings: Settings,
}

#[derive(Clone, Copy, Debug)]
struct Settings {
    is_listing: bool,
    is_hidden_served: bool,
    is_precompressed: bool,
}

impl FileServer {
    /// For the files of this directory, which is opened here and served from then on, whatever becomes of its name.
    ///
    /// # Errors
    ///
    /// Those of opening the directory; [`Unsupported`](io::ErrorKind::Unsupported) where the kernel is older than 5.6 and
    /// cannot keep to it.
    pub fn new(directory: impl AsRef<Path>) -> io::Result<FileServer> {
        let settings = Settings { is_listing: true, is_hidden_served: false, is_precompressed: true };
        Ok(FileServer { root: Arc::new(Root::open(directory.as_ref())?), settings })
    }

    /// Whether directories without an `index.html` are listed; yes by default. If not, they are not found.
    ///
    /// A list is a page of HTML without scripts, directories first, then by name, with sizes and times; of more than
    /// 10,000 names the first that the file system gives.
    #[must_use]
    pub fn listing(mut self, is_listing: bool) -> FileServer {
        self.settings.is_listing = is_listing;
        self
    }

    /// Whether names that begin with a dot are served and listed; no by default, but for `/.well-known`.
    #[must_use]
    pub fn hidden(mut self, is_served: bool) -> FileServer {
        self.settings.is_hidden_served = is_served;
        self
    }

    /// Whether `app.js.br`, `app.js.zst` or `app.js.gz` is sent for `app.js` to those who accept that (`Accept-Encoding`,
    /// RFC 9110 section 12.5.3), and caches are told so (`Vary`); yes by default.
    ///
    /// It is not if it is older than the file itself: then somebody forgot it, or it is something else. Ranges and
    /// conditions are about what is sent. A client that refuses both every coding and the file as it is gets the latter.
    #[must_use]
    pub fn precompressed(mut self, is_sent: bool) -> FileServer {
        self.settings.is_precompressed = is_sent;
        self
    }

    /// The answer to a request, of which the body is not needed.
    pub fn respond(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> ResponseFuture {
        let (files, method, uri, headers) = (self.clone(), method.clone(), uri.clone(), headers.clone());
        ResponseFuture(Box::pin(async move { files.answer(&method, &uri, &headers).await }))
    }
}

impl<B> Service<Request<B>> for FileServer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (head, _) = request.into_parts();
        let files = self.clone();
        ResponseFuture(Box::pin(async move { files.answer(&head.method, &head.uri, &head.headers).await }))
    }
}

/// A response that is on its way.
pub struct ResponseFuture(Pin<Box<dyn Future<Output = Response<Body>> + Send>>);

impl Future for ResponseFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx).map(Ok)
    }
}

impl fmt::Debug for ResponseFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseFuture")
    }
}
