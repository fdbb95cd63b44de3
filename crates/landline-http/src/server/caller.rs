//! What a handler may know of who asks.

use std::sync::Arc;

use landline::serve::Draining;
use landline::{Addr, Context};

use super::exchange::{Exchange, Life, Outcome};

/// Who asks, and for how long: of the request whose handler asks for it, by [`Caller::current`].
#[derive(Clone)]
pub struct Caller(Arc<Life>);

impl Caller {
    /// That of the request whose handler asks: of any service that is called and polled for it, so also within layers and in the
    /// handlers and extractors of axum. `None` elsewhere, as in a task that the handler has spawned, which is to be given it, or in
    /// the body of a response.
    ///
    /// It is not among the request's extensions, where it would cost every request three allocations, whoever looks or not: of a
    /// short response a tenth of what the server does beside the kernel.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use landline_http::Body;
    /// # use landline_http::server::{Caller, RequestBody};
    /// async fn peer(_: Request<RequestBody>) -> Response<Body> {
    ///     let caller = Caller::current();
    ///     let peer = caller.as_ref().and_then(Caller::peer_addr);
    ///     Response::new(Body::from(format!("you are {peer:?}")))
    /// }
    /// ```
    pub fn current() -> Option<Caller> {
        Exchange::current().map(Caller)
    }

    /// The other end of the conn; of a Unix socket often nothing.
    pub fn peer_addr(&self) -> Option<&Addr> {
        self.0.state.peer.as_ref()
    }

    /// Whether the request came over TLS.
    pub fn is_secure(&self) -> bool {
        self.0.state.secured.is_some()
    }

    /// Tells of the server's drain, which waits for responses: whoever has one that goes on, such as events or a tunnel, ends
    /// it then, or it is cut when the drain's time is over.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use landline_http::Body;
    /// # use landline_http::server::events::{self, Event};
    /// # use landline_http::server::{Caller, RequestBody};
    /// async fn clock(_: Request<RequestBody>) -> Response<Body> {
    ///     let (sender, events) = events::channel(1);
    ///     let caller = Caller::current();
    ///     tokio::spawn(async move {
    ///         let caller = caller.ok_or(events::Gone)?;
    ///         loop {
    ///             tokio::select! {
    ///                 () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
    ///                 () = sender.closed() => return Err(events::Gone),
    ///                 () = caller.draining().begun() => return Ok(()),
    ///             }
    ///             sender.send(Event::new().data("tick")).await?;
    ///         }
    ///     });
    ///     events.into_response()
    /// }
    /// ```
    pub fn draining(&self) -> &Draining {
        &self.0.state.draining
    }

    /// A context that is cancelled when the request is over: when its response is complete, or its peer has gone. A
    /// handler itself is dropped then; this is for what it began elsewhere.
    pub fn context(&self) -> &Context {
        self.0.context()
    }

    /// Has `tell` called with what became of the request when it is over: once all of its response has gone or been given up,
    /// whatever the reason. So an access log needs nothing around bodies, and the kernel may send files by itself
    /// ([`FileServer`](crate::files::FileServer#what-is-never-read)).
    ///
    /// It is called on the thread that serves the conn, and must not block. Registered when the request is over already, it is
    /// dropped unheard.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use landline_http::Body;
    /// # use landline_http::server::{Caller, RequestBody};
    /// async fn counted(request: Request<RequestBody>) -> Response<Body> {
    ///     if let Some(caller) = Caller::current() {
    ///         let path = request.uri().path().to_owned();
    ///         caller.on_end(move |outcome| println!("{path}: {} bytes", outcome.bytes));
    ///     }
    ///     Response::new(Body::from("hello"))
    /// }
    /// ```
    pub fn on_end(&self, tell: impl FnOnce(&Outcome) + Send + 'static) {
        self.0.on_end(Box::new(tell));
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Caller")
            .field("peer_addr", &self.peer_addr())
            .field("is_secure", &self.is_secure())
            .finish_non_exhaustive()
    }
}
