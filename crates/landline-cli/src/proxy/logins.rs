//! Who may use the proxy.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// User names and passwords; without any, everybody may.
#[derive(Clone, Default)]
pub(crate) struct Logins(Vec<Login>);

#[derive(Clone)]
struct Login {
    user: String,
    password: String,
}

impl Logins {
    /// Adds one written `USER:PASSWORD`.
    pub(crate) fn add(&mut self, text: &str) -> Result<(), &'static str> {
        let (user, password) = text.split_once(':').ok_or("a login is USER:PASSWORD")?;
        if user.is_empty() || user.len() > 255 || password.len() > 255 {
            return Err("user names have 1 to 255 bytes, passwords up to 255 (RFC 1929)");
        }
        self.0.push(Login { user: user.to_owned(), password: password.to_owned() });
        Ok(())
    }

    /// Whether nobody has to say who he is.
    pub(crate) fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them. It takes as long for one that is wrong at its end as for one wrong at its beginning.
    pub(crate) fn admit(&self, user: &[u8], password: &[u8]) -> bool {
        self.0.iter().fold(false, |admitted, login| {
            let same = same(login.user.as_bytes(), user) & same(login.password.as_bytes(), password);
            admitted | same
        })
    }

    /// Whether the value of `Proxy-Authorization` is `Basic` (RFC 7617) with one of them.
    pub(crate) fn admit_basic(&self, value: &[u8]) -> bool {
        let Some((scheme, token)) = value.split_at_checked(6) else { return false };
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return false;
        }
        let Ok(login) = STANDARD.decode(token.trim_ascii()) else { return false };
        let Some(colon) = login.iter().position(|&byte| byte == b':') else { return false };
        self.admit(&login[..colon], &login[colon + 1..])
    }
}

impl std::fmt::Debug for Logins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Logins({})", self.0.len())
    }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    let mut difference = u8::from(a.len() != b.len());
    for (index, byte) in b.iter().enumerate() {
        difference |= black_box(byte ^ a.get(index).copied().unwrap_or(!byte));
    }
    difference == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_admitted() {
        let mut logins = Logins::default();
        assert!(logins.is_open());
        logins.add("Aladdin:open sesame").unwrap();
        logins.add("b:").unwrap();
        for (user, password, expected) in [
            ("Aladdin", "open sesame", true),
            ("Aladdin", "open sesam", false),
            ("Aladdin", "open sesame!", false),
            ("Aladdin", "", false),
            ("aladdin", "open sesame", false),
            ("b", "", true),
            ("", "", false),
        ] {
            assert_eq!(logins.admit(user.as_bytes(), password.as_bytes()), expected, "{user} {password}");
        }
        for (value, expected) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", true),
            ("basic  QWxhZGRpbjpvcGVuIHNlc2FtZQ== ", true),
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZ", false),
            ("Basic QWxhZGRpbg==", false),
            ("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ==", false),
            ("Basic", false),
            ("", false),
        ] {
            assert_eq!(logins.admit_basic(value.as_bytes()), expected, "{value}");
        }
        for wrong in ["nobody", ":x", &format!("{}:x", "u".repeat(256))] {
            assert!(logins.add(wrong).is_err(), "{wrong}");
        }
        assert!(!format!("{logins:?}").contains("sesame"));
    }
}
