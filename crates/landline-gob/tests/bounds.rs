//! Memory that a peer can make a decoder take: at most ten times what it has sent, and a megabyte.
//!
//! One test in a program of its own, whose allocator keeps the count.

use std::alloc::System;
use std::collections::{BTreeMap, HashMap, HashSet};

use cap::Cap;
use landline_gob::{Decoder, Encoder, Error, ErrorKind, Limit, Reader, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const MEGABYTE: usize = 1 << 20;
/// Values on the wire, enough for the megabyte not to hide what they take.
const MANY: usize = 400_000;

/// The most that was allocated at any time within, beyond what was there before.
fn most(within: impl FnOnce()) -> usize {
    // What was highest before can only be seen from below, so that is filled up.
    let highest = ALLOCATOR.max_allocated();
    let filler: Vec<u8> = Vec::with_capacity(highest - ALLOCATOR.allocated());
    within();
    drop(filler);
    ALLOCATOR.max_allocated() - highest
}

/// Decodes all of a stream, and gives the first error.
fn bound(
    name: &str,
    stream: &[u8],
    mut take: impl FnMut(&mut Decoder, &mut &[u8]) -> Result<bool, Error>,
) -> Option<Error> {
    let mut refused = None;
    let most = most(|| {
        let (mut decoder, mut input) = (Decoder::new(), stream);
        loop {
            match take(&mut decoder, &mut input) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let is_fatal = error.is_fatal();
                    refused.get_or_insert(error);
                    if is_fatal {
                        break;
                    }
                }
            }
        }
    });
    let allowed = 10 * stream.len() + MEGABYTE;
    assert!(most <= allowed, "{name}: {most} bytes for {}: {refused:?}", stream.len());
    refused
}

fn of<T: DeserializeOwned>(decoder: &mut Decoder, input: &mut &[u8]) -> Result<bool, Error> {
    Ok(decoder.decode::<T>(input)?.is_some())
}

fn any(decoder: &mut Decoder, input: &mut &[u8]) -> Result<bool, Error> {
    Ok(decoder.decode_value(input)?.is_some())
}

#[track_caller]
fn assert_limit(error: Option<Error>, limit: Limit) {
    let error = error.expect("it is refused");
    assert!(matches!(error.kind(), ErrorKind::Limit { limit: found, .. } if *found == limit), "{error}");
}

fn uint(out: &mut Vec<u8>, number: u64) {
    if number < 128 {
        out.push(number as u8);
        return;
    }
    let bytes = number.to_be_bytes();
    let zeros = (number.leading_zeros() / 8) as usize;
    out.push((zeros as u8).wrapping_sub(8));
    out.extend_from_slice(&bytes[zeros..]);
}

fn int(out: &mut Vec<u8>, number: i64) {
    uint(out, if number < 0 { !(number as u64) << 1 | 1 } else { (number as u64) << 1 });
}

fn message(out: &mut Vec<u8>, id: i64, body: &[u8]) {
    let mut whole = Vec::new();
    int(&mut whole, id);
    whole.extend_from_slice(body);
    uint(out, whole.len() as u64);
    out.extend_from_slice(&whole);
}

/// A value that is no struct.
fn plain(out: &mut Vec<u8>, id: i64, count: u64, rest: &[u8]) {
    let mut body = vec![0];
    uint(&mut body, count);
    body.extend_from_slice(rest);
    message(out, id, &body);
}

fn define_slice(out: &mut Vec<u8>, id: i64, elem: i64) {
    let mut body = b"\x02\x01\x02".to_vec();
    int(&mut body, id);
    body.extend_from_slice(b"\0\x01");
    int(&mut body, elem);
    body.extend_from_slice(b"\0\0");
    message(out, -id, &body);
}

fn define_map(out: &mut Vec<u8>, id: i64, key: i64, value: i64) {
    let mut body = b"\x04\x01\x02".to_vec();
    int(&mut body, id);
    body.extend_from_slice(b"\0\x01");
    int(&mut body, key);
    body.push(1);
    int(&mut body, value);
    body.extend_from_slice(b"\0\0");
    message(out, -id, &body);
}

fn define_struct(out: &mut Vec<u8>, id: i64, name: &str, fields: &[(String, i64)]) {
    let mut body = b"\x03\x01".to_vec();
    if name.is_empty() {
        body.push(2);
    } else {
        body.push(1);
        uint(&mut body, name.len() as u64);
        body.extend_from_slice(name.as_bytes());
        body.push(1);
    }
    int(&mut body, id);
    body.extend_from_slice(b"\0\x01");
    uint(&mut body, fields.len() as u64);
    for (name, id) in fields {
        body.push(1);
        uint(&mut body, name.len() as u64);
        body.extend_from_slice(name.as_bytes());
        body.push(1);
        int(&mut body, *id);
        body.push(0);
    }
    body.extend_from_slice(b"\0\0");
    message(out, -id, &body);
}

fn fields(count: usize, of: i64) -> Vec<(String, i64)> {
    (0..count).map(|number| (format!("F{number}"), of)).collect()
}

/// A slice of so many elements, each of which is a zero byte.
fn slice_of(elem: i64, count: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    define_slice(&mut stream, 65, elem);
    plain(&mut stream, 65, count as u64, &vec![0; count]);
    stream
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Large {
    #[serde(rename = "A")]
    a: [u64; 16],
    #[serde(rename = "B")]
    b: String,
    #[serde(rename = "Next")]
    next: Option<Box<Large>>,
}

#[derive(Debug, Deserialize)]
struct Holder<T> {
    #[serde(rename = "In")]
    _within: Vec<T>,
}

#[test]
fn hostile_streams_take_no_more_than_they_may() {
    // What is found out once for a type is not the peer's doing.
    let _ = Value::of(&Large::default()).unwrap();
    collections_of_little();
    lengths_that_are_not_true();
    nesting();
    descriptions();
    names_without_end();
    what_takes_anything();
    values_that_are_kept();
    mutations();
}

fn collections_of_little() {
    const INT: i64 = 2;
    const UINT: i64 = 3;
    const FLOAT: i64 = 4;
    const BYTES: i64 = 5;
    const TEXT: i64 = 6;
    for count in [1000, 131_072, 140_000, MANY, 2_000_000] {
        bound("bool", &slice_of(1, count), of::<Vec<bool>>);
        bound("i64", &slice_of(INT, count), of::<Vec<i64>>);
        bound("u8 of uint", &slice_of(UINT, count), of::<Vec<u64>>);
        bound("f64", &slice_of(FLOAT, count), of::<Vec<f64>>);
        bound("set", &slice_of(INT, count), of::<HashSet<i64>>);
        bound("options", &slice_of(INT, count), of::<Vec<Option<i64>>>);
        bound("values", &slice_of(INT, count), any);
        bound("bytes", &slice_of(BYTES, count), of::<Vec<Vec<u8>>>);
        bound("texts", &slice_of(TEXT, count), of::<Vec<String>>);
        bound("boxes", &slice_of(TEXT, count), of::<Vec<Box<String>>>);
        bound("held", &slice_of(8, count), of::<Vec<Value>>);
        bound("json", &slice_of(TEXT, count), of::<serde_json::Value>);
        bound("json of numbers", &slice_of(INT, count), of::<Vec<serde_json::Value>>);
        let mut stream = Vec::new();
        define_map(&mut stream, 65, INT, INT);
        plain(&mut stream, 65, count as u64, &vec![0; 2 * count]);
        bound("map", &stream, of::<HashMap<i64, i64>>);
        bound("ordered map", &stream, of::<BTreeMap<i64, i64>>);
        bound("map of numbers as JSON", &stream, of::<serde_json::Value>);
        // Keys that differ.
        let mut stream = Vec::new();
        define_map(&mut stream, 65, UINT, UINT);
        let mut entries = Vec::new();
        for number in 0..count as u64 {
            uint(&mut entries, number);
            entries.push(0);
        }
        plain(&mut stream, 65, count as u64, &entries);
        bound("map of different keys", &stream, of::<HashMap<u64, u64>>);
        bound("ordered map of different keys", &stream, of::<BTreeMap<u64, u64>>);
        bound("map of different keys to texts", &stream, of::<HashMap<u64, (u64,)>>);
        let mut stream = Vec::new();
        define_struct(&mut stream, 66, "Large", &[("A".to_owned(), 67), ("Next".to_owned(), 66)]);
        message(&mut stream, -67, b"\x01\x01\x02\xff\x86\0\x01\x06\x01\x20\0\0");
        define_slice(&mut stream, 65, 66);
        plain(&mut stream, 65, count as u64, &vec![0; count]);
        let error = bound("large structs", &stream, of::<Vec<Large>>);
        assert!(count < 100_000 || error.is_some());
        bound("optional large structs", &stream, of::<Vec<Option<Box<Large>>>>);
        bound("large structs as values", &stream, any);
        bound("large structs as JSON", &stream, of::<serde_json::Value>);
    }
    // What is within the bound is let pass.
    assert!(of::<Vec<i64>>(&mut Decoder::new(), &mut &slice_of(INT, 1_000_000)[..]).unwrap());
    assert_limit(bound("texts", &slice_of(TEXT, MANY), of::<Vec<String>>), Limit::Memory);
}

fn lengths_that_are_not_true() {
    for (name, claim) in [("count", 1_u64 << 40), ("more", u64::MAX), ("some", 60 << 20)] {
        let mut stream = Vec::new();
        define_slice(&mut stream, 65, 2);
        plain(&mut stream, 65, claim, b"\0\0\0");
        assert!(bound(name, &stream, of::<Vec<i64>>).is_some());
        assert!(bound(name, &stream, any).is_some());
        let mut stream = Vec::new();
        plain(&mut stream, 6, claim, b"abc");
        assert!(bound(name, &stream, of::<String>).is_some());
    }
    // A message that is long, and does not come.
    let mut stream = Vec::new();
    uint(&mut stream, 60 << 20);
    stream.extend_from_slice(b"\x0c\0\x05hello");
    let taken = most(|| {
        let error = Reader::new(&stream[..]).decode::<String>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Truncated), "{error}");
    });
    assert!(taken < MEGABYTE, "{taken}");
    let mut stream = Vec::new();
    uint(&mut stream, 65 << 20);
    assert_limit(bound("message", &stream, any), Limit::Message);
}

fn nesting() {
    #[derive(Deserialize)]
    struct Tree(#[allow(dead_code)] Vec<Tree>);
    let mut stream = Vec::new();
    define_slice(&mut stream, 65, 65);
    let deep = vec![1; 300_000];
    plain(&mut stream, 65, 1, &deep);
    assert_limit(bound("tree", &stream, of::<Tree>), Limit::Depth);
    assert_limit(bound("tree", &stream, any), Limit::Depth);
    assert_limit(bound("tree", &stream, of::<serde_json::Value>), Limit::Depth);
    // Interfaces in interfaces.
    let mut held = b"\x03int\x04\x02\0\x02".to_vec();
    for _ in 0..2000 {
        let mut outer = b"\x0e[]interface {}".to_vec();
        outer[0] = 14;
        int(&mut outer, 65);
        uint(&mut outer, held.len() as u64 + 2);
        outer.extend_from_slice(b"\0\x01");
        outer.extend_from_slice(&held);
        held = outer;
    }
    let mut stream = Vec::new();
    define_slice(&mut stream, 65, 8);
    let mut body = vec![0, 1];
    body.extend_from_slice(&held);
    message(&mut stream, 65, &body);
    assert_limit(bound("interfaces", &stream, any), Limit::Depth);
    assert_limit(bound("interfaces", &stream, of::<Vec<Value>>), Limit::Depth);
    // An error at the bottom, with long names on the way up.
    let name = "N".repeat(100_000);
    let mut stream = Vec::new();
    define_struct(&mut stream, 65, "S", &[(name, 65), ("Text".to_owned(), 6)]);
    let mut body = vec![1; 120];
    body.extend_from_slice(b"\x02\x7f");
    message(&mut stream, 65, &body);
    assert!(bound("path", &stream, of::<serde_json::Value>).is_some());
    assert!(bound("path", &stream, any).is_some());
}

fn descriptions() {
    // Types as small as they can be, one by one and all at once.
    let mut stream = Vec::new();
    for id in 65..65 + 5000 {
        define_slice(&mut stream, id, id + 1);
    }
    let error = bound("chain", &stream, any).expect("there are too many");
    assert!(matches!(error.kind(), ErrorKind::Limit { limit: Limit::Types | Limit::Memory, .. }), "{error}");
    let mut stream = Vec::new();
    for id in 65..65 + 5000 {
        define_slice(&mut stream, id, 2);
        plain(&mut stream, id, 1, &[2]);
    }
    let error = bound("types", &stream, of::<Vec<i64>>).expect("there are too many");
    assert!(matches!(error.kind(), ErrorKind::Limit { limit: Limit::Types | Limit::Memory, .. }), "{error}");
    bound("types", &stream, any);
    // One struct of very many fields, of names short and long, that are not used and that are.
    for (count, len) in [(200_000, 1), (60_000, 8), (20_000, 60), (2000, 2000)] {
        let fields: Vec<(String, i64)> = (0..count).map(|number| (format!("{number:A>len$}"), 2)).collect();
        let mut stream = Vec::new();
        define_struct(&mut stream, 65, "S", &fields);
        message(&mut stream, 65, b"\x01\x02\0");
        bound("fields", &stream, any);
        bound("fields", &stream, of::<Large>);
        bound("fields", &stream, of::<serde_json::Value>);
        bound("fields", &stream, of::<HashMap<String, i64>>);
    }
    // Fields of types that are never described.
    let fields: Vec<(String, i64)> = (0..4000).map(|number| ("F".to_owned(), 100 + number)).collect();
    let mut stream = Vec::new();
    define_struct(&mut stream, 65, "S", &fields);
    message(&mut stream, 65, b"\0");
    assert!(bound("undescribed", &stream, any).is_some());
    // One type, as very many Rust types: plans count too.
    let mut stream = Vec::new();
    for id in 0..200 {
        define_struct(&mut stream, 65 + id, "S", &self::fields(200, 2));
    }
    for id in 0..200 {
        message(&mut stream, 65 + id, b"\0");
    }
    bound("plans", &stream, of::<serde_json::Value>);
    bound("plans", &stream, of::<HashMap<String, i64>>);
}

fn names_without_end() {
    // Each is two of the next: all together their name is as long as there are stars.
    let mut stream = Vec::new();
    for id in 65..65 + 60 {
        define_map(&mut stream, id, id + 1, id + 1);
    }
    define_struct(&mut stream, 65 + 60, "", &[]);
    plain(&mut stream, 65, 0, &[]);
    assert!(bound("mismatch", &stream, of::<Vec<i64>>).is_some());
    let mut value = None;
    assert!(
        bound("value", &stream, |decoder, input| {
            let decoded = decoder.decode_value(input)?;
            let more = decoded.is_some();
            value = decoded.or(value.take());
            Ok(more)
        })
        .is_none()
    );
    let value = value.expect("there is one");
    let taken = most(|| {
        assert!(value.gob_type().to_string().ends_with("..."));
        let mut again = Vec::new();
        Encoder::new().encode_value(&value, &mut again).unwrap();
    });
    assert!(taken < 4 * MEGABYTE, "{taken}");
}

fn what_takes_anything() {
    // Every element has a thousand fields, though none is sent.
    for of_type in [2, 6, 7, 8] {
        let mut stream = Vec::new();
        define_struct(&mut stream, 66, "S", &fields(1000, of_type));
        define_slice(&mut stream, 65, 66);
        plain(&mut stream, 65, 10_000, &vec![0; 10_000]);
        assert_limit(bound("zeros", &stream, of::<serde_json::Value>), Limit::Memory);
        bound("zeros", &stream, any);
    }
    bound("complex", &slice_of(7, MANY / 2)[..], any);
    let mut stream = Vec::new();
    define_slice(&mut stream, 65, 7);
    plain(&mut stream, 65, MANY as u64 / 2, &vec![0; MANY]);
    assert_limit(bound("complex", &stream, of::<serde_json::Value>), Limit::Memory);
    let mut stream = Vec::new();
    plain(&mut stream, 5, MANY as u64, &vec![0; MANY]);
    assert_limit(bound("bytes", &stream, of::<serde_json::Value>), Limit::Memory);
    bound("bytes", &stream, any);
    // What interfaces hold is of a new type each time.
    let mut body = vec![0];
    uint(&mut body, 1000);
    for id in 0..1000 {
        body.extend_from_slice(b"\x01T");
        int(&mut body, 100 + id);
        body.extend_from_slice(b"\x02\0\x02");
    }
    let mut stream = Vec::new();
    define_slice(&mut stream, 65, 8);
    for id in 0..1000 {
        define_slice(&mut stream, 100 + id, 2);
    }
    message(&mut stream, 65, &body);
    bound("held", &stream, any);
    bound("held", &stream, of::<Vec<Value>>);
    bound("held", &stream, of::<serde_json::Value>);
}

fn values_that_are_kept() {
    // Each brings a type of its own, so that no two have the same types.
    let mut stream = Vec::new();
    for id in 65..65 + 4000 {
        define_slice(&mut stream, id, 2);
        plain(&mut stream, id, 1, &[2]);
    }
    let mut kept = Vec::with_capacity(4000);
    let room = 4000 * size_of::<Value>();
    let error = bound("kept", &stream, |decoder, input| {
        let Some(value) = decoder.decode_value(input)? else { return Ok(false) };
        kept.push(value);
        Ok(true)
    });
    assert!(room > 0 && error.is_some());
}

/// Streams of all kinds, changed at random.
fn mutations() {
    let seeds = [
        slice_of(2, 300),
        slice_of(8, 300),
        landline_gob::to_vec(&vec![Large::default(), Large { b: "text".to_owned(), ..Large::default() }])
            .unwrap(),
        landline_gob::to_vec(&HashMap::from([("k".to_owned(), vec![Value::of(&1_i64).unwrap()])])).unwrap(),
        landline_gob::to_vec(&vec![landline_gob::go::Time::default()]).unwrap(),
    ];
    let mut random = fastrand::Rng::with_seed(0x1a4d_714e);
    for round in 0..3000 {
        let mut stream = seeds[round % seeds.len()].clone();
        for _ in 0..random.usize(1..6) {
            let at = random.usize(..stream.len());
            match random.u8(..5) {
                0 => stream[at] = random.u8(..),
                1 => stream[at] = [0, 1, 0x7f, 0x80, 0xf8, 0xfc, 0xff][random.usize(..7)],
                2 => stream.insert(at, random.u8(..)),
                3 => drop(stream.drain(at..(at + 5).min(stream.len()))),
                _ => {
                    let piece = stream[at..(at + 40).min(stream.len())].repeat(random.usize(1..50));
                    drop(stream.splice(at..at, piece));
                }
            }
            if stream.is_empty() {
                stream.push(0);
            }
        }
        stream.truncate(random.usize(1..=stream.len().max(2)).max(stream.len() / 2));
        let name = format!("b\"{}\"", stream.escape_ascii());
        bound(&name, &stream, any);
        bound(&name, &stream, of::<Vec<Large>>);
        bound(&name, &stream, of::<serde_json::Value>);
        bound(&name, &stream, of::<HashMap<String, Vec<Value>>>);
        bound(&name, &stream, of::<Holder<Large>>);
    }
}
