//! The feature `tower`: a dialer is a connector for hyper-util's client, for tonic, and for whoever else takes a
//! `tower` service from a URI to a conn.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use tower_service::Service;

use crate::addr::{AddressError, AddressErrorKind, join_host_port};
use crate::conn::Conn;
use crate::dial::Dialer;
use crate::error::{Error, Operation};
use crate::network::{Family, Network};

/// Dials the host of a URI, at its port or its scheme's: 443 for `https` and `wss`, 80 for `http` and `ws`.
///
/// The conn is plain: TLS is a layer around the connector, such as `hyper-rustls`'s. Dropping the future ends the dial.
impl Service<Uri> for Dialer {
    type Response = TokioIo<Conn>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Conn>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move {
            let network = Network::Tcp(Family::Any);
            let address = address(&uri).map_err(|error| Error::new(Operation::Dial, error).on(network))?;
            dialer.dial(network, &address).await.map(TokioIo::new)
        })
    }
}

fn address(uri: &Uri) -> Result<String, AddressError> {
    let refuse =
        |reason: &str| Err(AddressError::new(uri.to_string(), AddressErrorKind::Invalid(reason.to_owned())));
    let Some(host) = uri.host().filter(|host| !host.is_empty()) else {
        return refuse("the URI names no host");
    };
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https" | "wss")) => 443,
        (None, Some("http" | "ws")) => 80,
        (None, _) => return refuse("neither a port nor a scheme that implies one"),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(join_host_port(host, port))
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_and_the_addresses_they_mean() {
        for (uri, meaning) in [
            ("http://example.com", "example.com:80"),
            ("https://example.com/path", "example.com:443"),
            ("http://example.com:8080", "example.com:8080"),
            ("http://[::1]", "[::1]:80"),
            ("http://[::1]:8080/", "[::1]:8080"),
            ("/path", "address /path: the URI names no host"),
            ("gopher://x", "address gopher://x/: neither a port nor a scheme that implies one"),
        ] {
            let address = address(&uri.parse().unwrap()).unwrap_or_else(|error| error.to_string());
            assert_eq!(address, meaning);
        }
    }
}
