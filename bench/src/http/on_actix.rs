//! The peer: actix-web with one worker and one route.

use std::{io, time::Duration};

use actix_web::{App, HttpServer, rt::System, web};

use crate::sockets;

/// As long as landline waits; by itself it closes idle conns after five seconds, and slow ones too.
const IDLE: Duration = Duration::from_secs(60);
const HEAD: Duration = Duration::from_secs(10);

pub(crate) fn serve() -> io::Result<()> {
    System::new().block_on(async {
        let listener = sockets::listen()?;
        let server = HttpServer::new(|| App::new().route("/", web::get().to(async || super::HELLO)))
            .workers(1)
            .keep_alive(IDLE)
            .client_request_timeout(HEAD)
            .disable_signals()
            .listen(listener.try_clone()?.into())?
            .run();
        sockets::announce(&listener)?;
        server.await
    })
}
