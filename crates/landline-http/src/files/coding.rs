//! Which content codings a client takes (RFC 9110 section 12.5.3). Pure.

use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// A coding that files beside a file may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Brotli,
    Zstd,
    Gzip,
}

impl Coding {
    /// The best first, where a client takes them equally.
    const ALL: [Coding; 3] = [Coding::Brotli, Coding::Zstd, Coding::Gzip];

    /// As in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Zstd => "zstd",
            Coding::Gzip => "gzip",
        }
    }

    /// What is put behind the name of a file.
    pub(crate) fn suffix(self) -> &'static [u8] {
        match self {
            Coding::Brotli => b".br",
            Coding::Zstd => b".zst",
            Coding::Gzip => b".gz",
        }
    }

    fn is_named(self, name: &str) -> bool {
        name.eq_ignore_ascii_case(self.name())
            || (self == Coding::Gzip && name.eq_ignore_ascii_case("x-gzip"))
    }
}

/// The codings that a client likes no less than the file as it is, the most liked first.
pub(crate) fn accepted(headers: &HeaderMap) -> Vec<Coding> {
    let (mut weights, mut identity, mut others) = ([None; 3], None, None);
    let lines = headers.get_all(ACCEPT_ENCODING).iter();
    for element in lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(',')) {
        let Some((name, weight)) = weighted(element) else { continue };
        if name == "*" {
            others = Some(weight);
        } else if name.eq_ignore_ascii_case("identity") {
            identity = Some(weight);
        } else if let Some(at) = Coding::ALL.iter().position(|coding| coding.is_named(name)) {
            weights[at] = Some(weight);
        }
    }
    let identity = identity.unwrap_or(0);
    let mut accepted: Vec<(u16, Coding)> = (weights.into_iter().zip(Coding::ALL))
        .filter_map(|(weight, coding)| Some((weight.or(others)?, coding)))
        .filter(|&(weight, _)| weight > 0 && weight >= identity)
        .collect();
    // Stable, so that ours stay in our order.
    accepted.sort_by_key(|&(weight, _)| std::cmp::Reverse(weight));
    accepted.into_iter().map(|(_, coding)| coding).collect()
}

/// An element of the list, and its weight in thousandths (section 12.4.2); none where it is broken.
fn weighted(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let mut weight = 1000;
    for parameter in parts {
        let (key, value) = parameter.split_once('=')?;
        if key.trim().eq_ignore_ascii_case("q") {
            weight = thousandths(value.trim())?;
        }
    }
    Some((name, weight))
}

fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_have_what_they_like_best() {
        use Coding::{Brotli, Gzip, Zstd};
        for (value, expected) in [
            ("", &[][..]),
            ("gzip", &[Gzip]),
            ("x-gzip", &[Gzip]),
            ("gzip, deflate, br, zstd", &[Brotli, Zstd, Gzip]),
            ("GZIP;q=0.8 , br;q=0.2", &[Gzip, Brotli]),
            ("gzip;q=1.000, br;q=0.999", &[Gzip, Brotli]),
            ("gzip;Q=0", &[]),
            ("*", &[Brotli, Zstd, Gzip]),
            ("*;q=0", &[]),
            ("*, br;q=0", &[Zstd, Gzip]),
            ("identity;q=0.5, gzip;q=0.4, br;q=0.5", &[Brotli]),
            ("identity, gzip", &[Gzip]),
            ("identity, gzip;q=0.9", &[]),
            ("gzip;q=2", &[]),
            ("gzip;q=1.001", &[]),
            ("gzip;q=0.0001", &[]),
            ("gzip;q=-1, br", &[Brotli]),
            ("gzip;q=", &[]),
            ("gzip;q", &[]),
            ("compress, deflate", &[]),
            (";q=1,,", &[]),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, value.parse().unwrap())]);
            assert_eq!(accepted(&headers), expected, "{value}");
        }
        assert_eq!(accepted(&HeaderMap::new()), []);
        let mut lines = HeaderMap::from_iter([(ACCEPT_ENCODING, "gzip".parse().unwrap())]);
        lines.append(ACCEPT_ENCODING, "br;q=0.5".parse().unwrap());
        assert_eq!(accepted(&lines), [Gzip, Brotli]);
    }
}
