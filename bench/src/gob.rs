//! Gob: one value, encoded or decoded over and over on one stream, where its type is known after the first time.

use std::{hint::black_box, io};

use landline_gob::{Decoder, Encode, Encoder};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    args::{Coding, Span},
    outcome::Outcome,
    pace::Pace,
};

/// Values that count as one operation, so that the clock does not count.
const TOGETHER: usize = 100;

/// The same as in `bench/peers/go/gob`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    id: i64,
    number: u64,
    active: bool,
    name: String,
    email: String,
    balance: f64,
    limit: f64,
    created: i64,
    updated: i64,
    flags: u32,
    region: String,
    score: i32,
    ratio: f32,
    tags: Vec<String>,
    codes: Vec<i64>,
    parent: i64,
    level: i8,
    note: String,
    token: Vec<u8>,
    closed: bool,
}

fn account() -> Account {
    Account {
        id: 123_456,
        number: 987_654_321,
        active: true,
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.com".to_owned(),
        balance: 1234.56,
        limit: 10_000.0,
        created: 1_700_000_000,
        updated: 1_710_000_000,
        flags: 0x8001,
        region: "eu-west-1".to_owned(),
        score: -42,
        ratio: 0.75,
        tags: vec!["a".to_owned(), "bc".to_owned()],
        codes: vec![1, 200, 30_000],
        parent: 123_455,
        level: 3,
        note: "a note of some length".to_owned(),
        token: vec![7; 16],
        closed: true,
    }
}

/// About a quarter each of one, two, three and four bytes on the wire, in no order that can be guessed.
fn numbers() -> Vec<i64> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    (0..1000)
        .map(|_| {
            let (size, number) = (next() % 4, i64::from(next()));
            let positive = number >> [18, 17, 9, 1][size as usize];
            if next() % 2 == 0 { positive } else { !positive }
        })
        .collect()
}

pub(crate) fn run(what: Coding, span: Span) -> io::Result<Outcome> {
    match what {
        Coding::EncodeStruct => encode(&account(), span),
        Coding::DecodeStruct => decode(&account(), span),
        Coding::EncodeSlice => encode(&numbers(), span),
        Coding::DecodeSlice => decode(&numbers(), span),
    }
}

fn encode<T: Encode>(value: &T, span: Span) -> io::Result<Outcome> {
    let (mut encoder, mut buffer) = (Encoder::new(), Vec::new());
    encoder.encode(value, &mut buffer)?;
    let pace = Pace::new(span);
    while pace.another().is_some() {
        for _ in 0..TOGETHER {
            buffer.clear();
            encoder.encode(black_box(value), &mut buffer)?;
            black_box(&buffer);
        }
        pace.done();
    }
    Ok(pace.outcome())
}

fn decode<T: Encode + DeserializeOwned>(value: &T, span: Span) -> io::Result<Outcome> {
    let (mut encoder, mut first, mut again) = (Encoder::new(), Vec::new(), Vec::new());
    encoder.encode(value, &mut first)?;
    encoder.encode(value, &mut again)?;
    let mut decoder = Decoder::new();
    decoder.decode::<T>(&mut &first[..])?;
    let pace = Pace::new(span);
    while pace.another().is_some() {
        for _ in 0..TOGETHER {
            let decoded: Option<T> = decoder.decode(&mut black_box(&again[..]))?;
            // Not moved, as it is large.
            if black_box(&decoded).is_none() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        pace.done();
    }
    Ok(pace.outcome())
}
