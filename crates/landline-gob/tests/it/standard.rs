//! Types of Go's standard library, and others with an encoding of their own.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landline_gob::go::{Addr, AddrPort, BigFloat, BigInt, BigRat, Opaque, Prefix, Time, Url};
use serde::{Deserialize, Serialize};

use crate::vectors::Stream;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct Standard {
    t: Time,
    tp: Option<Time>,
    i: Option<BigInt>,
    r: Option<BigRat>,
    f: Option<BigFloat>,
    u: Option<Url>,
    a: Addr,
    ap: AddrPort,
    p: Prefix,
    #[serde(with = "landline_gob::go::duration")]
    d: Duration,
    #[serde(rename = "Ts")]
    ts: Vec<Time>,
    #[serde(rename = "Is")]
    is: Vec<Option<BigInt>>,
    m: Option<HashMap<String, Time>>,
}

fn moment() -> Time {
    "2024-02-29T12:30:45.123456789Z".parse().unwrap()
}

fn in_zone() -> Time {
    moment().with_offset(Some(-(5 * 3600 + 30 * 60))).unwrap()
}

fn link() -> Url {
    Url::from("https://user@example.com/a?b=c#d")
}

fn map<V, const N: usize>(entries: [(&str, V); N]) -> HashMap<String, V> {
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

#[test]
fn types_of_the_standard_library() {
    // Go describes the struct in a url.URL, though it sends a text.
    Stream::of("standard-zero").is(Standard::default()).ends_with_more_types();
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    Stream::of("standard")
        .is(Standard {
            t: moment(),
            tp: Some(in_zone()),
            i: Some(BigInt::from(-300)),
            r: Some(BigRat::new(-22, 7).unwrap()),
            f: Some(BigFloat::from(1.5)),
            u: Some(link()),
            a: Addr::from(ip("192.0.2.1")),
            ap: AddrPort::from("[2001:db8::1]:443".parse::<SocketAddr>().unwrap()),
            p: Prefix::new(ip("198.51.100.0"), 24).unwrap(),
            d: Duration::from_secs(60),
            ts: vec![Time::default(), moment()],
            is: vec![Some(BigInt::from(0)), Some(BigInt::from(1))],
            m: Some(map([("m", moment())])),
        })
        .ends_with_more_types();
}

#[test]
fn what_is_behind_a_pointer_is_sent_though_it_is_zero() {
    let zeros = Standard {
        tp: Some(Time::default()),
        i: Some(BigInt::default()),
        r: Some(BigRat::default()),
        f: Some(BigFloat::from(0.0)),
        u: Some(Url::default()),
        ..Standard::default()
    };
    Stream::of("standard-pointers").is(zeros).ends_with_more_types();
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ByValue {
    i: BigInt,
    u: Url,
}

#[test]
fn pointer_methods_on_values() {
    Stream::of("standard-values")
        .is(ByValue { i: BigInt::from(5), u: link() })
        .is(ByValue::default())
        .ends_with_more_types();
}

#[test]
fn by_themselves_and_in_collections() {
    Stream::of("standard-top")
        .is(moment())
        .is(in_zone())
        .is(Some(BigInt::from(1_i64 << 62)))
        .is("fe80::1%eth0".parse::<Addr>().unwrap())
        .is(vec![Some(BigInt::from(2))])
        .is(Some(link()))
        .ends_with_more_types();
    Stream::of("standard-in-map")
        .is(map([("a", moment())]))
        .is(map([("b", Some(BigInt::from(1)))]))
        .is([Addr::default(), Addr::default()])
        .ends();
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Temp(i16);

impl Opaque for Temp {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Result<Temp, String> {
        bytes.try_into().map(i16::from_be_bytes).map(Temp).map_err(|_| "two bytes are needed".to_owned())
    }
    fn zero() -> Temp {
        Temp(0)
    }
    fn is_zero(&self) -> bool {
        self.0 == 0
    }
}

landline_gob::opaque!(Temp, BinaryMarshaler, "main.Temp");

#[derive(Clone, Debug, Default, PartialEq)]
struct Secret(String);

impl Opaque for Secret {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone().into_bytes()
    }
    fn from_bytes(bytes: &[u8]) -> Result<Secret, String> {
        String::from_utf8(bytes.to_vec()).map(Secret).map_err(|error| error.to_string())
    }
    fn zero() -> Secret {
        Secret::default()
    }
    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }
}

landline_gob::opaque!(Secret, GobEncoder on pointer, "main.Secret");

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Custom {
    a: Temp,
    b: Option<Temp>,
    c: Vec<Temp>,
    d: Secret,
    e: Option<Secret>,
    f: Option<HashMap<String, Option<Secret>>>,
}

#[test]
fn types_with_encodings_of_their_own() {
    let secret = |text: &str| Secret(text.to_owned());
    Stream::of("custom")
        .is(Custom::default())
        .is(Custom {
            a: Temp(215),
            b: Some(Temp(0)),
            c: vec![Temp(0), Temp(-1)],
            d: secret("d"),
            e: Some(secret("")),
            f: Some(map([("k", Some(secret("v")))])),
        })
        .ends();
}
