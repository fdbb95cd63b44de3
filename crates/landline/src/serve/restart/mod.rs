//! Hot restart: a server hands its sockets to the process that takes its place.
//!
//! The two meet at a Unix socket of a name that both are given. The successor calls and is sent the sockets; when it
//! serves, it says so, and the server accepts no more. In between both accept from the same sockets, and what is queued
//! in the kernel stays queued, so no conn is lost.

mod answer;
mod message;
mod predecessor;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::io::Errno;

pub(super) use answer::{Answering, Kept};
pub(super) use predecessor::Predecessor;

use crate::addr::UnixAddr;
use crate::dial::Dialer;
use crate::error::{Cause, Error, Operation, Result};
use crate::listen::{ListenConfig, ListeningSocket};
use crate::network::{Network, UnixKind};
use crate::socket::BoundPath;

/// Where a server and its successor meet, and how long the old one may then take to end.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) address: Arc<str>,
    pub(super) drain: Duration,
}

impl Point {
    pub(super) fn network(&self) -> Network {
        Network::Unix(UnixKind::Seqpacket)
    }

    /// Listens where nobody does, and removes what somebody left there who did not tidy up.
    pub(super) async fn listen(&self) -> Result<(OwnedFd, Option<BoundPath>)> {
        let config = ListenConfig::new();
        let listen = || config.listen(self.network(), &self.address);
        let listener = match listen().await {
            Err(error) if error.errno() == Some(Errno::ADDRINUSE) && self.is_abandoned().await => {
                let _ = std::fs::remove_file(&*self.address);
                listen().await?
            }
            listened => listened?,
        };
        let ListeningSocket { fd, bound, local, .. } = listener.into_socket()?;
        if let Some(path) = local.as_unix().and_then(UnixAddr::as_path) {
            // Whoever connects is asked who he is besides.
            rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR).map_err(|error| {
                Error::new(Operation::Listen, Cause::System { call: "chmod", error })
                    .on(self.network())
                    .to_peer(local)
            })?;
        }
        Ok((fd, bound))
    }

    async fn is_abandoned(&self) -> bool {
        let dialed = Dialer::new().timeout(PROMPT).dial(self.network(), &self.address).await;
        dialed.is_err_and(|error| error.is_connection_refused())
    }
}

/// How long the other side may take for each step that it does at once.
const PROMPT: Duration = Duration::from_secs(10);
