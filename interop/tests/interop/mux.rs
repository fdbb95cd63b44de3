//! What the mux is held to is what Go says.

use std::fs;
use std::path::Path;
use std::process::Command;

use landline_interop::{finish_with_input, go_program};

#[test]
fn go_still_says_what_the_mux_is_tested_with() {
    let Some(go) = go_program("mux") else { return };
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/landline-http/src/mux/go"));
    let questions = fs::read(dir.join("questions.jsonl")).unwrap();
    let answers = fs::read_to_string(dir.join("answers.jsonl")).unwrap();
    let done = finish_with_input(&mut Command::new(go), &questions);
    assert_eq!(done.success(), answers);
}
