//! Slices, arrays and maps.

use std::collections::HashMap;

use landline_gob::{Encode, to_vec};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

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

/// What it holds, one by one and not all at once.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct OneByOne<T>(Vec<T>);

impl<T: Serialize> Serialize for OneByOne<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut elements = serializer.serialize_seq(Some(self.0.len()))?;
        for element in &self.0 {
            elements.serialize_element(element)?;
        }
        elements.end()
    }
}

/// Numbers of every length, in an order that has no pattern.
fn numbers(count: usize) -> impl Iterator<Item = u64> {
    let mut state = 1_u64;
    std::iter::repeat_with(move || {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        state.rotate_left(29) >> (state >> 58)
    })
    .take(count)
}

fn written<T: Encode>(value: &T) -> Vec<u8> {
    to_vec(value).unwrap()
}

#[test]
fn numbers_at_once_are_those_one_by_one() {
    for count in (0..20).chain([255, 256, 257, 2303, 2304, 2305, 5000]) {
        let unsigned: Vec<u64> = numbers(count).collect();
        let signed: Vec<i64> = numbers(count).map(|number| number as i64).collect();
        let floats: Vec<f64> = numbers(count).map(|number| number as f64 / 8.0).collect();
        assert_eq!(written(&unsigned), written(&OneByOne(unsigned)), "{count}");
        assert_eq!(written(&signed), written(&OneByOne(signed.clone())), "{count}");
        assert_eq!(written(&floats), written(&OneByOne(floats)), "{count}");
        let pointers: Vec<Option<i64>> = signed.iter().copied().map(Some).collect();
        assert_eq!(written(&signed), written(&pointers), "{count}");
    }
}

/// Says that there are `said` numbers, of which that at `nil` is none.
#[derive(Debug, Deserialize)]
#[serde(from = "Vec<i64>")]
struct Told {
    said: usize,
    there: usize,
    nil: usize,
}

impl From<Vec<i64>> for Told {
    fn from(numbers: Vec<i64>) -> Told {
        Told { said: numbers.len(), there: numbers.len(), nil: usize::MAX }
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Teller<I>(I, usize);
        impl<I: Iterator> Iterator for Teller<I> {
            type Item = I::Item;
            fn next(&mut self) -> Option<I::Item> {
                self.0.next()
            }
            fn size_hint(&self) -> (usize, Option<usize>) {
                (self.1, Some(self.1))
            }
        }
        let numbers = (0..self.there).map(|at| (at != self.nil).then_some(at as i64));
        serializer.collect_seq(Teller(numbers, self.said))
    }
}

#[test]
fn what_is_wrong_with_numbers_is_said_where_it_is() {
    let written = |said, there, nil| to_vec(&Told { said, there, nil }).map_err(|error| error.to_string());
    assert!(written(300, 300, 999).is_ok());
    for (said, there) in [(3, 2), (2, 3), (0, 3), (300, 299), (300, 301), (300, 9000), (9000, 300)] {
        let error = written(said, there, 9999).unwrap_err();
        assert!(error.contains(&format!("{said} elements, and has {there}")), "{error}");
    }
    for nil in [0, 1, 255, 256, 299] {
        let error = written(300, 300, nil).unwrap_err();
        assert!(error.contains(&format!("[{nil}]")), "{error}");
    }
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
