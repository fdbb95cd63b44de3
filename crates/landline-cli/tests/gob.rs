//! `landline gob` of streams in files and on stdin.

mod common;

use std::io::Write;

use common::{Running, landline, run, run_with};
use landline_gob::go::{BigInt, Time};
use landline_gob::{Encode, Encoder, Value};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Point {
    x: i64,
    y: i64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    name: String,
    at: Time,
    data: Vec<u8>,
    size: Option<BigInt>,
    about: Value,
    tags: Vec<String>,
}

fn event() -> Event {
    Event {
        name: "start".to_owned(),
        at: "2024-02-29T12:30:45Z".parse().unwrap(),
        data: b"hi".to_vec(),
        size: Some(BigInt::from(-300)),
        about: Value::of(&Point { x: 1, y: 0 }).unwrap().registered("main.Point"),
        tags: vec![],
    }
}

fn put(encoder: &mut Encoder, value: &impl Encode, stream: &mut Vec<u8>) {
    encoder.encode(value, stream).unwrap();
}

fn stream() -> Vec<u8> {
    let (mut encoder, mut stream) = (Encoder::new(), Vec::new());
    put(&mut encoder, &Point { x: 22, y: 33 }, &mut stream);
    put(&mut encoder, &event(), &mut stream);
    put(&mut encoder, &vec![1.5, f64::INFINITY], &mut stream);
    put(&mut encoder, &"text".to_owned(), &mut stream);
    stream
}

/// A stream does not say the package of a type, and of what is behind a pointer not even the name: a `*big.Int` is bytes.
const LINES: &str = r#"{"type":"Point struct { X int; Y int }","value":{"X":22,"Y":33}}
{"type":"Event struct { Name string; At Time GobEncoder; Data []uint8; Size GobEncoder; About interface {}; Tags []string }","value":{"Name":"start","At":"2024-02-29T12:30:45Z","Data":"aGk=","Size":"AwEs","About":{"type":"main.Point","value":{"X":1,"Y":0}},"Tags":[]}}
{"type":"[]float64","value":[1.5,"+Inf"]}
{"type":"string","value":"text"}
"#;

const VALUES: &str = r#"{"X":22,"Y":33}
{"Name":"start","At":"2024-02-29T12:30:45Z","Data":"aGk=","Size":"AwEs","About":{"X":1,"Y":0},"Tags":[]}
[1.5,"+Inf"]
"text"
"#;

#[test]
fn every_value_is_a_line() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&stream()).unwrap();
    let path = file.path().to_str().unwrap();
    let done = run(&["gob", path]).expect(0);
    assert_eq!((done.text(), done.stderr.as_str()), (LINES, ""));
    assert_eq!(run(&["gob", "--values", path]).expect(0).text(), VALUES);
    for arguments in [&["gob"][..], &["gob", "-"]] {
        assert_eq!(run_with(arguments, &stream()).expect(0).text(), LINES, "{arguments:?}");
    }
    assert_eq!(run(&["gob"]).expect(0).text(), "");
}

#[test]
fn a_type_says_what_the_stream_does_not() {
    let mut stream = landline_gob::to_vec(&event()).unwrap();
    let of = "Event struct { Size *big.Int; At time.Time; Since time.Time }";
    let done = run_with(&["gob", "--type", of], &stream).expect(0);
    let value = r#"{"Size":-300,"At":"2024-02-29T12:30:45Z","Since":"0001-01-01T00:00:00Z"}"#;
    assert_eq!(done.text(), format!("{{\"type\":\"{of}\",\"value\":{value}}}\n"));
    let (mut encoder, mut two) = (Encoder::new(), Vec::new());
    put(&mut encoder, &Point { x: 22, y: 33 }, &mut two);
    put(&mut encoder, &event(), &mut two);
    let done = run_with(&["gob", "--values", "--type", of], &two).expect(1);
    assert_eq!(done.text(), format!("{value}\n"));
    let expected = "gob: expected main.Event, found Point: no field in common";
    assert_eq!(done.complaint(), format!("landline: standard input: {expected}"));
    let refused = run_with(&["gob", "--type", "[]"], b"").expect(2);
    assert!(
        refused.complaint().starts_with("landline: --type []: gob: []: expected a type at character 3"),
        "{}",
        refused.stderr
    );
    // Nor is more read than is allowed.
    stream.truncate(stream.len() - 1);
    let refused = run_with(&["gob", "--max-message", "20"], &stream).expect(1);
    assert!(refused.complaint().contains(" is beyond the limit of 20 (max_message)"), "{}", refused.stderr);
}

#[test]
fn values_are_printed_as_they_come() {
    let mut running = Running::start(landline(&["gob", "--values"]).stdin(std::process::Stdio::piped()));
    let stream = stream();
    let mut lines = VALUES.lines();
    // The first value in two pieces, and what follows when it is printed.
    let point = landline_gob::to_vec(&Point { x: 22, y: 33 }).unwrap().len();
    running.say(&stream[..7]);
    running.say(&stream[7..point + 3]);
    assert_eq!(Some(running.line().as_str()), lines.next());
    running.say(&stream[point + 3..]);
    for line in lines {
        assert_eq!(running.line(), line);
    }
    running.end().expect(0);
}

#[test]
fn what_cannot_be_read_is_named_with_its_place() {
    let done = run(&["gob", "/nowhere/at/all.gob"]).expect(1);
    assert_eq!(done.complaint(), "landline: /nowhere/at/all.gob: No such file or directory");
    let done = run(&["gob", "/"]).expect(1);
    assert_eq!(done.complaint(), "landline: /: Is a directory");
    // Cut off in the last value: what is before it is printed.
    let stream = stream();
    let done = run_with(&["gob"], &stream[..stream.len() - 2]).expect(1);
    let before = LINES.lines().take(3).map(|line| format!("{line}\n")).collect::<String>();
    assert_eq!(done.text(), before);
    let expected = format!(
        "landline: standard input: gob: the stream ends in the middle of a value (byte {})",
        stream.len() - 2
    );
    assert_eq!(done.complaint(), expected);
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"\x03\xff\x82\x00").unwrap();
    let path = file.path().to_str().unwrap();
    let done = run(&["gob", path]).expect(1);
    assert_eq!(
        done.complaint(),
        format!("landline: {path}: gob: type 65 is used and was not defined (byte 1)")
    );
    let done = run_with(&["gob"], b"no gob at all, but a text that is not short").expect(1);
    assert!(done.complaint().starts_with("landline: standard input: gob: "), "{}", done.stderr);
    assert_eq!(done.text(), "");
}

#[test]
fn a_value_that_is_refused_does_not_end_the_stream() {
    #[derive(Serialize, Deserialize)]
    struct Tree(Vec<Tree>);
    let mut tree = Tree(vec![]);
    for _ in 0..120 {
        tree = Tree(vec![tree]);
    }
    let (mut encoder, mut stream) = (Encoder::new(), Vec::new());
    put(&mut encoder, &tree, &mut stream);
    for _ in 0..20 {
        tree = Tree(vec![tree]);
    }
    let mut encoder = encoder.limits(landline_gob::Limits::default().depth(200));
    put(&mut encoder, &tree, &mut stream);
    put(&mut encoder, &"text".to_owned(), &mut stream);
    let done = run_with(&["gob", "--values"], &stream).expect(1);
    let mut lines = done.text().lines();
    assert_eq!(lines.next(), Some(format!("{}{}", "[".repeat(121), "]".repeat(121)).as_str()));
    assert_eq!((lines.next(), lines.next()), (Some("\"text\""), None));
    assert!(
        done.complaint().contains("a value of 129 levels is beyond the limit of 128 (depth)"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let mut running = Running::start(landline(&["gob", "--values"]).stdin(std::process::Stdio::piped()));
    running.say(&landline_gob::to_vec(&1_i64).unwrap());
    assert_eq!(running.line(), "1");
    running.stop_reading();
    running.say(&landline_gob::to_vec(&2_i64).unwrap());
    let done = running.end().expect(0);
    assert_eq!(done.stderr, "");
}
