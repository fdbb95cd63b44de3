#![allow(missing_docs, clippy::disallowed_types)]
use landline_gob::{Decoder, Encoder};
use serde::{Deserialize, Serialize};
use std::time::Instant;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Twenty {
    id: i64,
    account: u64,
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

fn twenty() -> Twenty {
    Twenty {
        id: 123456,
        account: 987654321,
        active: true,
        name: "Ada Lovelace".into(),
        email: "ada@example.com".into(),
        balance: 1234.56,
        limit: 10000.0,
        created: 1700000000,
        updated: 1710000000,
        flags: 0x8001,
        region: "eu-west-1".into(),
        score: -42,
        ratio: 0.75,
        tags: vec!["a".into(), "bc".into()],
        codes: vec![1, 200, 30000],
        parent: 123455,
        level: 3,
        note: "a note of some length".into(),
        token: vec![7; 16],
        closed: true,
    }
}

fn time(name: &str, n: u64, mut f: impl FnMut()) {
    if std::env::args().len() > 2 {
        for _ in 0..1000 {
            f()
        }
        return;
    }
    for _ in 0..n / 20 {
        f()
    }
    let mut best = f64::MAX;
    for _ in 0..25 {
        let t = Instant::now();
        for _ in 0..n {
            f()
        }
        best = best.min(t.elapsed().as_nanos() as f64 / n as f64);
    }
    println!("{name}: {best:.1} ns");
}

fn both<T: landline_gob::Encode + serde::de::DeserializeOwned>(name: &str, n: u64, v: &T) {
    let mut e = Encoder::new();
    let mut out = Vec::new();
    e.encode(v, &mut out).unwrap();
    let first = out.len();
    e.encode(v, &mut out).unwrap();
    println!("{name}: {} bytes", out.len() - first);
    let mut d = Decoder::new();
    let mut input = &out[..first];
    d.decode::<T>(&mut input).unwrap().unwrap();
    let frame = out[first..].to_vec();
    let only = std::env::args().nth(1).unwrap_or_default();
    let want = |w: &str| only.is_empty() || format!("{name} {w}") == only;
    if want("encode") {
        time(&format!("{name} encode"), n, || {
            out.clear();
            e.encode(std::hint::black_box(v), &mut out).unwrap();
        });
    }
    if want("decode") {
        time(&format!("{name} decode"), n, || {
            let mut input = &frame[..];
            std::hint::black_box(d.decode::<T>(&mut input).unwrap().unwrap());
        });
    }
}

fn main() {
    let t = twenty();
    if std::env::args().len() <= 2 {
        time("clone", 60_000, || {
            std::hint::black_box(std::hint::black_box(&t).clone());
        });
    }
    both("struct", 60_000, &twenty());
    both("ints", 4_000, &(0..1000_i64).map(|i| i * 37 - 5000).collect::<Vec<i64>>());
    both("structs", 200, &vec![twenty(); 1000]);
    both("bytes", 4_000, &vec![7_u8; 1000]);
}
