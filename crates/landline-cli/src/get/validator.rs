//! By what a file that is only there in part can be told from another of the same name: the server's validator, kept
//! with the file in an extended attribute (xattr(7)) where the file system has these.

use std::os::fd::AsFd;
use std::path::Path;

use http::header::{DATE, ETAG, HeaderMap, HeaderValue, LAST_MODIFIED};
use rustix::fs::{XattrFlags, fremovexattr, fsetxattr, getxattr};

const NAME: &str = "user.landline.validator";
/// The longest that is kept, in bytes.
const LONGEST: usize = 1024;

/// What `If-Range` may say of a response (RFC 9110 section 13.1.5): an entity tag that is strong, or a date that is.
pub(super) fn of(headers: &HeaderMap) -> Option<&HeaderValue> {
    let validator = match headers.get(ETAG) {
        Some(tag) => Some(tag).filter(|tag| tag.as_bytes().starts_with(b"\"")),
        // It is strong if the response was made in a later second (section 8.8.2.2).
        None => headers.get(LAST_MODIFIED).filter(|modified| {
            headers.get(DATE).is_some_and(|date| date.len() == modified.len() && date != *modified)
        }),
    };
    validator.filter(|validator| validator.len() <= LONGEST)
}

/// What was kept with the file.
pub(super) fn read(path: &Path) -> Option<HeaderValue> {
    let mut value = [0; LONGEST];
    let length = getxattr(path, NAME, &mut value[..]).ok()?;
    HeaderValue::from_bytes(&value[..length]).ok()
}

/// Keeps it with the file, or nothing in place of an old one. Without it files are resumed unconditionally.
pub(super) fn keep(file: impl AsFd, validator: Option<&HeaderValue>) {
    let _ = match validator {
        Some(validator) => fsetxattr(file, NAME, validator.as_bytes(), XattrFlags::empty()),
        None => fremovexattr(file, NAME),
    };
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn what_tells_versions_apart() {
        let (then, now) = ("Tue, 15 Nov 1994 12:45:26 GMT", "Tue, 15 Nov 1994 12:45:27 GMT");
        for (lines, expected) in [
            (&[("etag", "\"a\""), ("last-modified", then), ("date", now)][..], Some("\"a\"")),
            (&[("etag", "W/\"a\""), ("last-modified", then), ("date", now)], None),
            (&[("last-modified", then), ("date", now)], Some(then)),
            (&[("last-modified", now), ("date", now)], None),
            (&[("last-modified", then)], None),
            (&[], None),
        ] {
            let lines = lines
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let headers: HeaderMap = lines.collect();
            assert_eq!(of(&headers).map(|value| value.to_str().unwrap()), expected, "{headers:?}");
        }
    }
}
