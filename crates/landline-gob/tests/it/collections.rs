//! Slices, arrays and maps.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::samples::{Inner, Point, map, text};
use crate::vectors::Stream;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Names(Vec<String>);
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Grid([[isize; 3]; 2]);
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Index(HashMap<String, Vec<isize>>);
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Celsius(f64);
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Color(isize);
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Octet(u8);

#[test]
fn slices() {
    Stream::of("slice")
        .is(Vec::<isize>::new())
        .is(vec![1_isize, -1, 300])
        .is(vec![true, false])
        .is(vec![text("a"), text("")])
        .is(vec![0.0, 1.5])
        .is(vec![vec![1_isize], vec![]])
        .ends();
}

#[test]
fn arrays() {
    Stream::of("array")
        .is([0_isize; 3])
        .is([1_isize, 0, 2])
        .is([[true, false], [false, false]])
        .is([1_u8, 200, 0, 0])
        .ends();
}

#[test]
fn maps() {
    Stream::of("map")
        .is(map::<String, isize, 0>([]))
        .is(map([(text("a"), 1_isize)]))
        .is(map([(-1_isize, text("x"))]))
        .is(map([(true, vec![1_isize])]))
        .ends();
}

#[test]
fn named_types() {
    Stream::of("named")
        .is(Names(vec![text("a")]))
        .is(Celsius(2.0))
        .is(Color(-3))
        .is(Grid([[1, 0, 0], [2, 3, 0]]))
        .is(Index(map([(text("a"), vec![1])])))
        .is(vec![Octet(200)])
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Containers {
    ints: Vec<isize>,
    strings: Vec<String>,
    structs: Vec<Inner>,
    nested: Vec<Vec<String>>,
    array: [isize; 3],
    points: [Point; 2],
    // A map is never nil in Rust: None is.
    map: Option<HashMap<String, isize>>,
    deep: Option<HashMap<String, Vec<Inner>>>,
    by_int: Option<HashMap<i32, bool>>,
    bytes: Vec<Vec<u8>>,
    four: [u8; 4],
    named: Names,
    grid: Grid,
    index: Option<Index>,
    octets: Vec<Octet>,
    colors: Vec<Color>,
    temp: Celsius,
}

#[test]
fn containers_in_a_struct() {
    Stream::of("containers-zero").is(Containers::default()).ends();
    Stream::of("containers-empty")
        .is(Containers {
            map: Some(map([])),
            deep: Some(map([])),
            by_int: Some(map([])),
            index: Some(Index::default()),
            ..Containers::default()
        })
        .ends();
    let inner = |x| Inner { x };
    Stream::of("containers")
        .is(Containers {
            ints: vec![1, 0],
            strings: vec![text(""), text("b")],
            structs: vec![inner(0), inner(5)],
            nested: vec![vec![text("a")], vec![]],
            array: [0, 7, 0],
            points: [Point::default(), Point { x: 1, y: 2 }],
            map: Some(map([(text("k"), 9)])),
            deep: Some(map([(text("d"), vec![inner(1)])])),
            by_int: Some(map([(-5, false)])),
            bytes: vec![vec![1], vec![]],
            four: [9, 8, 7, 255],
            named: Names(vec![text("n")]),
            grid: Grid([[1, 2, 3], [0; 3]]),
            index: Some(Index(map([(text("i"), vec![4])]))),
            octets: vec![Octet(1), Octet(255)],
            colors: vec![Color(-1)],
            temp: Celsius(36.6),
        })
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct First {
    a: Vec<Inner>,
    b: Inner,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Second {
    b: Inner,
    a: Vec<Inner>,
    m: Option<HashMap<Inner, Names>>,
}

#[test]
fn ids_names_and_descriptions_come_in_the_order_of_go() {
    let inner = |x| Inner { x };
    Stream::of("order")
        .is(First { a: vec![inner(1)], b: inner(0) })
        .is(Second { m: Some(map([(inner(1), Names(vec![text("x")]))])), ..Second::default() })
        .is(vec![inner(2)])
        .is(vec![First::default()])
        .ends();
    Stream::of("order-elements")
        .is(map([(inner(1), Names(vec![text("x")]))]))
        .is([map::<String, Names, 0>([]), map([])])
        .is(vec![Names(vec![text("y")])])
        .is(Names(vec![text("z")]))
        .is(vec![[inner(0), inner(0)]])
        .is(vec![Some(Point { x: 1, y: 2 })])
        .ends();
}
