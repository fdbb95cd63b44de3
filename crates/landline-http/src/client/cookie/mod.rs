//! Cookies (RFC 6265 and its successor, draft-ietf-httpbis-rfc6265bis): which are kept, and which go to whom.

mod date;
mod file;
mod jar;
mod parse;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Uri};

pub use file::CookieFileError;
use jar::Jar;
pub(crate) use parse::SetCookie;

use super::origin::Origin;

/// Cookies kept in memory; clones share them.
///
/// What a server may not set is not kept: for another host, for a public suffix such as `co.uk` (by Mozilla's list), a
/// `Secure` one over plain HTTP. Of each domain 64 are kept, of all 3,000, those used last; none for more than 400 days.
#[derive(Clone, Default)]
pub struct Cookies(Arc<Mutex<Jar>>);

impl Cookies {
    /// None yet.
    pub fn new() -> Cookies {
        Cookies::default()
    }

    /// Those of a text in the format that curl and wget keep cookies in: a line for each, its seven fields with tabs
    /// between. Those that end with the session are kept too.
    ///
    /// # Errors
    /// Names the line that is no cookie.
    ///
    /// ```
    /// use landline_http::client::Cookies;
    ///
    /// let cookies = Cookies::from_netscape(b".example.com\tTRUE\t/\tFALSE\t0\tname\tvalue\n").unwrap();
    /// let url = "http://www.example.com/".parse().unwrap();
    /// assert_eq!(cookies.header(&url).unwrap(), "name=value");
    /// ```
    pub fn from_netscape(text: &[u8]) -> Result<Cookies, CookieFileError> {
        Ok(Cookies(Arc::new(Mutex::new(file::read(text, SystemTime::now())?))))
    }

    /// Writes all that are kept in that format, secrets as they are. One with a tab in it has no place there, and is left
    /// out.
    pub fn to_netscape(&self) -> Vec<u8> {
        file::write(&self.jar(), SystemTime::now())
    }

    /// Keeps what a response from this URL sets, and forgets what it takes back.
    pub fn store(&self, uri: &Uri, headers: &HeaderMap) {
        let Ok(origin) = Origin::of(uri) else { return };
        let now = SystemTime::now();
        let mut jar = self.jar();
        for value in headers.get_all(SET_COOKIE) {
            if let Some(cookie) = SetCookie::parse(value.as_bytes(), now) {
                jar.store(cookie, &origin, uri.path(), now);
            }
        }
    }

    /// The value of `Cookie` for a request to this URL, if any are for it.
    pub fn header(&self, uri: &Uri) -> Option<HeaderValue> {
        let origin = Origin::of(uri).ok()?;
        let text = self.jar().header(&origin, uri.path(), SystemTime::now())?;
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// How many are kept.
    pub fn len(&self) -> usize {
        self.jar().len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets all.
    pub fn clear(&self) {
        *self.jar() = Jar::default();
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Without names and values: they are secrets.
impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cookies({})", self.len())
    }
}
