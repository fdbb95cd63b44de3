//! Streams that Go has written, by their names in `interop/go/gob/cases.go`.

use std::fmt::Debug;

use landline_gob::{Decoder, Encode, Encoder};
use serde::de::DeserializeOwned;

const VECTORS: &str = include_str!("vectors.txt");

fn bytes(name: &str) -> Vec<u8> {
    let line = VECTORS.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = line.unwrap_or_else(|| panic!("no vector {name}"));
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// A stream of Go's, and what we make of the same values.
pub(crate) struct Stream {
    name: &'static str,
    go: Vec<u8>,
    read: usize,
    decoder: Decoder,
    ours: Vec<u8>,
    encoder: Encoder,
}

impl Stream {
    pub(crate) fn of(name: &'static str) -> Stream {
        Stream {
            name,
            go: bytes(name),
            read: 0,
            decoder: Decoder::new(),
            ours: Vec::new(),
            encoder: Encoder::new(),
        }
    }

    /// The next value is this one, in both directions.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // As the tests have them.
    pub(crate) fn is<T: Encode + DeserializeOwned + PartialEq + Debug>(self, value: T) -> Stream {
        let (stream, read) = self.read(&value);
        assert_eq!(read, value, "{}", stream.name);
        stream
    }

    /// The next value is this one, of which that is left when Go has sent it.
    #[track_caller]
    pub(crate) fn leaves<T: Encode + DeserializeOwned + PartialEq + Debug>(
        self,
        value: &T,
        left: &T,
    ) -> Stream {
        let (stream, read) = self.read(value);
        assert_eq!(read, *left, "{}", stream.name);
        stream
    }

    #[track_caller]
    fn read<T: Encode + DeserializeOwned>(mut self, value: &T) -> (Stream, T) {
        let name = self.name;
        self.encoder.encode(value, &mut self.ours).unwrap_or_else(|error| panic!("{name}: {error}"));
        let common = self.ours.len().min(self.go.len());
        assert!(
            self.ours[..common] == self.go[..common] && common == self.ours.len(),
            "{name}:\nours b\"{}\"\ngo's b\"{}\"",
            self.ours.escape_ascii(),
            self.go.escape_ascii()
        );
        let mut input = &self.go[self.read..];
        let read = self.decoder.decode(&mut input).unwrap_or_else(|error| panic!("{name}: {error}"));
        self.read = self.go.len() - input.len();
        assert_eq!(self.read, self.ours.len(), "{name}");
        (self, read.unwrap_or_else(|| panic!("{name}: more is needed")))
    }

    /// There is no more; and all of it comes and goes as dynamic values too.
    #[track_caller]
    pub(crate) fn ends(self) {
        let again = self.dynamic();
        assert!(
            again == self.go,
            "{}:\nours b\"{}\"\ngo's b\"{}\"",
            self.name,
            again.escape_ascii(),
            self.go.escape_ascii()
        );
    }

    /// There is no more; but as dynamic values it is not the same: Go has sent descriptions that nothing refers to.
    #[track_caller]
    pub(crate) fn ends_with_more_types(self) {
        assert!(self.dynamic().len() < self.go.len());
    }

    #[track_caller]
    fn dynamic(&self) -> Vec<u8> {
        assert_eq!(self.ours.len(), self.go.len(), "{}: there are more values", self.name);
        let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new());
        let (mut input, mut again) = (&self.go[..], Vec::new());
        while let Some(value) = decoder.decode_value(&mut input).unwrap() {
            encoder.encode_value(&value, &mut again).unwrap();
        }
        assert!(input.is_empty());
        again
    }
}

#[test]
fn every_vector_is_tested() {
    let tests = [
        include_str!("numbers.rs"),
        include_str!("collections.rs"),
        include_str!("structs.rs"),
        include_str!("interfaces.rs"),
        include_str!("standard.rs"),
    ];
    for line in VECTORS.lines() {
        let (name, _) = line.split_once(' ').unwrap();
        assert!(tests.iter().any(|test| test.contains(&format!("\"{name}\""))), "{name}");
    }
}
