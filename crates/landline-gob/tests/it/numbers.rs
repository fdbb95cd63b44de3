//! Values that are no structs.

use std::f64;

use landline_gob::go::Complex;
use landline_gob::{Decoder, Encoder};
use serde::{Deserialize, Serialize};

use crate::vectors::Stream;

#[test]
fn booleans() {
    Stream::of("bool").is(true).is(false).ends();
}

#[test]
fn signed_integers() {
    Stream::of("int")
        .is(0_isize)
        .is(1_i8)
        .is(-1_i16)
        .is(127_i8)
        .is(-128_i8)
        .is(1_i64 << 31)
        .is(i64::MAX)
        .is(i64::MIN)
        .ends();
}

#[test]
fn unsigned_integers() {
    Stream::of("uint").is(0_usize).is(127_u8).is(128_u16).is(1_u32 << 31).is(u64::MAX).ends();
}

#[test]
fn floats() {
    Stream::of("float").is(0.0).is(1.5).is(-17.0_f32).is(f64::INFINITY).is(5e-324).is(1.1_f32).ends();
}

#[test]
fn complex_numbers() {
    let complex = |re, im| Complex { re, im };
    Stream::of("complex")
        .is(complex(0.0, 0.0))
        .is(complex(1.0, -2.0))
        .is(Complex { re: 0.0_f32, im: 1.0 })
        .ends();
}

#[test]
fn strings_and_bytes() {
    let text = |text: &str| text.to_owned();
    Stream::of("string").is(text("")).is(text("hi")).is(text("Grüße, 世界")).ends();
    Stream::of("bytes").is(Vec::<u8>::new()).is(b"hi".to_vec()).is(vec![0_u8, 127, 128, 255]).ends();
    let buf = |bytes: &[u8]| serde_bytes::ByteBuf::from(bytes);
    Stream::of("bytes").is(buf(b"")).is(buf(b"hi")).is(buf(&[0, 127, 128, 255])).ends();
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Names(Vec<String>);

#[test]
fn more_than_fits_into_a_byte() {
    let text = "\0".repeat(1000);
    Stream::of("long").is(vec![String::new(); 300]).is(Names(vec![text])).ends();
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pair {
    first: u64,
    second: u64,
}

/// The message of a value, after that of its type; and a decoder that knows the type.
fn message(value: &Pair) -> (Vec<u8>, Decoder) {
    let (mut encoder, mut first, mut again) = (Encoder::new(), Vec::new(), Vec::new());
    encoder.encode(value, &mut first).unwrap();
    encoder.encode(value, &mut again).unwrap();
    let mut decoder = Decoder::new();
    assert_eq!(decoder.decode(&mut &first[..]).unwrap().as_ref(), Some(value));
    (again, decoder)
}

#[test]
fn fields_of_every_length_near_every_end() {
    for bits in 0..64 {
        let value = Pair { first: u64::MAX >> bits, second: 1 << bits };
        let (whole, mut decoder) = message(&value);
        assert_eq!(decoder.decode(&mut &whole[..]).unwrap(), Some(value));
        // What is left are at least the length and the type.
        for left in 3..whole.len() {
            let mut cut = whole[..left].to_vec();
            cut[0] = left as u8 - 1;
            let error = decoder.decode::<Pair>(&mut &cut[..]).unwrap_err();
            assert!(error.to_string().contains("ends beyond its message"), "{error}");
        }
    }
}

#[test]
fn the_zero_that_ends_a_struct_may_be_longer_than_it_need_be() {
    let (_, mut decoder) = message(&Pair { first: 1, second: 2 });
    let input = [6, 0xff, 0x80, 1, 7, 0xff, 0];
    assert_eq!(decoder.decode(&mut &input[..]).unwrap(), Some(Pair { first: 7, second: 0 }));
}
