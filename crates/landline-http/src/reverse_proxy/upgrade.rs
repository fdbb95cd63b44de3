//! What follows an upgrade: bytes, in both directions.

use std::io;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use landline::{Conn, Copied, Copier, SharedStream};

use super::table::Turn;
use crate::client::Upgraded;
use crate::server;

/// Moves bytes between a client's conn, once the response has gone out on it, and a backend's, until both have ended or
/// one has failed; then closes both. Until then the request counts as under way.
pub(super) fn relay(front: OnUpgrade, back: Upgraded, turn: Turn) {
    tokio::spawn(async move {
        let Ok(front) = front.await else { return };
        match copy(front, back).await {
            Ok((there, back)) => {
                tracing::debug!(target: "landline", to = ?turn.to, %there, %back, "an upgraded conn ended");
            }
            Err(error) => tracing::debug!(target: "landline", to = ?turn.to, %error, "an upgraded conn"),
        }
    });
}

/// From conn to conn the kernel moves them.
async fn copy(front: hyper::upgrade::Upgraded, back: Upgraded) -> io::Result<(Copied, Copied)> {
    let (back, unread) = back.into_parts();
    let copier = Copier::new().prefix_back(unread);
    // A server of ours lends its conn, and keeps its place until the end.
    let front = match server::Upgraded::taken(front).await? {
        Ok((front, unread, _place)) => return Ok(copier.prefix(unread).copy_both(&front, &back).await?),
        Err(front) => front,
    };
    Ok(match front.downcast::<TokioIo<Conn>>() {
        Ok(parts) => copier.prefix(parts.read_buf).copy_both(&parts.io.into_inner(), &back).await?,
        Err(front) => copier.copy_both(&SharedStream::new(TokioIo::new(front)), &back).await?,
    })
}
