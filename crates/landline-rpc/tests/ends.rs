//! How conns end, and what becomes of calls then.

mod common;

use std::time::Duration;

use common::{PATIENCE, args, pair, serve, server};
use conntest::loopback::{RefusedPort, V4};
use landline_rpc::{Client, ClientConfig, Error, Reconnect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_drain_answers_what_has_come_and_closes() {
    let (server, gate) = server();
    let (serving, client) = pair(&server).await;
    let idle = Client::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let waiting = {
        let client = client.clone();
        tokio::spawn(async move { client.call::<_, u64>("Gate.Wait", &5_u64).await })
    };
    gate.until_begun(1).await;
    let (drained, ()) = tokio::join!(serving.shutdown(PATIENCE), async {
        // The drain has begun for the idle conn, and for this one too.
        loop {
            match idle.call::<_, i64>("Arith.Multiply", &args(1, 1)).await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => break assert!(error.is_disconnect(), "{error:?}"),
            }
        }
        gate.opened.notify_waiters();
    });
    assert_eq!(waiting.await.unwrap().unwrap(), 5);
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn a_client_that_ends_its_side_gets_its_replies() {
    let (server, gate) = server();
    let serving = serve(&server).await;
    let mut conn = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let client = Client::on(ours);
    // What a client writes for a call.
    let (mut read, mut write) = tokio::io::split(theirs);
    let call = client.call::<_, u64>("Gate.Wait", &5_u64);
    tokio::pin!(call);
    let mut request = vec![0; 4096];
    let count = tokio::select! {
        result = &mut call => panic!("{result:?}"),
        count = read.read(&mut request) => count.unwrap(),
    };
    AsyncWriteExt::write_all(&mut conn, &request[..count]).await.unwrap();
    gate.until_begun(1).await;
    conn.close_write().unwrap();
    gate.opened.notify_waiters();
    let mut reply = Vec::new();
    conn.read_to_end(&mut reply).await.unwrap();
    write.write_all(&reply).await.unwrap();
    assert_eq!(call.await.unwrap(), 5);
}

#[tokio::test]
async fn handlers_are_dropped_when_their_conn_breaks() {
    let (server, gate) = server();
    let (serving, client) = pair(&server).await;
    let call = {
        let client = client.clone();
        tokio::spawn(async move { client.call::<_, u64>("Gate.Wait", &5_u64).await })
    };
    gate.until_begun(1).await;
    drop(serving);
    gate.until_ended(1).await;
    let error = call.await.unwrap().unwrap_err();
    assert!(error.is_disconnect() && !error.is_unsent(), "{error:?}");
}

#[tokio::test]
async fn calls_that_were_not_sent_say_so_when_their_conn_ends() {
    // Room for a part of the first request, so that the others wait behind it.
    let (ours, theirs) = tokio::io::duplex(8);
    let client = Client::on(ours);
    let call = |number| {
        let client = client.clone();
        tokio::spawn(async move { client.call::<_, u64>("Gate.Wait", &number).await })
    };
    let sent = call(1_u64);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let unsent = call(2_u64);
    while client.in_flight() < 2 {
        tokio::task::yield_now().await;
    }
    drop(theirs);
    let (sent, unsent) = (sent.await.unwrap().unwrap_err(), unsent.await.unwrap().unwrap_err());
    assert!(sent.is_disconnect() && !sent.is_unsent(), "{sent:?}");
    assert!(matches!(unsent, Error::Unsent(_)) && unsent.is_disconnect() && unsent.is_unsent(), "{unsent:?}");
}

#[tokio::test]
async fn a_client_that_was_closed_says_so() {
    let (server, gate) = server();
    let (_serving, client) = pair(&server).await;
    let call = client.call::<_, u64>("Gate.Wait", &5_u64);
    let (result, ()) = tokio::join!(call, async {
        gate.until_begun(1).await;
        client.close();
    });
    assert!(matches!(&result, Err(error @ Error::Shutdown) if !error.is_unsent()), "{result:?}");
    let error = client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
    assert_eq!(error.to_string(), "connection is shut down");
}

#[tokio::test]
async fn dropping_the_client_closes_its_conn() {
    let (server, _) = server();
    let (serving, client) = pair(&server).await;
    client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap();
    drop(client);
    let drained = serving.shutdown(PATIENCE).await;
    assert_eq!(drained.cut, 0);
}

#[tokio::test]
async fn requests_that_are_none_end_the_conn_and_nothing_else() {
    let (server, _) = server();
    let (serving, client) = pair(&server).await;
    for bytes in [
        &b"\x00"[..],
        b"GET / HTTP/1.0\r\n\r\n",
        b"\xf8\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x03\x04\x00\x02",
        &[0xff; 100],
    ] {
        let mut conn = landline::dial("tcp", &serving.local_addr().to_string()).await.unwrap();
        AsyncWriteExt::write_all(&mut conn, bytes).await.unwrap();
        conn.close_write().unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, conn.read_to_end(&mut rest)).await.unwrap();
        assert!(ended.is_err() || rest.is_empty(), "{bytes:?}: {rest:?}");
    }
    assert_eq!(client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap(), 42);
}

#[tokio::test]
async fn replies_that_are_none_fail_the_calls_under_way() {
    let (ours, mut theirs) = tokio::io::duplex(1 << 16);
    let client = Client::on(ours);
    let six_and_seven = args(6, 7);
    let (result, ()) = tokio::join!(client.call::<_, i64>("Arith.Multiply", &six_and_seven), async {
        let mut request = [0; 4096];
        assert!(theirs.read(&mut request).await.unwrap() > 0);
        theirs.write_all(b"\x00nonsense").await.unwrap();
    });
    assert!(matches!(result, Err(Error::Protocol(_))), "{result:?}");
    let error = client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
    assert!(matches!(error, Error::Protocol(_)), "{error:?}");
}

#[tokio::test]
async fn a_client_dials_again_when_its_server_is_back() {
    let (server, _) = server();
    let (serving, client) = pair(&server).await;
    let address = serving.local_addr().to_string();
    client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap();
    let never = ClientConfig::new().reconnect(Reconnect::Never).dial("tcp", &address).await.unwrap();
    never.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap();
    serving.shutdown(PATIENCE).await;
    // It may not have noticed yet.
    let error = client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
    assert!(error.is_disconnect(), "{error:?}");
    let serving = server.serve_with(&landline::Server::new().workers(1), "tcp", &address).await.unwrap();
    let coming_back = async {
        while client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, coming_back).await.expect("it comes back");
    assert!(never.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err().is_disconnect());
    drop(serving);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_not_asked_over_and_over() {
    let port = RefusedPort::bind(V4).unwrap();
    let address = port.addr();
    let config = ClientConfig::new()
        .reconnect(Reconnect::Backoff { first: Duration::from_secs(3600), most: Duration::from_secs(3600) });
    let client = config.dial_later("tcp", &address.to_string()).unwrap();
    let first = client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
    assert!(matches!(&first, Error::Dial(error) if error.is_connection_refused()), "{first:?}");
    drop(port);
    // Somebody listens now, and is not dialed.
    let listener = landline::listen("tcp", &address.to_string()).await.unwrap();
    let again = client.call::<_, i64>("Arith.Multiply", &args(6, 7)).await.unwrap_err();
    assert_eq!(again.to_string(), first.to_string());
    drop(listener);
}
