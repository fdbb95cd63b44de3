//! Values that are taken for ones of another type.

use landline_gob::go::{BigFloat, BigInt, BigRat, Complex, Time, Url};
use landline_gob::{Type, Value};
use serde::{Deserialize, Serialize};

/// What a value is in JSON when it is taken for one of a type, or why it cannot be.
#[track_caller]
fn as_type(value: &Value, of: &str) -> Result<String, String> {
    let of: Type = of.parse().unwrap();
    let value = value.to_type(&of).map_err(|error| error.to_string())?;
    assert_eq!(value.gob_type(), of);
    Ok(serde_json::to_string(&value).unwrap())
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Order {
    at: Option<Time>,
    total: Option<BigInt>,
    rates: Vec<Option<BigRat>>,
    by: Value,
    count: i64,
    links: std::collections::BTreeMap<String, Url>,
}

fn order() -> Value {
    let order = Order {
        at: Some("2024-02-29T12:30:45Z".parse().unwrap()),
        total: Some("-123456789012345678901234567890".parse().unwrap()),
        rates: vec![Some("1/3".parse().unwrap())],
        by: Value::of(&Complex { re: 1.0, im: 2.0 }).unwrap(),
        count: 300,
        links: [("a".to_owned(), Url::from("https://example.com/"))].into(),
    };
    Value::of(&order).unwrap()
}

#[test]
fn types_say_what_opaque_bytes_are() {
    for (value, of, expected) in [
        (Value::of(&Some(BigInt::from(-300))), "big.Int", "-300"),
        (Value::of(&Some(BigInt::from(u64::MAX))), "*big.Int", "18446744073709551615"),
        (Value::of(&Some("7".parse::<BigRat>().unwrap())), "big.Rat", "\"7\""),
        (Value::of(&Some(BigFloat::from(1.5))), "big.Float", "\"1.5\""),
        (Value::of(&Some(Url::from("https://x/"))), "url.URL", "\"https://x/\""),
        (Value::of(&Time::default()), "time.Time", "\"0001-01-01T00:00:00Z\""),
    ] {
        assert_eq!(as_type(&value.unwrap(), of).as_deref(), Ok(expected), "{of}");
    }
    // Of a type that is not ready here, the bytes are all that is known.
    let value = Value::of(&Some(BigInt::from(-300))).unwrap();
    assert_eq!(as_type(&value, "shop.Price GobEncoder").as_deref(), Ok("\"AwEs\""));
}

#[test]
fn it_is_so_at_any_depth_and_in_any_order() {
    let of = "struct { Links map[string]url.URL; Count int16; By any; Total *big.Int; At time.Time; Rates []big.Rat }";
    assert_eq!(
        as_type(&order(), of).as_deref(),
        Ok(
            r#"{"Links":{"a":"https://example.com/"},"Count":300,"By":[1.0,2.0],"Total":-123456789012345678901234567890,"At":"2024-02-29T12:30:45Z","Rates":["1/3"]}"#
        )
    );
}

#[test]
fn fields_that_were_left_out_are_what_they_must_have_been() {
    let of = "struct { Count int; Since time.Time; Fee *big.Int; Owed big.Int; Where struct { X, Y int }; Two [2]bool }";
    assert_eq!(
        as_type(&order(), of).as_deref(),
        Ok(
            r#"{"Count":300,"Since":"0001-01-01T00:00:00Z","Fee":null,"Owed":0,"Where":{"X":0,"Y":0},"Two":[false,false]}"#
        )
    );
    // Go does not allow it, but it can be written down.
    assert_eq!(
        as_type(&order(), "T struct { Count int; A, B T }").as_deref(),
        Ok(r#"{"Count":300,"A":{"Count":0,"A":null,"B":null},"B":{"Count":0,"A":null,"B":null}}"#)
    );
}

#[test]
fn what_does_not_fit_is_named_with_what_was_wanted() {
    for (of, expected) in [
        ("time.Time", "gob: expected time.Time, found Order"),
        (
            "struct { Total time.Time }",
            "gob: Total: expected time.Time, found GobEncoder: a time of 14 bytes",
        ),
        (
            "struct { Links map[string]time.Time }",
            "gob: Links[entry 0]: expected time.Time, found BinaryMarshaler",
        ),
        ("struct { Rates []string }", "gob: Rates[0]: expected string, found GobEncoder"),
        ("struct { Count int8 }", "gob: Count: 300 does not fit into int8"),
        ("struct { Count uint }", "gob: Count: expected uint, found int"),
        ("struct { By int }", "gob: By: expected int, found interface {}"),
        ("Other struct { Nothing int }", "gob: expected main.Other, found Order: no field in common"),
        ("[]int", "gob: expected []int, found Order"),
    ] {
        assert_eq!(as_type(&order(), of), Err(expected.to_owned()));
    }
    let floats = Value::of(&vec![1e300]).unwrap();
    assert!(as_type(&floats, "[]float32").unwrap_err().ends_with("does not fit into float32"));
    assert_eq!(as_type(&floats, "[1]float64"), Err("gob: expected [1]float64, found []float64".to_owned()));
}

#[test]
fn what_interfaces_hold_comes_along() {
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Inner {
        list: Vec<Value>,
        at: Time,
        // Left out, and so nothing: it may have been behind a pointer.
        none: Option<Box<Inner>>,
    }
    let inner = Inner { list: vec![Value::of(&7_i64).unwrap()], at: Time::default(), none: None };
    let held = Value::of(&inner).unwrap().registered("main.Inner");
    let value = Value::of(&vec![held, Value::nil()]).unwrap();
    let again = value.to_type(&"Things []any".parse().unwrap()).unwrap();
    assert_eq!(serde_json::to_string(&again).unwrap(), serde_json::to_string(&value).unwrap());
    let typed = serde_json::to_string(&again.typed()).unwrap();
    assert!(
        typed.starts_with(r#"{"type":"Things []interface {}","value":[{"type":"main.Inner","#),
        "{typed}"
    );
    // It can be sent on.
    let mut stream = Vec::new();
    landline_gob::Encoder::new().encode_value(&again, &mut stream).unwrap();
    let received = landline_gob::Decoder::new().decode_value(&mut &stream[..]).unwrap().unwrap();
    assert_eq!(serde_json::to_string(&received).unwrap(), serde_json::to_string(&value).unwrap());
}

#[test]
fn a_big_int_is_written_as_a_number_too() {
    let of: Type = "big.Int".parse().unwrap();
    for json in [serde_json::json!(-300), serde_json::json!("-300")] {
        let value = Value::of_type(&of, &json).unwrap();
        assert_eq!(value.to::<BigInt>().unwrap(), BigInt::from(-300));
    }
    let of: Type = "time.Time".parse().unwrap();
    assert!(Value::of_type(&of, &serde_json::json!(7)).is_err());
}
