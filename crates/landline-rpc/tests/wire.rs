//! The very bytes that Go 1.27 writes. They were taken from between `rpc call` and `rpc serve` of `interop/go/rpc`.

mod common;

use common::{Args, args};
use landline_rpc::{ClientConfig, Error, Server, Wire};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Quotient {
    quo: i64,
    rem: i64,
}

fn server(wire: Wire) -> Server {
    let divide = |args: Args| async move {
        match (args.a.checked_div(args.b), args.a.checked_rem(args.b)) {
            (Some(quo), Some(rem)) => Ok(Quotient { quo, rem }),
            _ => Err("divide by zero"),
        }
    };
    Server::with_codec(wire)
        .register("Arith.Multiply", |args: Args| async move { Ok::<_, Error>(args.a * args.b) })
        .and_then(|server| server.register("Arith.Divide", divide))
        .expect("the names are good")
}

/// Calls and what passes each way.
const CALLS: [(&str, (i64, i64)); 8] = [
    ("Arith.Multiply", (6, 7)),
    ("Arith.Multiply", (0, 7)),
    ("Arith.Multiply", (-3, 5)),
    ("Arith.Divide", (17, 5)),
    ("Arith.Divide", (7, 0)),
    ("Arith.Missing", (7, 0)),
    ("Missing.Divide", (7, 0)),
    ("Divide", (7, 0)),
];

const GOB: [(&[u8], &[u8]); 8] = [
    (
        b".\x7f\x03\x01\x01\x07Request\x01\xff\x80\x00\x01\x02\x01\rServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\
          \x00\x00\x13\xff\x80\x01\x0eArith.Multiply\x00\x1e\xff\x81\x03\x01\x01\x04Args\x01\xff\x82\x00\x01\x02\x01\
          \x01A\x01\x04\x00\x01\x01B\x01\x04\x00\x00\x00\x07\xff\x82\x01\x0c\x01\x0e\x00",
        b"9\x7f\x03\x01\x01\x08Response\x01\xff\x80\x00\x01\x03\x01\rServiceMethod\x01\x0c\x00\x01\x03Seq\x01\x06\x00\
          \x01\x05Error\x01\x0c\x00\x00\x00\x13\xff\x80\x01\x0eArith.Multiply\x00\x03\x04\x00T",
    ),
    (
        b"\x15\xff\x80\x01\x0eArith.Multiply\x01\x01\x00\x05\xff\x82\x02\x0e\x00",
        b"\x15\xff\x80\x01\x0eArith.Multiply\x01\x01\x00\x03\x04\x00\x00",
    ),
    (
        b"\x15\xff\x80\x01\x0eArith.Multiply\x01\x02\x00\x07\xff\x82\x01\x05\x01\n\x00",
        b"\x15\xff\x80\x01\x0eArith.Multiply\x01\x02\x00\x03\x04\x00\x1d",
    ),
    (
        b"\x13\xff\x80\x01\x0cArith.Divide\x01\x03\x00\x07\xff\x82\x01\"\x01\n\x00",
        b"\x13\xff\x80\x01\x0cArith.Divide\x01\x03\x00&\xff\x81\x03\x01\x01\x08Quotient\x01\xff\x82\x00\x01\x02\x01\
          \x03Quo\x01\x04\x00\x01\x03Rem\x01\x04\x00\x00\x00\x07\xff\x82\x01\x06\x01\x04\x00",
    ),
    (
        b"\x13\xff\x80\x01\x0cArith.Divide\x01\x04\x00\x05\xff\x82\x01\x0e\x00",
        b"#\xff\x80\x01\x0cArith.Divide\x01\x04\x01\x0edivide by zero\x00\n\xff\x83\x03\x01\x02\xff\x84\x00\x00\x00\
          \x03\xff\x84\x00",
    ),
    (
        b"\x14\xff\x80\x01\rArith.Missing\x01\x05\x00\x05\xff\x82\x01\x0e\x00",
        b":\xff\x80\x01\rArith.Missing\x01\x05\x01$rpc: can't find method Arith.Missing\x00\x03\xff\x84\x00",
    ),
    (
        b"\x15\xff\x80\x01\x0eMissing.Divide\x01\x06\x00\x05\xff\x82\x01\x0e\x00",
        b"=\xff\x80\x01\x0eMissing.Divide\x01\x06\x01&rpc: can't find service Missing.Divide\x00\x03\xff\x84\x00",
    ),
    (
        b"\r\xff\x80\x01\x06Divide\x01\x07\x00\x05\xff\x82\x01\x0e\x00",
        b"=\xff\x80\x01\x06Divide\x01\x07\x01.rpc: service/method request ill-formed: Divide\x00\x03\xff\x84\x00",
    ),
];

const JSON: [(&[u8], &[u8]); 8] = [
    (
        b"{\"method\":\"Arith.Multiply\",\"params\":[{\"A\":6,\"B\":7}],\"id\":0}\n",
        b"{\"id\":0,\"result\":42,\"error\":null}\n",
    ),
    (
        b"{\"method\":\"Arith.Multiply\",\"params\":[{\"A\":0,\"B\":7}],\"id\":1}\n",
        b"{\"id\":1,\"result\":0,\"error\":null}\n",
    ),
    (
        b"{\"method\":\"Arith.Multiply\",\"params\":[{\"A\":-3,\"B\":5}],\"id\":2}\n",
        b"{\"id\":2,\"result\":-15,\"error\":null}\n",
    ),
    (
        b"{\"method\":\"Arith.Divide\",\"params\":[{\"A\":17,\"B\":5}],\"id\":3}\n",
        b"{\"id\":3,\"result\":{\"Quo\":3,\"Rem\":2},\"error\":null}\n",
    ),
    (
        b"{\"method\":\"Arith.Divide\",\"params\":[{\"A\":7,\"B\":0}],\"id\":4}\n",
        b"{\"id\":4,\"result\":null,\"error\":\"divide by zero\"}\n",
    ),
    (
        b"{\"method\":\"Arith.Missing\",\"params\":[{\"A\":7,\"B\":0}],\"id\":5}\n",
        b"{\"id\":5,\"result\":null,\"error\":\"rpc: can't find method Arith.Missing\"}\n",
    ),
    (
        b"{\"method\":\"Missing.Divide\",\"params\":[{\"A\":7,\"B\":0}],\"id\":6}\n",
        b"{\"id\":6,\"result\":null,\"error\":\"rpc: can't find service Missing.Divide\"}\n",
    ),
    (
        b"{\"method\":\"Divide\",\"params\":[{\"A\":7,\"B\":0}],\"id\":7}\n",
        b"{\"id\":7,\"result\":null,\"error\":\"rpc: service/method request ill-formed: Divide\"}\n",
    ),
];

#[tokio::test]
async fn both_ends_write_what_go_writes() {
    for (wire, vectors) in [(Wire::Gob, GOB), (Wire::Json, JSON)] {
        let (client, mut from_client) = tokio::io::duplex(1 << 16);
        let (mut to_server, served) = tokio::io::duplex(1 << 16);
        let client = ClientConfig::new().codec(wire).client(client);
        tokio::spawn(async move { server(wire).serve_conn(served).await });
        for ((method, (a, b)), (request, reply)) in CALLS.into_iter().zip(vectors) {
            let six = args(a, b);
            let call = async {
                match method {
                    "Arith.Multiply" => client.call::<_, i64>(method, &six).await.map(drop),
                    _ => client.call::<_, Quotient>(method, &six).await.map(drop),
                }
            };
            let exchange = async {
                let mut bytes = vec![0; request.len()];
                from_client.read_exact(&mut bytes).await.unwrap();
                assert_eq!(bytes.escape_ascii().to_string(), request.escape_ascii().to_string());
                to_server.write_all(&bytes).await.unwrap();
                let mut bytes = vec![0; reply.len()];
                to_server.read_exact(&mut bytes).await.unwrap();
                assert_eq!(bytes.escape_ascii().to_string(), reply.escape_ascii().to_string());
                from_client.write_all(&bytes).await.unwrap();
            };
            let (result, ()) = tokio::join!(call, exchange);
            assert_eq!(result.is_ok(), b != 0, "{wire:?} {method}: {result:?}");
        }
    }
}

/// Serves JSON and gives what is answered to `requests`.
async fn answers(requests: &str) -> String {
    let (mut client, served) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(async move { server(Wire::Json).serve_conn(served).await });
    client.write_all(requests.as_bytes()).await.unwrap();
    client.shutdown().await.unwrap();
    let mut answers = String::new();
    client.read_to_string(&mut answers).await.unwrap();
    drop(serving);
    answers
}

#[tokio::test]
async fn an_id_is_any_json_and_comes_back_as_it_was() {
    for id in ["7", "\"x\"", "null", "[1, 2]", "-1", "1.0", "18446744073709551615", "{\"a\": 1}", "007.5e0"] {
        let request =
            format!(r#"{{"id": {id}, "method": "Arith.Multiply", "params": [{{"A": 6, "B": 7}}]}}"#);
        let expected = match id {
            "007.5e0" => String::new(), // Not JSON: the conn is over.
            id => format!("{{\"id\":{id},\"result\":42,\"error\":null}}\n"),
        };
        assert_eq!(answers(&request).await, expected, "{id}");
    }
    let no_id = answers(r#"{"method": "Arith.Multiply", "params": [{"A": 6, "B": 7}]}"#).await;
    assert_eq!(no_id, "{\"id\":null,\"result\":42,\"error\":null}\n");
}

#[tokio::test]
async fn what_json_lacks_is_an_error_of_the_call() {
    for (request, expected) in [
        (r#"{"id":1,"method":"Arith.Multiply"}"#, "jsonrpc: request body missing params"),
        (r#"{"id":1,"method":"Arith.Multiply","params":[]}"#, "invalid length 0"),
        (r#"{"id":1,"method":"Arith.Multiply","params":{}}"#, "invalid type: map"),
        (r#"{"id":1,"params":[7]}"#, "rpc: service/method request ill-formed: "),
    ] {
        let answer = answers(request).await;
        assert!(answer.starts_with("{\"id\":1,\"result\":null,\"error\":\""), "{request}: {answer}");
        assert!(answer.contains(expected), "{request}: {answer}");
    }
    assert_eq!(answers("[1]").await, "");
    assert_eq!(answers("{\"id\":1,").await, "");
}
