//! Gob between Go and us, both ways: every kind of value, and values of random types.
//!
//! The values are those of the crate's own tests, which hold them against what Go wrote once. Here they go to Go itself,
//! and it says whether they are what it has.

use std::process::Command;

use landline_gob::{Decoder, Encoder};
use landline_interop::{finish, finish_with_input, go_program, program};

#[path = "../../../../crates/landline-gob/tests/it/collections.rs"]
mod collections;
#[path = "../../../../crates/landline-gob/tests/it/interfaces.rs"]
mod interfaces;
#[path = "../../../../crates/landline-gob/tests/it/numbers.rs"]
mod numbers;
#[path = "../../../../crates/landline-gob/tests/it/samples.rs"]
pub(crate) mod samples;
#[path = "../../../../crates/landline-gob/tests/it/standard.rs"]
mod standard;
#[path = "../../../../crates/landline-gob/tests/it/structs.rs"]
mod structs;
pub(crate) mod vectors;

/// A stream as dynamic values, written again.
fn again(stream: &[u8]) -> Vec<u8> {
    let (mut decoder, mut encoder) = (Decoder::new(), Encoder::new());
    let (mut input, mut out) = (stream, Vec::new());
    while let Some(value) = decoder.decode_value(&mut input).unwrap() {
        encoder.encode_value(&value, &mut out).unwrap();
    }
    assert!(input.is_empty(), "{} bytes are left", input.len());
    out
}

#[test]
fn values_of_random_types_come_back_to_go() {
    let Some(go) = go_program("gob") else { return };
    for seed in 0..20 {
        let arguments = [seed.to_string(), "50".to_owned()];
        let written = finish(Command::new(&go).arg("random").args(&arguments));
        assert_eq!(written.code, 0, "{}", written.stderr);
        let ours = again(&written.bytes);
        assert!(ours == written.bytes, "seed {seed}: {} bytes, and Go's {}", ours.len(), written.bytes.len());
        finish_with_input(Command::new(&go).arg("check").args(&arguments), &ours).success();
    }
}

#[test]
fn go_tells_its_values_from_others() {
    // So that what it says of ours means something.
    let Some(go) = go_program("gob") else { return };
    for (case, other) in [("struct", "numbers"), ("int", "uint"), ("recursive", "struct")] {
        let written = finish(Command::new(&go).args(["write", other]));
        let read = finish_with_input(Command::new(&go).args(["read", case]), &written.bytes);
        assert_eq!(read.code, 1, "{case}: {read:?}");
    }
    let read = finish_with_input(Command::new(&go).args(["read", "struct"]), b"");
    assert_eq!(read.code, 1, "{read:?}");
}

#[test]
fn the_program_prints_what_go_has_written() {
    let (Some(program), Some(go)) = (program(), go_program("gob")) else { return };
    let written = finish(Command::new(&go).args(["write", "interface"]));
    let printed = finish_with_input(Command::new(&program).args(["gob", "--values"]), &written.bytes);
    let expected = "\
{\"Title\":\"\",\"Main\":null,\"Others\":[],\"ByName\":{}}
{\"Title\":\"t\",\"Main\":{\"R\":1.5},\"Others\":[],\"ByName\":{}}
{\"Title\":\"all\",\"Main\":{\"Side\":2.0,\"At\":{\"X\":1,\"Y\":2}},\
\"Others\":[{\"R\":0.0},null,{\"Side\":0.0,\"At\":{\"X\":0,\"Y\":0}}],\"ByName\":{\"c\":{\"R\":3.0}}}
";
    assert_eq!(printed.success(), expected);
    let typed = finish_with_input(Command::new(&program).arg("gob"), &written.bytes);
    assert_eq!(typed.json().len(), 3);
    assert_eq!(typed.json()[1]["value"]["Main"]["type"], "main.Circle");
    // Whatever it is, it is printed.
    let vectors = finish(Command::new(&go).arg("vectors"));
    for name in vectors.success().lines().filter_map(|line| line.split(' ').next()) {
        let written = finish(Command::new(&go).args(["write", name]));
        let printed = finish_with_input(Command::new(&program).arg("gob"), &written.bytes);
        assert!(!printed.json().is_empty() && printed.code == 0, "{name}: {printed:?}");
    }
}
