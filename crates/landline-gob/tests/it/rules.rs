//! What fits what, and what is said of what does not.

use std::collections::{BTreeMap, HashMap};

use landline_gob::{Decoder, Encode, Encoder, Error, ErrorKind, Value, from_slice, to_vec};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

fn through<A: Encode, B: DeserializeOwned>(value: &A) -> Result<B, Error> {
    from_slice(&to_vec(value).unwrap())
}

/// The error, which must not end the stream.
#[track_caller]
fn refusal<A: Encode, B: DeserializeOwned>(value: &A) -> String {
    let mut stream = Vec::new();
    let mut encoder = Encoder::new();
    encoder.encode(value, &mut stream).unwrap();
    encoder.encode(&"next".to_owned(), &mut stream).unwrap();
    let (mut decoder, mut input) = (Decoder::new(), &stream[..]);
    let Err(error) = decoder.decode::<B>(&mut input) else { panic!("it is taken") };
    assert!(!error.is_fatal(), "{error}");
    assert!(error.offset().is_some_and(|offset| offset <= stream.len() as u64), "{error}");
    assert_eq!(decoder.decode(&mut input).unwrap(), Some("next"), "after {error}");
    let text = error.to_string();
    let (text, _) = text.rsplit_once(" (byte ").unwrap();
    text.strip_prefix("gob: ").unwrap().to_owned()
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wide {
    a: i64,
    skipped: Vec<Inner>,
    b: String,
    also: Option<Inner>,
    c: f64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inner {
    x: i64,
    y: HashMap<String, Vec<u8>>,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Reordered {
    c: f64,
    missing: Option<String>,
    more: [u8; 2],
    a: i8,
    nested: Inner,
}

fn wide() -> Wide {
    let inner = || Inner { x: 5, y: HashMap::from([("k".to_owned(), vec![1, 2])]) };
    Wide { a: -3, skipped: vec![inner(), Inner::default()], b: "b".to_owned(), also: Some(inner()), c: 2.5 }
}

#[test]
fn fields_are_matched_by_their_names() {
    let expected = Reordered { c: 2.5, a: -3, ..Reordered::default() };
    assert_eq!(through::<_, Reordered>(&wide()).unwrap(), expected);
    // And back: what is not there is zero.
    let expected = Wide { a: -3, c: 2.5, ..Wide::default() };
    assert_eq!(through::<_, Wide>(&Reordered { c: 2.5, a: -3, ..Reordered::default() }).unwrap(), expected);
}

#[test]
fn fields_in_order_may_be_left_out_anywhere() {
    for bits in 0..32 {
        let all = wide();
        let value = Wide {
            a: if bits & 1 == 0 { 0 } else { all.a },
            skipped: if bits & 2 == 0 { vec![] } else { all.skipped },
            b: if bits & 4 == 0 { String::new() } else { all.b },
            also: all.also.filter(|_| bits & 8 != 0),
            c: if bits & 16 == 0 { 0.0 } else { all.c },
        };
        assert_eq!(through::<_, Wide>(&value).unwrap(), value);
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct A<T> {
    #[serde(rename = "A")]
    a: T,
}

#[test]
fn pointers_and_boxes_are_what_is_in_them() {
    assert_eq!(through::<_, A<Option<Box<i32>>>>(&A { a: 5_i64 }).unwrap(), A { a: Some(Box::new(5)) });
    assert_eq!(through::<_, A<i16>>(&A { a: Some(Some(5_i64)) }).unwrap(), A { a: 5 });
    assert_eq!(through::<_, Option<i64>>(&7_i8).unwrap(), Some(7));
    assert_eq!(through::<_, Box<[i64]>>(&vec![1_i8, 2]).unwrap(), vec![1, 2].into());
    assert_eq!(
        through::<_, BTreeMap<String, u8>>(&HashMap::from([("a".to_owned(), 1_u64)])).unwrap()["a"],
        1
    );
}

#[test]
fn numbers_have_to_fit() {
    assert_eq!(through::<_, i8>(&-128_i64).unwrap(), -128);
    assert_eq!(refusal::<_, i8>(&128_i64), "128 does not fit into int8");
    assert_eq!(refusal::<_, u16>(&65536_u64), "65536 does not fit into uint16");
    assert_eq!(through::<_, f32>(&1.5_f64).unwrap(), 1.5);
    assert_eq!(through::<_, f32>(&f64::INFINITY).unwrap(), f32::INFINITY);
    assert!(refusal::<_, f32>(&1e300_f64).ends_with("does not fit into float32"));
    assert_eq!(through::<_, char>(&97_i64).unwrap(), 'a');
    assert_eq!(refusal::<_, char>(&0xd800_i64), "55296 does not fit into a character");
    assert_eq!(
        refusal::<_, Vec<A<i8>>>(&vec![A { a: 1 }, A { a: 300_i16 }]),
        "[1].A: 300 does not fit into int8"
    );
    assert_eq!(refusal::<_, Vec<u8>>(&"x".to_owned()), "expected []uint8, found string");
    let map = HashMap::from([("k".to_owned(), vec![0_i64, 0, 1000])]);
    assert_eq!(refusal::<_, HashMap<String, Vec<i8>>>(&map), "[entry 0][2]: 1000 does not fit into int8");
}

#[test]
fn kinds_do_not_become_others() {
    assert_eq!(refusal::<_, u64>(&5_i64), "expected uint64, found int");
    assert_eq!(refusal::<_, i64>(&5_u64), "expected int64, found uint");
    assert_eq!(refusal::<_, f64>(&5_i64), "expected float64, found int");
    assert_eq!(refusal::<_, bool>(&5_i64), "expected bool, found int");
    assert_eq!(refusal::<_, Vec<i64>>(&[5_i64; 3]), "expected []int64, found [3]int");
    assert_eq!(refusal::<_, [i64; 3]>(&vec![5_i64]), "expected [3]int64, found []int");
    assert_eq!(refusal::<_, [i64; 3]>(&[5_i64; 2]), "expected [3]int64, found [2]int");
    assert_eq!(refusal::<_, Vec<String>>(&"x".to_owned()), "expected []string, found string");
    assert_eq!(refusal::<_, A<String>>(&A { a: 5_i64 }), "A: expected string, found int");
    // Whatever the value is: the field is left out here.
    assert_eq!(refusal::<_, A<String>>(&A { a: 0_i64 }), "A: expected string, found int");
    assert_eq!(refusal::<_, i64>(&A { a: 0_i64 }), "expected int64, found A");
    let map = HashMap::from([("a".to_owned(), 1_i64)]);
    assert_eq!(refusal::<_, A<i64>>(&map), "expected main.A, found map[string]int");
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Other {
    #[serde(rename = "B")]
    b: i64,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Nothing {}

#[test]
fn structs_have_a_field_in_common_or_no_fields() {
    assert_eq!(
        refusal::<_, Other>(&A { a: 1_i64 }),
        "expected a struct of B, found a struct of A: no field in common"
    );
    assert_eq!(through::<_, Nothing>(&A { a: 1_i64 }).unwrap(), Nothing {});
    assert_eq!(through::<_, ()>(&A { a: 1_i64 }).unwrap(), ());
    assert_eq!(through::<_, Other>(&Nothing {}).unwrap(), Other::default());
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Aliased {
    #[serde(alias = "Number", alias = "no")]
    id: i64,
    #[serde(alias = "Label")]
    name: String,
    last: u8,
}

#[test]
fn aliases_are_names_too() {
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Peer {
        label: String,
        number: i64,
    }
    let read: Aliased = through(&Peer { label: "l".to_owned(), number: 3 }).unwrap();
    assert_eq!(read, Aliased { id: 3, name: "l".to_owned(), last: 0 });
    let value = Aliased { id: 3, name: "n".to_owned(), last: 9 };
    assert_eq!(through::<_, Aliased>(&value).unwrap(), value);
    // By which name a field goes shows when one is written; then it is described.
    assert_eq!(
        Value::of(&value).unwrap().gob_type().to_string(),
        "Aliased struct { Id int; Name string; Last uint }"
    );
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Borrowed<'a> {
    #[serde(rename = "Name")]
    name: &'a str,
    #[serde(rename = "Data", with = "serde_bytes")]
    data: &'a [u8],
}

#[test]
fn what_is_borrowed_is_borrowed_from_the_input() {
    let name = "n".to_owned();
    let value = Borrowed { name: &name, data: b"data" };
    let stream = to_vec(&value).unwrap();
    let read: Borrowed<'_> = from_slice(&stream).unwrap();
    assert_eq!(read, value);
    assert!(stream.as_ptr_range().contains(&read.name.as_ptr()));
}

#[test]
fn strings_are_utf8_or_bytes() {
    // Go's need not be.
    let stream = [5, 12, 0, 2, 0xff, 0xfe];
    let error = from_slice::<String>(&stream).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Corrupt(_)) && !error.is_fatal(), "{error}");
    let bytes: serde_bytes::ByteBuf = from_slice(&stream).unwrap_or_default();
    assert!(bytes.is_empty() || bytes.as_slice() == [0xff, 0xfe]);
    let value = Decoder::new().decode_value(&mut &stream[..]).unwrap().unwrap();
    assert_eq!(format!("{value:?}"), r#"b"\xff\xfe""#);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    #[serde(rename = "main.Circle")]
    Circle(A<f64>),
    #[serde(rename = "main.Pair")]
    Pair(i64, i64),
    #[serde(rename = "main.None")]
    Nothing,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Fewer {
    #[serde(rename = "main.Square")]
    Square(A<f64>),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
enum Color {
    #[default]
    Red,
    Green,
}

#[test]
fn enums_are_interfaces_or_texts() {
    let circle = || A { a: Some(Shape::Circle(A { a: 1.5 })) };
    assert_eq!(through::<_, A<Option<Shape>>>(&circle()).unwrap(), circle());
    let pair = A { a: vec![Shape::Pair(1, -2)] };
    assert_eq!(through::<_, A<Vec<Shape>>>(&pair).unwrap(), pair);
    assert_eq!(
        refusal::<_, A<Option<Fewer>>>(&circle()),
        "A: an interface holds main.Circle, which has no type here"
    );
    assert_eq!(refusal::<_, A<Shape>>(&A { a: None::<Shape> }), "A: nil where there must be a value");
    assert_eq!(through::<_, A<Color>>(&A { a: Color::Green }).unwrap(), A { a: Color::Green });
    assert_eq!(through::<_, A<String>>(&A { a: Color::Green }).unwrap(), A { a: "Green".to_owned() });
    let refused = refusal::<_, A<Color>>(&A { a: "Blue".to_owned() });
    assert!(refused.starts_with("A: unknown variant `Blue`"), "{refused}");
    let error = to_vec(&A { a: Shape::Nothing }).unwrap_err();
    assert_eq!(error.to_string(), "gob: A: main.None: it has no content");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Defaulted {
    #[serde(rename = "A", default = "green")]
    a: Color,
    #[serde(rename = "B", default)]
    b: Color,
    #[serde(rename = "C")]
    c: i64,
}

fn green() -> Color {
    Color::Green
}

#[test]
fn enums_have_no_zero_but_may_have_a_default() {
    let read: Defaulted = through(&A { a: String::new() }).unwrap();
    assert_eq!(read, Defaulted { a: Color::Green, b: Color::Red, c: 0 });
}

#[test]
fn what_takes_anything_is_given_what_there_is() {
    let json: serde_json::Value = through(&wide()).unwrap();
    let inner = serde_json::json!({"X": 5, "Y": {"k": [1, 2]}});
    assert_eq!(
        json,
        serde_json::json!({
            "A": -3, "Skipped": [inner, {"X": 0, "Y": {}}], "B": "b", "Also": inner, "C": 2.5
        })
    );
    let json: serde_json::Value = through(&Wide::default()).unwrap();
    assert_eq!(json, serde_json::json!({"A": 0, "Skipped": [], "B": "", "Also": null, "C": 0.0}));

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    assert_eq!(through::<_, Either>(&"x".to_owned()).unwrap(), Either::Text("x".to_owned()));
    assert_eq!(through::<_, Vec<Either>>(&vec![1_i64]).unwrap(), [Either::Number(1)]);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Flattened {
        #[serde(rename = "A")]
        a: i64,
        #[serde(flatten)]
        rest: HashMap<String, serde_json::Value>,
    }
    let read: Flattened = through(&wide()).unwrap();
    assert_eq!((read.a, read.rest.len()), (-3, 4));
}

#[test]
fn dynamic_values_keep_their_types_wherever_they_are() {
    let kind = |value: &Value| value.gob_type().to_string();
    let [first, second]: [Value; 2] = through(&[7_u64, 300]).unwrap();
    assert_eq!((kind(&first), kind(&second)), ("uint".to_owned(), "uint".to_owned()));
    let boxed: Vec<Box<Value>> = through(&vec![7_u64]).unwrap();
    assert_eq!(kind(&boxed[0]), "uint");
    let field: A<Value> = through(&A { a: 7_u64 }).unwrap();
    assert_eq!(kind(&field.a), "uint");
    let field: A<Option<Value>> = through(&A { a: "text".to_owned() }).unwrap();
    assert_eq!(field.a.as_ref().map(kind), Some("string".to_owned()));
}

#[test]
fn what_gob_does_not_have_is_refused_with_its_place() {
    #[derive(Serialize, Deserialize)]
    struct Holder<T> {
        #[serde(rename = "In")]
        within: A<T>,
    }
    fn refused<T: Encode>(value: &T) -> String {
        let error = to_vec(value).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Unsupported(_)), "{error}");
        error.to_string()
    }
    let tuple = Holder { within: A { a: (1_i64, "x".to_owned()) } };
    assert!(refused(&tuple).starts_with("gob: A: Go has no tuples"), "{}", refused(&tuple));
    assert!(refused(&1_i128).contains("128 bits"));
    assert_eq!(to_vec(&None::<i64>).unwrap_err().to_string(), "gob: nil where there must be a value");
    let error = to_vec(&A { a: vec![Some(1_i64), None] }).unwrap_err();
    assert_eq!(error.to_string(), "gob: A[1]: nil where there must be a value");
}

#[test]
fn a_value_that_is_refused_leaves_no_trace() {
    let mut encoder = Encoder::new();
    let mut out = b"before".to_vec();
    encoder.encode(&A { a: vec![None::<i64>] }, &mut out).unwrap_err();
    assert_eq!(out, b"before");
    encoder.encode(&A { a: vec![Some(1_i64)] }, &mut out).unwrap();
    assert_eq!(out[6..], to_vec(&A { a: vec![Some(1_i64)] }).unwrap());
}

#[test]
fn sorted_maps_are_the_same_whatever_their_order() {
    fn sorted<T: Encode>(value: &T) -> Vec<u8> {
        let mut out = Vec::new();
        Encoder::new().sorted(true).encode(value, &mut out).unwrap();
        out
    }
    let numbers = [0_i64, -1, 1, 64, -65, 300, -300, i64::MAX, i64::MIN];
    let map: HashMap<i64, A<String>> = numbers.map(|n| (n, A { a: n.to_string() })).into();
    let ordered: BTreeMap<i64, A<String>> = numbers.map(|n| (n, A { a: n.to_string() })).into();
    assert_eq!(sorted(&map), to_vec(&ordered).unwrap());
    let words = ["", "a", "b", "ab", "ba", "aaaa", "zz"].map(str::to_owned);
    let map: HashMap<String, HashMap<u8, bool>> =
        words.clone().map(|word| (word, (0..9).map(|n| (n, n > 4)).collect())).into();
    let ordered: BTreeMap<String, BTreeMap<u8, bool>> =
        words.clone().map(|word| (word, (0..9).map(|n| (n, n > 4)).collect())).into();
    assert_eq!(sorted(&map), to_vec(&ordered).unwrap());
    // Interfaces bring their types with the entry that comes first, whichever was written first.
    let shapes = |n: usize| {
        if n.is_multiple_of(2) { Shape::Circle(A { a: n as f64 }) } else { Shape::Pair(n as i64, 0) }
    };
    let map: HashMap<String, Shape> = words.iter().cloned().zip((0..).map(shapes)).collect();
    let ordered: BTreeMap<String, Shape> = words.iter().cloned().zip((0..).map(shapes)).collect();
    assert_eq!(sorted(&map), to_vec(&ordered).unwrap());
    assert_eq!(from_slice::<HashMap<String, Shape>>(&sorted(&map)).unwrap(), map);
}

#[test]
fn one_stream_carries_many_types_and_some_may_be_passed_over() {
    let (mut encoder, mut stream) = (Encoder::new(), Vec::new());
    for round in 0..3_i64 {
        encoder.encode(&A { a: round }, &mut stream).unwrap();
        encoder.encode(&A { a: Some(Shape::Circle(A { a: 0.5 })) }, &mut stream).unwrap();
        encoder.encode(&A { a: format!("round {round}") }, &mut stream).unwrap();
    }
    // In pieces of every size, and the second of each three is skipped although it brings a type.
    for size in [1, 2, 3, 7, 64, 4096] {
        let (mut decoder, mut buffer, mut chunks) = (Decoder::new(), Vec::new(), stream.chunks(size));
        let mut found = Vec::new();
        while found.len() < 9 {
            let mut input = &buffer[..];
            let got = match found.len() % 3 {
                0 => decoder.decode::<A<i64>>(&mut input).unwrap().map(|value| value.a.to_string()),
                1 => decoder.skip(&mut input).unwrap().then(String::new),
                _ => decoder.decode::<A<String>>(&mut input).unwrap().map(|value| value.a),
            };
            let left = input.len();
            buffer.drain(..buffer.len() - left);
            match got {
                Some(got) => found.push(got),
                None => {
                    assert!(decoder.needs() > buffer.len());
                    buffer.extend(chunks.next().expect("it needs no more than there is"));
                }
            }
        }
        assert_eq!(found.concat(), "0round 01round 12round 2");
        assert_eq!(decoder.offset(), stream.len() as u64);
    }
}
