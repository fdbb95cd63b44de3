//! landline's conns as the conformance suite wants them.

pub(crate) mod tls;

use conntest::suite::{Addressed, Deadlines, SharedConn};
use landline::Error;
use tokio::time::Instant;

/// A conn in the suite's terms.
pub(crate) struct Tried<C>(pub(crate) C);

macro_rules! tried {
    ($conn:ty, $addr:ty) => {
        impl SharedConn for Tried<$conn> {
            type Error = Error;

            async fn read(&self, buffer: &mut [u8]) -> Result<usize, Error> {
                self.0.read(buffer).await
            }

            async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
                self.0.write(bytes).await
            }

            async fn close(&self) -> Result<(), Error> {
                self.0.close()
            }

            fn is_closed(error: &Error) -> bool {
                error.is_closed()
            }
        }

        impl Deadlines for Tried<$conn> {
            fn set_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
                self.0.set_deadline(at);
                Ok(())
            }

            fn set_read_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
                self.0.set_read_deadline(at);
                Ok(())
            }

            fn set_write_deadline(&self, at: Option<Instant>) -> Result<(), Error> {
                self.0.set_write_deadline(at);
                Ok(())
            }

            fn is_timeout(error: &Error) -> bool {
                error.is_timeout()
            }
        }

        impl Addressed for Tried<$conn> {
            type Addr = $addr;

            fn local_addr(&self) -> Result<$addr, Error> {
                self.0.local_addr()
            }

            fn peer_addr(&self) -> Result<$addr, Error> {
                self.0.peer_addr()
            }
        }
    };
}

tried!(landline::TcpConn, std::net::SocketAddr);
tried!(landline::UnixConn, landline::UnixAddr);
tried!(landline::Conn, landline::Addr);
tried!(landline::Pipe, landline::Addr);
