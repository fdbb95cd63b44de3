//! Structs.

use std::collections::HashMap;

use landline_gob::go::Complex;
use serde::{Deserialize, Serialize};

use crate::samples::{Inner, Point, map, text};
use crate::vectors::Stream;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Empty {}

#[test]
fn fields_that_are_zero_are_left_out() {
    Stream::of("struct")
        .is(Point { x: 22, y: 33 })
        .is(Point { x: 0, y: 0 })
        .is(Point { x: 0, y: 1 })
        .is(Empty {})
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Numbers {
    b: bool,
    i: isize,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: i64,
    u: usize,
    u8: u8,
    u16: u16,
    u32: u32,
    u64: u64,
    f32: f32,
    f64: f64,
    c64: Complex<f32>,
    c128: Complex,
    r: char,
    s: String,
    y: Vec<u8>,
}

#[test]
fn every_basic_type_as_a_field() {
    Stream::of("numbers-zero").is(Numbers::default()).ends();
    Stream::of("numbers")
        .is(Numbers {
            b: true,
            i: -1,
            i8: -128,
            i16: 1000,
            i32: -70000,
            i64: 1 << 40,
            u: 1,
            u8: 255,
            u16: 65535,
            u32: 1 << 31,
            u64: 1 << 63,
            f32: 1.5,
            f64: -2.25,
            c64: Complex { re: 1.0, im: 0.0 },
            c128: Complex { re: 0.0, im: 2.0 },
            r: 'ß',
            s: text("s"),
            y: b"yy".to_vec(),
        })
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Pointers {
    a: Option<isize>,
    b: Option<Option<isize>>,
    c: Option<String>,
    d: Option<Inner>,
    e: Option<Vec<isize>>,
    f: Vec<Option<Inner>>,
    g: Vec<Option<isize>>,
    h: Option<HashMap<String, Option<Inner>>>,
    i: Option<HashMap<String, isize>>,
    j: Option<[isize; 2]>,
}

#[test]
fn pointers() {
    Stream::of("pointers-nil").is(Pointers::default()).ends();
    let inner = |x| Some(Inner { x });
    // What a pointer to zero points to is zero, and left out.
    let zeros = Pointers {
        a: Some(0),
        b: Some(Some(0)),
        c: Some(text("")),
        d: inner(0),
        e: Some(vec![]),
        i: Some(map([])),
        j: Some([0, 0]),
        ..Pointers::default()
    };
    let left = Pointers { d: inner(0), i: Some(map([])), j: Some([0, 0]), ..Pointers::default() };
    Stream::of("pointers-zero").leaves(&zeros, &left).ends();
    Stream::of("pointers")
        .is(Pointers {
            a: Some(5),
            b: Some(Some(-5)),
            c: Some(text("s")),
            d: inner(1),
            e: Some(vec![1]),
            f: vec![inner(0), inner(2)],
            g: vec![Some(0), Some(1)],
            h: Some(map([(text("a"), inner(3))])),
            i: Some(map([(text("b"), 4)])),
            j: Some([0, 6]),
        })
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    value: isize,
    next: Option<Box<Node>>,
    kids: Vec<Node>,
    byme: Option<HashMap<String, Option<Node>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Tree>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Forest(HashMap<String, Forest>);

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Even {
    n: isize,
    odd: Option<Box<Odd>>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Odd {
    s: String,
    even: Vec<Even>,
}

#[test]
fn types_within_themselves() {
    let node = |value| Node { value, ..Node::default() };
    let second = Node { value: 2, next: Some(Box::default()), ..Node::default() };
    Stream::of("recursive")
        .is(Node {
            value: 1,
            next: Some(Box::new(second)),
            kids: vec![node(0), node(3)],
            byme: Some(map([(text("k"), Some(node(4)))])),
        })
        .is(Node::default())
        .ends();
    let empty = || Tree(vec![]);
    Stream::of("tree")
        .is(Tree(vec![empty(), Tree(vec![empty(), empty()])]))
        .is(Forest(map([(text("a"), Forest(map([(text("b"), Forest::default())])))])))
        .ends();
    let even = |n| Even { n, odd: None };
    Stream::of("mutual")
        .is(Even { n: 1, odd: Some(Box::new(Odd { s: text("s"), even: vec![even(2)] })) })
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Base {
    #[serde(rename = "ID")]
    id: isize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Extra {
    note: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Derived {
    base: Base,
    extra: Option<Extra>,
    name: String,
}

#[test]
fn embedded_structs_are_fields_of_their_name() {
    Stream::of("embedded")
        .is(Derived { base: Base { id: 7 }, extra: Some(Extra { note: text("n") }), name: text("d") })
        .is(Derived::default())
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Partly {
    a: isize,
    #[serde(skip)]
    hidden: isize,
    b: String,
    c: Vec<isize>,
}

#[test]
fn what_is_not_exported_is_skipped() {
    Stream::of("unexported").is(Partly { a: 1, hidden: 0, b: text("b"), c: vec![2] }).ends();
    let value = Partly { a: 1, hidden: 5, b: text("b"), c: vec![2] };
    let left = Partly { hidden: 0, ..value.clone() };
    Stream::of("unexported").leaves(&value, &left).ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct HasEmpty {
    a: Empty,
    b: Vec<Empty>,
    c: (),
}

#[test]
fn structs_without_fields() {
    Stream::of("empty").is(HasEmpty { a: Empty {}, b: vec![Empty {}, Empty {}], c: () }).ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Anonymous {
    r#in: InAnonymous,
    list: Vec<ListAnonymous>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "", rename_all = "PascalCase")]
struct InAnonymous {
    a: isize,
    b: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "", rename_all = "PascalCase")]
struct ListAnonymous {
    c: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename = "", rename_all = "PascalCase")]
struct TwoAnonymous {
    a: isize,
    b: isize,
}

#[test]
fn structs_without_names() {
    Stream::of("anonymous").is(Anonymous::default()).is(TwoAnonymous { a: 1, b: 2 }).ends();
}

#[test]
fn types_are_described_once() {
    let point = |x, y| Point { x, y };
    Stream::of("one-type-many-values")
        .is(point(1, 2))
        .is(point(3, 4))
        .is(5_isize)
        .is(point(5, 6))
        .is(text("s"))
        .is(Inner { x: 7 })
        .is(point(7, 8))
        .ends();
}
