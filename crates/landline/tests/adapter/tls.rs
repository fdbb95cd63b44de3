//! TLS over any byte stream, with a certificate that lives as long as the test.

use std::sync::Arc;

use conntest::suite::ByteStream;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

/// Both roles, trusting each other.
pub(crate) struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Tls {
    pub(crate) fn new() -> Tls {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = own.cert.der().clone();
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key);
        Tls {
            connector: TlsConnector::from(Arc::new(client)),
            acceptor: TlsAcceptor::from(Arc::new(server.unwrap())),
        }
    }

    /// The two roles' settings.
    #[allow(dead_code)] // Not every test makes conns of its own.
    pub(crate) fn configs(&self) -> (Arc<ClientConfig>, Arc<ServerConfig>) {
        (self.connector.config().clone(), self.acceptor.config().clone())
    }

    /// Wraps both ends and shakes hands.
    #[allow(dead_code)] // Nor every test has them made by others.
    pub(crate) async fn wrap<A: ByteStream, B: ByteStream>(
        &self,
        (a, b): (A, B),
    ) -> (client::TlsStream<A>, server::TlsStream<B>) {
        let name = ServerName::try_from("localhost").unwrap();
        tokio::try_join!(self.connector.connect(name, a), self.acceptor.accept(b)).unwrap()
    }
}
