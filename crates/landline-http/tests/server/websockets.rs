//! WebSockets, over HTTP/1.1 here and over HTTP/2 among its tunnels.

use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response, StatusCode};
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, Upgraded, handle};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{dial, one};

/// Echoes text over WebSockets (RFC 6455), however they were opened.
pub(super) async fn serve(server: Server) -> Serving {
    let service = handle(async |mut request: Request<RequestBody>| {
        let key = request.headers().get("sec-websocket-key").cloned();
        // The same whichever protocol it is.
        let upgraded = Upgraded::of(&mut request);
        tokio::spawn(async move {
            let upgraded = upgraded.await.unwrap();
            let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    socket.send(message).await.unwrap();
                }
            }
        });
        let response = Response::builder();
        let response = match key {
            Some(key) => response
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header("connection", "upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-accept", derive_accept_key(key.as_bytes())),
            // In HTTP/2 there is neither (RFC 8441 section 5).
            None => response,
        };
        response.body(Body::empty()).unwrap()
    });
    server.transport(one()).serve("tcp", "127.0.0.1:0", service).await.unwrap()
}

/// A text frame of a client, whose mask changes nothing (RFC 6455 section 5.3), and what comes back.
pub(super) fn websocket_text(text: &str) -> (Vec<u8>, Vec<u8>) {
    let length = u8::try_from(text.len()).unwrap();
    (
        [&[0x81, 0x80 | length, 0, 0, 0, 0], text.as_bytes()].concat(),
        [&[0x81, length], text.as_bytes()].concat(),
    )
}

#[tokio::test]
async fn websockets_open_over_http1() {
    let serving = serve(Server::new()).await;
    let opening = tokio_tungstenite::client_async("ws://a/ws", dial(&serving).await);
    let (mut socket, _) = opening.await.unwrap();
    for word in ["hello", "again"] {
        socket.send(Message::text(word)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(word));
    }
    socket.close(None).await.unwrap();
    while let Some(message) = socket.next().await {
        assert!(message.unwrap().is_close());
    }
}
