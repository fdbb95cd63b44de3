//! What is asked, from the words of the command line.

use std::io::Read;
use std::path::Path;

use http::header::TRANSFER_ENCODING;
use http::{HeaderName, HeaderValue, Method, Uri, Version};
use landline_http::client::Body;
use tokio::fs::File;

use crate::failure::Failure;

/// Files up to this size are read into memory, so that they can be sent again after a redirect.
const SMALL: u64 = 1 << 20;

/// A URL; `http://` goes without saying.
pub(super) fn url(text: &str) -> Result<Uri, Failure> {
    if text.is_empty() {
        return Err(Failure::Usage("'': an empty URL".to_owned()));
    }
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    // Fragments are not sent.
    let whole = whole.split('#').next().unwrap_or_default();
    if whole.ends_with("://") {
        return Err(Failure::Usage(format!("{text}: no host")));
    }
    whole.parse().map_err(|error| Failure::Usage(format!("{text}: {error}")))
}

/// A method, in capitals whatever was given.
pub(super) fn method(text: &str) -> Result<Method, String> {
    text.to_ascii_uppercase().parse().map_err(|_| "a method is a word, such as PUT".to_owned())
}

/// A header, `NAME: VALUE`.
pub(super) fn header(text: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let (name, value) = text.split_once(':').ok_or("a header is NAME: VALUE")?;
    let name: HeaderName = name.trim().parse().map_err(|_| "the name has characters that no header has")?;
    if name == TRANSFER_ENCODING {
        return Err("how the body is sent is for the program to say; Content-Length gives its length");
    }
    let value = value.trim().parse().map_err(|_| "the value has characters that no header has")?;
    Ok((name, value))
}

/// A cookie, `NAME=VALUE` (RFC 6265 section 4.1.1).
pub(super) fn cookie(text: &str) -> Result<String, String> {
    let (name, value) = text.split_once('=').ok_or("a cookie is NAME=VALUE")?;
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b';');
    if name.is_empty() || !is_plain(name) || !is_plain(value) {
        return Err("it has characters that no cookie has".to_owned());
    }
    Ok(text.to_owned())
}

/// The status line and the headers, as they come over HTTP/1.1.
pub(super) fn head(head: &http::response::Parts) -> Vec<u8> {
    let version = match head.version {
        Version::HTTP_2 => "HTTP/2".to_owned(),
        version => format!("{version:?}"),
    };
    let mut text = format!("{version} {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value.as_bytes());
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// Where a body comes from.
#[derive(Debug)]
pub(super) enum Source {
    Stdin,
    Bytes(Vec<u8>),
    /// A file, and its length if it has one.
    File(std::fs::File, Option<u64>),
}

impl Source {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Source, Failure> {
        if path == Path::new("-") {
            return Ok(Source::Stdin);
        }
        let of_file = |error| Failure::of_file(path.display(), &error);
        let file = std::fs::File::open(path).map_err(of_file)?;
        let metadata = file.metadata().map_err(of_file)?;
        if metadata.is_dir() {
            return Err(Failure::Refused(format!("{}: is a directory", path.display())));
        }
        if metadata.is_file() && metadata.len() <= SMALL {
            let mut bytes = Vec::new();
            file.take(SMALL).read_to_end(&mut bytes).map_err(of_file)?;
            return Ok(Source::Bytes(bytes));
        }
        Ok(Source::File(file, metadata.is_file().then_some(metadata.len())))
    }

    pub(super) fn into_body(self) -> Body {
        match self {
            Source::Stdin => Body::from_reader(tokio::io::stdin(), None),
            Source::Bytes(bytes) => bytes.into(),
            Source::File(file, length) => Body::from_reader(File::from_std(file), length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_mean() {
        assert_eq!(url("example.com:8080/x#y").unwrap(), "http://example.com:8080/x");
        assert_eq!(url("https://example.com").unwrap(), "https://example.com/");
        assert!(
            matches!(url("http://a b/"), Err(Failure::Usage(message)) if message.starts_with("http://a b/: "))
        );
        assert_eq!(method("put"), Ok(Method::PUT));
        assert!(method("P T").is_err());
        let (name, value) = header("X-Y:  z: 1 ").unwrap();
        assert_eq!((name.as_str(), value.to_str().unwrap()), ("x-y", "z: 1"));
        assert!(header("transfer-encoding: chunked").is_err());
        for (text, expected) in [("", "'': an empty URL"), ("http://", "http://: no host")] {
            assert!(matches!(url(text), Err(Failure::Usage(message)) if message == expected), "{text}");
        }
        assert_eq!(cookie("a=b=c"), Ok("a=b=c".to_owned()));
        for bad in ["a", "=b", "a=b; c=d", "a=b c", "a=\n"] {
            assert!(cookie(bad).is_err(), "{bad:?}");
        }
        for bad in ["x", "a b: c", ": c", "a: \n"] {
            assert_eq!(header(bad).is_ok(), bad == "a: \n", "{bad:?}");
        }
    }
}
