//! Interface values: enums, and values that are anything.

use std::collections::HashMap;

use landline_gob::Value;
use serde::{Deserialize, Serialize};

use crate::vectors::Stream;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    x: isize,
    y: isize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Circle {
    r: f64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Group {
    name: String,
    members: Vec<Option<Shape>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    #[serde(rename = "main.Circle")]
    Circle(Circle),
    // A variant may have its fields with it.
    #[serde(rename = "main.Square", rename_all = "PascalCase")]
    Square { side: f64, at: Point },
    #[serde(rename = "main.Group")]
    Group(Group),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Drawing {
    title: String,
    main: Option<Shape>,
    others: Vec<Option<Shape>>,
    by_name: Option<HashMap<String, Option<Shape>>>,
}

fn circle(r: f64) -> Option<Shape> {
    Some(Shape::Circle(Circle { r }))
}

fn square(side: f64, x: isize, y: isize) -> Option<Shape> {
    Some(Shape::Square { side, at: Point { x, y } })
}

fn group(name: &str, members: Vec<Option<Shape>>) -> Option<Shape> {
    Some(Shape::Group(Group { name: name.to_owned(), members }))
}

#[test]
fn an_enum_is_an_interface() {
    Stream::of("interface")
        .is(Drawing::default())
        .is(Drawing { title: "t".to_owned(), main: circle(1.5), ..Drawing::default() })
        .is(Drawing {
            title: "all".to_owned(),
            main: square(2.0, 1, 2),
            others: vec![circle(0.0), None, square(0.0, 0, 0)],
            by_name: Some(HashMap::from([("c".to_owned(), circle(3.0))])),
        })
        .ends();
}

#[test]
fn interfaces_within_interfaces() {
    let inner = group("h", vec![square(1.0, 0, 0), circle(2.0)]);
    Stream::of("interface-nested")
        .is(Drawing {
            main: group("g", vec![inner, circle(3.0)]),
            others: vec![group("", vec![])],
            ..Drawing::default()
        })
        .ends();
}

#[test]
fn interfaces_by_themselves() {
    Stream::of("interface-top")
        .is(circle(1.0).unwrap())
        .is(square(0.0, 0, 0))
        .is(vec![circle(2.0).unwrap()])
        .is(HashMap::from([("a".to_owned(), square(3.0, 0, 0))]))
        .ends();
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Anything<T> {
    v: T,
    l: Vec<T>,
    m: Option<HashMap<String, T>>,
}

#[test]
fn dynamic_values_are_anything() {
    let list = Value::nil();
    let nothing = Anything { v: list.clone(), l: vec![], m: None };
    let of_int = |value: i64| Value::of(&value).unwrap();
    let held = |value: &Value, name: &str| value.registered(name);
    let k = Value::of(&vec![held(&of_int(1), "int64")]).unwrap();
    let something = Anything {
        v: held(&Value::of(&"text".to_owned()).unwrap(), "string"),
        l: vec![
            held(&Value::of(&true).unwrap(), "bool"),
            held(&of_int(-5), "int64"),
            held(&Value::of(&7_u64).unwrap(), "uint64"),
            held(&Value::of(&1.5).unwrap(), "float64"),
            held(&Value::of(&"s".to_owned()).unwrap(), "string"),
            held(&Value::of(&b"b".to_vec()).unwrap(), "[]uint8"),
            Value::nil(),
        ],
        m: Some(HashMap::from([("k".to_owned(), held(&k, "[]interface {}"))])),
    };
    Stream::of("any").is(nothing).is(something).ends();
}

#[test]
fn what_takes_anything_says_what_it_is() {
    // serde_json's values are what Go's JSON would make of the same.
    let json: serde_json::Value = serde_json::json!([true, -5, 7, 1.5, "s"]);
    let value = Anything { v: json, l: vec![serde_json::Value::Null], m: None };
    let sent = landline_gob::to_vec(&value).unwrap();
    assert_eq!(landline_gob::from_slice::<Anything<serde_json::Value>>(&sent).unwrap(), value);
}
