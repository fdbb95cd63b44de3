//! Streams that Go writes now, and what it says of ours.

use std::fmt::Debug;
use std::path::PathBuf;
use std::process::Command;

use landline_gob::{Decoder, Encode, Encoder};
use landline_interop::{finish, finish_with_input, go_program};
use serde::de::DeserializeOwned;

/// A stream of Go's, and what we make of the same values; nothing where there is no Go.
pub(crate) struct Stream(Option<Live>);

struct Live {
    go: PathBuf,
    name: &'static str,
    theirs: Vec<u8>,
    read: usize,
    decoder: Decoder,
    ours: Vec<u8>,
    encoder: Encoder,
}

impl Stream {
    pub(crate) fn of(name: &'static str) -> Stream {
        Stream(go_program("gob").map(|go| {
            let written = finish(Command::new(&go).args(["write", name]));
            assert_eq!(written.code, 0, "{name}: {}", written.stderr);
            Live {
                go,
                name,
                theirs: written.bytes,
                read: 0,
                decoder: Decoder::new(),
                ours: Vec::new(),
                encoder: Encoder::new(),
            }
        }))
    }

    /// The next value is this one, in both directions.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // As the tests have them.
    pub(crate) fn is<T: Encode + DeserializeOwned + PartialEq + Debug>(self, value: T) -> Stream {
        self.leaves(&value, &value)
    }

    /// The next value is this one, of which that is left when Go has sent it.
    #[track_caller]
    pub(crate) fn leaves<T: Encode + DeserializeOwned + PartialEq + Debug>(
        mut self,
        value: &T,
        left: &T,
    ) -> Stream {
        if let Some(live) = &mut self.0 {
            live.encoder.encode(value, &mut live.ours).unwrap();
            let mut input = &live.theirs[live.read..];
            let read: Option<T> = live.decoder.decode(&mut input).unwrap();
            live.read = live.theirs.len() - input.len();
            assert_eq!(read.as_ref(), Some(left), "{}", live.name);
        }
        self
    }

    /// There is no more. What we wrote is what Go wrote, and Go reads the values from it and from what we make of them as
    /// dynamic ones.
    #[track_caller]
    pub(crate) fn ends(self) {
        if let Some(live) = self.0 {
            live.compare();
            live.tell(&super::again(&live.ours), &live.theirs);
        }
    }

    /// The same but for dynamic values: Go has sent descriptions that nothing refers to.
    #[track_caller]
    pub(crate) fn ends_with_more_types(self) {
        if let Some(live) = self.0 {
            live.compare();
            let again = super::again(&live.ours);
            live.tell(&again, &again);
        }
    }
}

impl Live {
    #[track_caller]
    fn compare(&self) {
        assert_eq!(self.read, self.theirs.len(), "{}: there are more values", self.name);
        self.tell(&self.ours, &self.theirs);
    }

    /// Go reads its values from our stream, which is this one.
    #[track_caller]
    fn tell(&self, ours: &[u8], expected: &[u8]) {
        assert!(
            ours == expected,
            "{}:\nours b\"{}\"\ngo's b\"{}\"",
            self.name,
            ours.escape_ascii(),
            expected.escape_ascii()
        );
        let read = finish_with_input(Command::new(&self.go).args(["read", self.name]), ours);
        assert_eq!(read.code, 0, "{}: Go does not read ours: {}", self.name, read.stderr);
    }
}
