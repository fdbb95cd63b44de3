//! A codec of one's own: lines of words.

mod common;

use std::borrow::Cow;

use landline_gob::Encode;
use landline_rpc::codec::{Codec, Fault, Header, ReplyHeader, ReplyReader, RequestWriter, ServerCodec};
use landline_rpc::{ClientConfig, Error};
use serde::de::DeserializeOwned;

/// `NUMBER METHOD JSON` and `NUMBER ok JSON` or `NUMBER error TEXT`, each on a line.
#[derive(Clone)]
struct Lines;

struct End(usize);

impl End {
    /// The next line, and where its value begins.
    fn line<'i>(&mut self, input: &[u8], whole: &'i [u8]) -> Result<Option<(u64, &'i str)>, Fault> {
        let Some(end) = input.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = std::str::from_utf8(&whole[..end]).map_err(Fault::fatal)?;
        let mut words = line.splitn(3, ' ');
        let (Some(number), Some(word), Some(value)) = (words.next(), words.next(), words.next()) else {
            return Err(Fault::fatal(format!("{line:?}: three words")));
        };
        self.0 = value.len() + 1;
        Ok(Some((number.parse().map_err(Fault::fatal)?, word)))
    }

    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<(u64, &'i str)>, Fault> {
        let whole: &'i [u8] = input;
        let found = self.line(whole, whole)?;
        if found.is_some() {
            let end = whole.iter().position(|byte| *byte == b'\n').unwrap_or(0) + 1;
            *input = &whole[end - self.0..];
        }
        Ok(found)
    }

    fn take<'i>(&mut self, input: &mut &'i [u8]) -> &'i [u8] {
        let (value, rest) = input.split_at(self.0);
        *input = rest;
        value
    }
}

fn write(out: &mut Vec<u8>, start: &str, value: &impl serde::Serialize) -> Result<(), Fault> {
    let json = serde_json::to_string(value).map_err(Fault::new)?;
    out.extend_from_slice(format!("{start} {json}\n").as_bytes());
    Ok(())
}

impl ServerCodec for End {
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Header<'i>>, Fault> {
        let found = End::header(self, input)?;
        Ok(found.map(|(sequence, method)| Header { method: Cow::Borrowed(method), sequence }))
    }

    fn args<A: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<A>, Fault> {
        serde_json::from_slice(self.take(input)).map(Some).map_err(Fault::new)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        self.take(input);
        Ok(true)
    }

    fn reply<R: Encode + 'static>(
        &mut self,
        header: &Header<'_>,
        reply: &R,
        out: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        write(out, &format!("{} ok", header.sequence), reply)
    }

    fn error(&mut self, header: &Header<'_>, error: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("{} error {error}\n", header.sequence).as_bytes());
    }
}

impl RequestWriter for End {
    fn request<A: Encode>(&mut self, header: &Header<'_>, args: &A, out: &mut Vec<u8>) -> Result<(), Fault> {
        write(out, &format!("{} {}", header.sequence, header.method), args)
    }
}

impl ReplyReader for End {
    fn header<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<ReplyHeader<'i>>, Fault> {
        let Some((sequence, word)) = End::header(self, input)? else { return Ok(None) };
        let text = || String::from_utf8_lossy(input.split(|byte| *byte == b'\n').next().unwrap_or_default());
        let error = (word == "error").then(text);
        Ok(Some(ReplyHeader { sequence, error }))
    }

    fn reply<R: DeserializeOwned + 'static>(&mut self, input: &mut &[u8]) -> Result<Option<R>, Fault> {
        serde_json::from_slice(self.take(input)).map(Some).map_err(Fault::new)
    }

    fn skip(&mut self, input: &mut &[u8]) -> Result<bool, Fault> {
        self.take(input);
        Ok(true)
    }
}

impl Codec for Lines {
    type Server = End;
    type Requests = End;
    type Replies = End;

    fn server(&self, _: usize) -> End {
        End(0)
    }

    fn requests(&self, _: usize) -> End {
        End(0)
    }

    fn replies(&self, _: usize) -> End {
        End(0)
    }
}

#[tokio::test]
async fn one_s_own_codec_is_served_and_called() {
    let (server, _) = common::server_with(Lines);
    let (ours, theirs) = tokio::io::duplex(7);
    tokio::spawn(async move { server.serve_conn(theirs).await });
    let client = ClientConfig::with_codec(Lines).client(ours);
    for number in 0..10 {
        let product: i64 = client.call("Arith.Multiply", &common::args(number, 7)).await.unwrap();
        assert_eq!(product, number * 7);
        let error = client.call::<_, i64>("Arith.Divide", &common::args(number, 0)).await.unwrap_err();
        assert!(matches!(&error, Error::Service(text) if text == "divide by zero"), "{error:?}");
    }
}
