//! Why a request failed, in words for who has written neither rustls nor hyper.

use std::error::Error as StdError;
use std::io;

use landline::Cause;
use landline_http::client::{Error, ErrorKind, Phase};
use rustls::{CertificateError, InvalidMessage};

use super::trust::Another;
use crate::failure::without_number;

/// The error, with what was asked for before it as far as the error knows.
pub(super) fn of(error: &Error) -> String {
    let (whole, kind) = (error.to_string(), error.kind().to_string());
    let before = whole.strip_suffix(&kind).unwrap_or_default();
    let is_plain = error.url().is_some_and(|url| url.starts_with("http://"));
    let words = match error.kind() {
        ErrorKind::Connect(error) => match tls(error.cause()) {
            Some(reason) => format!("TLS: {reason}"),
            None if error.is_timeout() => {
                let text = kind.strip_suffix(": i/o timeout").unwrap_or(&kind);
                format!("timeout: {text}")
            }
            None => kind,
        },
        ErrorKind::Timeout(Phase::Tls) if !is_plain => "timeout: the TLS handshake is not done".to_owned(),
        ErrorKind::Protocol(error) if error.is_parse() && is_plain => {
            format!("the server does not speak HTTP; if it speaks TLS, try https:// ({kind})")
        }
        _ => without_doubles(&kind),
    };
    format!("{before}{words}")
}

/// What is wrong with TLS, where that is it.
fn tls(cause: &Cause) -> Option<String> {
    let Cause::Other(error) = cause else { return None };
    let mut next: Option<&(dyn StdError + 'static)> = Some(&**error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(sentence(error));
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

fn sentence(error: &rustls::Error) -> String {
    let words = match error {
        rustls::Error::InvalidCertificate(error) => return certificate(error),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the server does not speak TLS; try http://",
        error => return error.to_string(),
    };
    words.to_owned()
}

fn certificate(error: &CertificateError) -> String {
    let words = match error {
        CertificateError::UnknownIssuer => {
            "the certificate is not trusted: it is signed by nobody known here (--ca FILE or --fingerprint SHA256 trusts it)"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet"
        }
        CertificateError::Revoked => "the certificate has been revoked",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the certificate is for another name"
        }
        CertificateError::BadSignature => "the signature of the certificate is wrong",
        CertificateError::BadEncoding => "the certificate is no certificate",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not for servers"
        }
        error => {
            if let CertificateError::Other(other) = error
                && let Some(another) = other.0.downcast_ref::<Another>()
            {
                return another.to_string();
            }
            // webpki's own words have no type here.
            let text = format!("{error:?}");
            if text.contains("CaUsedAsEndEntity") {
                "the certificate is that of an authority, which may not be a server's (--fingerprint SHA256 trusts it)"
            } else if text.contains("UnsupportedSignatureAlgorithm") {
                "the certificate is not trusted: its signature is of a kind that its issuer's key does not make, or that is not known here (--fingerprint SHA256 trusts it)"
            } else {
                return format!("the certificate is not trusted: {error}");
            }
        }
    };
    words.to_owned()
}

/// Without numbers of the system, and causes that only say again what was said before them.
fn without_doubles(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split(": ") {
        let part = without_number(part);
        if parts.last().is_none_or(|last| !last.eq_ignore_ascii_case(part)) {
            parts.push(part);
        }
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_said_once() {
        for (text, expected) in [
            ("read tcp: reset by peer: Reset by peer (os error 104)", "read tcp: reset by peer"),
            ("connection closed", "connection closed"),
        ] {
            assert_eq!(without_doubles(text), expected);
        }
    }

    #[test]
    fn certificates_are_judged_in_sentences() {
        for (error, expected) in [
            (CertificateError::UnknownIssuer, "signed by nobody known here"),
            (CertificateError::Expired, "has expired"),
            (CertificateError::NotValidForName, "for another name"),
        ] {
            let error = io::Error::new(io::ErrorKind::InvalidData, rustls::Error::from(error));
            let words = tls(&Cause::Other(std::sync::Arc::new(error))).unwrap();
            assert!(words.starts_with("the certificate ") && words.contains(expected), "{words}");
        }
    }
}
