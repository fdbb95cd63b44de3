//! `url.URL`.

use super::Opaque;

/// Go's `url.URL`, which is sent as its text.
///
/// What is within it is left to other crates; Go refuses what it cannot parse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Url(String);

impl Url {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Url {
    fn from(text: T) -> Url {
        Url(text.into())
    }
}

impl std::fmt::Display for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Opaque for Url {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }

    fn from_bytes(bytes: &[u8]) -> Result<Url, String> {
        String::from_utf8(bytes.to_vec()).map(Url).map_err(|_| "a URL that is not UTF-8".to_owned())
    }

    fn zero() -> Url {
        Url::default()
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn to_text(&self) -> Option<String> {
        Some(self.0.clone())
    }

    fn from_text(text: &str) -> Result<Url, String> {
        Ok(text.into())
    }
}

crate::opaque!(Url, BinaryMarshaler on pointer, "url.URL");
