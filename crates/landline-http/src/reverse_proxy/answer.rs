//! What the client is told when no backend answers it. Pure.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use landline::{Cause, Ended};

use super::body::Body;
use crate::client::{Error, ErrorKind, Phase};

/// Why there is no response of a backend's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) status: StatusCode,
    pub(super) reason: Reason,
    /// For people; says nothing of how the backends are called.
    pub(super) text: &'static str,
}

/// The error types of RFC 9209 section 2.3 that occur here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    DnsTimeout,
    DnsError,
    ConnectionTimeout,
    ConnectionRefused,
    ConnectionTerminated,
    DestinationUnavailable,
    TlsError,
    ResponseTimeout,
    ProtocolError,
    UpgradeFailed,
    LoopDetected,
    RequestError,
    InternalError,
}

impl Reason {
    fn as_str(self) -> &'static str {
        match self {
            Reason::DnsTimeout => "dns_timeout",
            Reason::DnsError => "dns_error",
            Reason::ConnectionTimeout => "connection_timeout",
            Reason::ConnectionRefused => "connection_refused",
            Reason::ConnectionTerminated => "connection_terminated",
            Reason::DestinationUnavailable => "destination_unavailable",
            Reason::TlsError => "tls_protocol_error",
            Reason::ResponseTimeout => "http_response_timeout",
            Reason::ProtocolError => "http_protocol_error",
            Reason::UpgradeFailed => "http_upgrade_failed",
            Reason::LoopDetected => "proxy_loop_detected",
            Reason::RequestError => "http_request_error",
            Reason::InternalError => "proxy_internal_error",
        }
    }
}

impl Failure {
    /// What an error of the client's means to whom it was asked for.
    pub(super) fn of(error: &Error) -> Failure {
        let bad = |reason, text| Failure { status: StatusCode::BAD_GATEWAY, reason, text };
        let late = |reason, text| Failure { status: StatusCode::GATEWAY_TIMEOUT, reason, text };
        match error.kind() {
            ErrorKind::Connect(error) => Failure::of_connect(error),
            ErrorKind::Timeout(Phase::Tls) => {
                late(Reason::ConnectionTimeout, "the handshake with the backend took too long")
            }
            ErrorKind::Timeout(_) | ErrorKind::Ended(Ended::DeadlineExceeded) => {
                late(Reason::ResponseTimeout, "the backend took too long to answer")
            }
            ErrorKind::InterimLimit(_) => {
                bad(Reason::ProtocolError, "the backend sent interim responses without end")
            }
            ErrorKind::Protocol(error) if error.is_parse() => {
                bad(Reason::ProtocolError, "the backend does not keep to the protocol")
            }
            ErrorKind::Protocol(_) => {
                bad(Reason::ConnectionTerminated, "the backend broke the conn before it answered")
            }
            ErrorKind::Body(_) => Failure {
                status: StatusCode::BAD_REQUEST,
                reason: Reason::RequestError,
                text: "the body of the request did not come whole",
            },
            ErrorKind::Invalid(_) | ErrorKind::Ended(_) | ErrorKind::Redirect(_) | ErrorKind::TooLong(_) => {
                Failure {
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    reason: Reason::InternalError,
                    text: "the request could not be passed on",
                }
            }
        }
    }

    fn of_connect(error: &landline::Error) -> Failure {
        let bad = |reason, text| Failure { status: StatusCode::BAD_GATEWAY, reason, text };
        if let Cause::Lookup(lookup) = error.cause() {
            return Failure::of_lookup(lookup.is_timeout());
        }
        if error.is_timeout() {
            return Failure {
                status: StatusCode::GATEWAY_TIMEOUT,
                reason: Reason::ConnectionTimeout,
                text: "the backend could not be connected to in time",
            };
        }
        if error.is_connection_refused() {
            return bad(Reason::ConnectionRefused, "the backend refuses conns");
        }
        match error.cause() {
            Cause::Other(_) => bad(Reason::TlsError, "the handshake with the backend failed"),
            _ => bad(Reason::DestinationUnavailable, "the backend cannot be connected to"),
        }
    }

    /// The names of the backends could not be looked up.
    pub(super) fn of_lookup(is_timeout: bool) -> Failure {
        if is_timeout {
            return Failure {
                status: StatusCode::GATEWAY_TIMEOUT,
                reason: Reason::DnsTimeout,
                text: "the lookup of the backend took too long",
            };
        }
        Failure {
            status: StatusCode::BAD_GATEWAY,
            reason: Reason::DnsError,
            text: "the backend cannot be looked up",
        }
    }

    /// The response that tells it.
    pub(super) fn response(self) -> Response<Body> {
        let text = format!("{}: {}\n", self.status, self.text);
        let mut response = Response::new(Body::own(Bytes::from(text)));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(value) = HeaderValue::from_str(&format!("landline; error={}", self.reason.as_str())) {
            headers.insert("proxy-status", value);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use landline::{Error as NetError, Operation};

    use super::*;

    #[test]
    fn errors_and_what_they_are_told_as() {
        let connect = |cause: Cause| ErrorKind::Connect(NetError::new(Operation::Dial, cause));
        for (kind, status, reason) in [
            (connect(Cause::Timeout), 504, "connection_timeout"),
            (connect(Cause::Closed), 502, "destination_unavailable"),
            (connect(Cause::Other(Arc::new(std::fmt::Error))), 502, "tls_protocol_error"),
            (ErrorKind::Timeout(Phase::Tls), 504, "connection_timeout"),
            (ErrorKind::Timeout(Phase::Head), 504, "http_response_timeout"),
            (ErrorKind::Ended(Ended::DeadlineExceeded), 504, "http_response_timeout"),
            (ErrorKind::InterimLimit("x"), 502, "http_protocol_error"),
            (ErrorKind::Body(std::io::Error::other("x")), 400, "http_request_error"),
            (ErrorKind::Invalid("x".into()), 500, "proxy_internal_error"),
        ] {
            let text = format!("{kind:?}");
            let response = Failure::of(&Error::new(kind)).response();
            assert_eq!(response.status(), status, "{text}");
            assert_eq!(response.headers()["proxy-status"], format!("landline; error={reason}"), "{text}");
        }
    }
}
