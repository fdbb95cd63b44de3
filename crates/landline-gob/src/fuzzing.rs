//! What must hold of the decoder and of round trips, whatever they are given. The fuzzer calls these functions with
//! inputs of its own finding (`fuzz/`), and a test here calls them with the seeds and a few thousand variations.
//!
//! Not part of the API: it is only there when testing or fuzzing.

#![allow(missing_docs)] // Each is named after what it tries.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::go::{Addr, BigFloat, BigInt, BigRat, Complex, Time, Url};
use crate::{Decoder, Encode, Encoder, Error, Limits, Type, Value};

/// Takes any input, and panics where something does not hold.
pub type Target = fn(&[u8]);

/// All of them by name, which is also that of the fuzz target and of the folder of its seeds.
pub const TARGETS: &[(&str, Target)] = &[("gob_decode", gob_decode), ("gob_round_trip", gob_round_trip)];

/// The fields of the structs that Go has written for the seeds, so that variations of those fit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Everything {
    b: bool,
    i: i64,
    i8: i8,
    u16: u16,
    f32: f32,
    c128: Complex,
    r: Option<char>,
    s: String,
    y: Vec<u8>,
    ints: Vec<i32>,
    nested: Vec<Vec<String>>,
    array: [i64; 3],
    map: Option<BTreeMap<String, i64>>,
    next: Option<Box<Everything>>,
    kids: Vec<Everything>,
    byme: BTreeMap<String, Option<Everything>>,
    main: Option<Shape>,
    others: Vec<Option<Shape>>,
    v: Option<Value>,
    l: Vec<Value>,
    t: Time,
    tp: Option<Time>,
    #[serde(rename = "IB")]
    big: Option<BigInt>,
    #[serde(rename = "R2")]
    rat: Option<BigRat>,
    f: Option<BigFloat>,
    u: Option<Url>,
    a: Addr,
    #[serde(rename = "Is")]
    is: Vec<Option<BigInt>>,
    extra: (),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Shape {
    #[serde(rename = "main.Circle")]
    Circle(Circle),
    #[serde(rename = "main.Square", rename_all = "PascalCase")]
    Square { side: f64, at: Circle },
    #[serde(rename = "main.Group", rename_all = "PascalCase")]
    Group { name: String, members: Vec<Option<Shape>> },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Circle {
    r: f64,
    x: i64,
}

/// Low, so that the fuzzer finds them.
fn limits() -> Limits {
    Limits::default().message(8192).depth(24).types(64)
}

/// What became of a stream: the values up to its end or the first error that ends it.
struct Outcome {
    values: Vec<Result<String, String>>,
    offset: u64,
    is_broken: bool,
}

/// Decodes a stream that comes a few bytes at a time.
fn outcome(
    stream: &[u8],
    chunk: usize,
    mut take: impl FnMut(&mut Decoder, &mut &[u8]) -> Result<Option<String>, Error>,
) -> Outcome {
    let mut decoder = Decoder::new().limits(limits());
    let mut outcome = Outcome { values: Vec::new(), offset: 0, is_broken: false };
    let (mut begin, mut end) = (0, 0);
    loop {
        let mut input = &stream[begin..end];
        let taken = take(&mut decoder, &mut input);
        begin = end - input.len();
        match taken {
            Ok(Some(value)) => outcome.values.push(Ok(value)),
            Ok(None) if end == stream.len() => break,
            Ok(None) => {
                assert!(decoder.needs() > end - begin, "it is to be asked again without more");
                end = (end + chunk).min(stream.len());
            }
            Err(error) => {
                assert!(error.offset().is_none_or(|offset| offset <= stream.len() as u64), "{error}");
                outcome.values.push(Err(error.to_string()));
                if error.is_fatal() {
                    outcome.is_broken = true;
                    break;
                }
            }
        }
    }
    outcome.offset = decoder.offset();
    assert!(outcome.offset <= stream.len() as u64);
    outcome
}

fn typed<T: DeserializeOwned + std::fmt::Debug>(
    decoder: &mut Decoder,
    input: &mut &[u8],
) -> Result<Option<String>, Error> {
    Ok(decoder.decode::<T>(input)?.map(|value| format!("{value:?}")))
}

fn dynamic(decoder: &mut Decoder, input: &mut &[u8]) -> Result<Option<String>, Error> {
    let Some(value) = decoder.decode_value(input)? else { return Ok(None) };
    let kind = value.gob_type();
    let _ = kind.to_string().parse::<Type>();
    assert!(kind == kind.clone() && value == value.clone() || format!("{value:?}").contains("NaN"));
    let json = serde_json_text(&value.typed());
    Ok(Some(format!("{value:?} {json}")))
}

fn skipped(decoder: &mut Decoder, input: &mut &[u8]) -> Result<Option<String>, Error> {
    Ok(decoder.skip(input)?.then(String::new))
}

/// The text of anything that serializes, without a format in between: its own gob.
fn serde_json_text<T: Serialize>(value: &T) -> String {
    let any: Type = "any".parse().expect("it is one");
    let mut out = Vec::new();
    let written = Encoder::new().sorted(true).encode_as(&any, value, &mut out);
    format!("{:?}", written.map(|()| out).map_err(|error| error.to_string()))
}

/// The first byte says how many bytes come at a time, the rest is a stream.
pub fn gob_decode(data: &[u8]) {
    let Some((&chunk, stream)) = data.split_first() else { return };
    let chunk = usize::from(chunk).max(1);
    let whole = outcome(stream, stream.len().max(1), dynamic);
    let pieces = outcome(stream, chunk, dynamic);
    assert_eq!(whole.values, pieces.values, "in pieces of {chunk}");
    assert_eq!(whole.offset, pieces.offset, "in pieces of {chunk}");
    // Whatever it is taken for, the stream is as long and as broken.
    for (name, other) in [
        ("skipped", outcome(stream, chunk, skipped)),
        ("struct", outcome(stream, chunk, typed::<Everything>)),
        ("list", outcome(stream, chunk, typed::<Vec<Everything>>)),
        ("numbers", outcome(stream, chunk, typed::<Vec<i16>>)),
        ("map", outcome(stream, chunk, typed::<BTreeMap<String, Value>>)),
        ("shape", outcome(stream, chunk, typed::<Option<Shape>>)),
        ("text", outcome(stream, chunk, typed::<String>)),
        ("time", outcome(stream, chunk, typed::<Time>)),
        ("nothing", outcome(stream, chunk, typed::<serde::de::IgnoredAny>)),
    ] {
        assert_eq!(whole.is_broken, other.is_broken, "{name}: {:?} {:?}", whole.values, other.values);
        assert_eq!(whole.offset, other.offset, "{name}");
        assert_eq!(whole.values.len(), other.values.len(), "{name}");
        for (any, other) in whole.values.iter().zip(&other.values) {
            assert!(any.is_ok() || other.is_err() || name == "skipped", "{name}: {any:?} {other:?}");
        }
    }
}

/// The input is a stream: what is read from it is written, read and written again, to the same bytes.
pub fn gob_round_trip(stream: &[u8]) {
    values_stay(stream);
    stays::<Everything>(stream);
    stays::<Vec<Everything>>(stream);
    stays::<BTreeMap<String, Vec<i64>>>(stream);
    stays::<Option<Shape>>(stream);
    stays::<Vec<Option<Shape>>>(stream);
    stays::<Time>(stream);
    stays::<Option<BigInt>>(stream);
    stays::<[f64; 2]>(stream);
    stays::<char>(stream);
}

fn values_stay(stream: &[u8]) {
    let (mut decoder, mut input) = (Decoder::new().limits(limits()), stream);
    let (mut first, mut second) = (Encoder::new(), Encoder::new());
    let mut again = Decoder::new();
    loop {
        match decoder.decode_value(&mut input) {
            Ok(Some(value)) => {
                let (mut bytes, mut more) = (Vec::new(), Vec::new());
                first.encode_value(&value, &mut bytes).expect("what was read can be written");
                let read = again.decode_value(&mut &bytes[..]).expect("what was written can be read");
                let read = read.expect("all of it was written");
                assert_eq!(format!("{value:?}"), format!("{read:?}"));
                second.encode_value(&read, &mut more).expect("and written again");
                assert_eq!(bytes, more, "{value:?}");
                taken_for_others(&value);
            }
            Ok(None) => break,
            Err(error) if error.is_fatal() => break,
            Err(_) => {}
        }
    }
}

/// Taken for one of another type, a value is one of that type, or it is refused.
fn taken_for_others(value: &Value) {
    let types =
        [Ok(value.gob_type()), Type::of::<Everything>(), Type::of::<Vec<Everything>>(), Type::of::<Time>()];
    for of in types.map(|of| of.expect("it is a type")) {
        match value.to_type(&of) {
            Ok(taken) => {
                assert_eq!(taken.gob_type(), of);
                serde_json_text(&taken.typed());
                let mut bytes = Vec::new();
                Encoder::new().encode_value(&taken, &mut bytes).expect("it can be written");
                let read = Decoder::new().decode_value(&mut &bytes[..]).expect("and read");
                assert_eq!(format!("{taken:?}"), format!("{:?}", read.expect("all of it was written")));
            }
            Err(error) => assert!(of != value.gob_type(), "{error}"),
        }
    }
}

fn stays<T: Encode + DeserializeOwned + std::fmt::Debug>(stream: &[u8]) {
    let (mut decoder, mut input) = (Decoder::new().limits(limits()), stream);
    let (mut first, mut second) = (Encoder::new().sorted(true), Encoder::new().sorted(true));
    let mut again = Decoder::new();
    loop {
        match decoder.decode::<T>(&mut input) {
            Ok(Some(value)) => {
                let (mut bytes, mut more) = (Vec::new(), Vec::new());
                // A nil has no place everywhere where it is read.
                if first.encode(&value, &mut bytes).is_err() {
                    continue;
                }
                let read = again.decode::<T>(&mut &bytes[..]).expect("what was written can be read");
                let read = read.expect("all of it was written");
                second.encode(&read, &mut more).expect("and written again");
                assert_eq!(bytes, more, "{value:?}");
            }
            Ok(None) => break,
            Err(error) if error.is_fatal() => break,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
#[path = "../../landline/src/fuzzing/mutate.rs"]
mod mutate;
