//! Requests that come back to the proxy that sent them, by `CDN-Loop` (RFC 8586). Pure.
//!
//! `Via` was meant for this too (RFC 9110 section 7.6.3), but servers treat a request that has one differently: nginx, for
//! one, compresses nothing for it unless told to. RFC 8586 section 1.1 gives this as the reason for a header of its own, which
//! no intermediary is to take out. It is written for content delivery networks, and does for any proxy in front of servers.

use http::header::{HeaderMap, HeaderName, HeaderValue};

const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// By what a proxy knows its own requests: a word that no other has.
pub(super) fn pseudonym(random: u64) -> HeaderValue {
    // It is ASCII, so it always is a value.
    HeaderValue::try_from(format!("landline-{random:016x}")).unwrap_or(HeaderValue::from_static("landline"))
}

/// Whether a request went through this proxy before.
pub(super) fn has_passed(headers: &HeaderMap, own: &HeaderValue) -> bool {
    let passed = headers.get_all(CDN_LOOP).into_iter();
    passed.flat_map(|value| value.as_bytes().split(|&byte| byte == b',')).any(|info| {
        // A name, and parameters behind it (section 2).
        let name = info.split(|&byte| byte == b';').next().unwrap_or_default();
        name.trim_ascii() == own.as_bytes()
    })
}

/// Says that the request goes through this proxy, behind all that others have said.
pub(super) fn mark(headers: &mut HeaderMap, own: &HeaderValue) {
    headers.append(CDN_LOOP, own.clone());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_knows_itself_and_no_other() {
        let own = pseudonym(0xabc);
        assert_eq!(own, "landline-0000000000000abc");
        for (values, is_own) in [
            (&[][..], false),
            (&["landline-0000000000000abc"], true),
            (&["foo123.foocdn.example, landline-0000000000000abc; a=\"b\" ,bar"], true),
            (&["foo", "bar,landline-0000000000000abc"], true),
            (&["landline-0000000000000abd"], false),
            (&["landline-0000000000000abcd", "a; landline-0000000000000abc"], false),
            (&["", ",,;"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CDN_LOOP, HeaderValue::from_static(value));
            }
            assert_eq!(has_passed(&headers, &own), is_own, "{values:?}");
            mark(&mut headers, &own);
            assert!(has_passed(&headers, &own));
            assert_eq!(headers.get_all(CDN_LOOP).iter().count(), values.len() + 1);
        }
    }
}
