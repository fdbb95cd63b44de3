//! What follows an upgrade: bytes, in both directions.

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use landline::{Conn, Copier, SharedStream};

use super::table::Turn;
use crate::client::Upgraded;

/// Moves bytes between a client's conn, once the response has gone out on it, and a backend's, until both have ended or
/// one has failed; then closes both. Until then the request counts as under way.
pub(super) fn relay(front: OnUpgrade, back: Upgraded, turn: Turn) {
    tokio::spawn(async move {
        let Ok(front) = front.await else { return };
        let (back, unread) = back.into_parts();
        let copier = Copier::new().prefix_back(unread);
        let result = match front.downcast::<TokioIo<Conn>>() {
            // From conn to conn the kernel moves them.
            Ok(parts) => copier.prefix(parts.read_buf).copy_both(&parts.io.into_inner(), &back).await,
            Err(front) => copier.copy_both(&SharedStream::new(TokioIo::new(front)), &back).await,
        };
        if let Err(error) = result {
            tracing::debug!(target: "landline", to = ?turn.to, %error, "an upgraded conn");
        }
    });
}
