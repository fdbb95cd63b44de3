//! A small fuzzer without feedback, the same on every run, so that what the real one found stays found without it.
//!
//! Other crates of the workspace take this file in too, beside a `TARGETS` of their own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{TARGETS, Target};

/// For each target; in all they take a second or two.
const VARIATIONS: usize = 2000;
/// Seeds may be longer, their variations grow no further.
const LONGEST: usize = 4096;

/// Bytes that mean something to one parser or another.
const TELLING: &[u8] = b"\0\x01\x0c\x1f\x20\x3f\x40\x7f\x80\xc0\xff%[]:.#@-_/=!;\n\r\t 019azAZ";

#[test]
fn no_variation_of_a_seed_breaks_a_parser() {
    for &(name, target) in TARGETS {
        let seeds = seeds(name);
        let mut random = fastrand::Rng::with_seed(0x1a4d_714e);
        for seed in &seeds {
            attempt(name, target, seed);
        }
        for _ in 0..VARIATIONS {
            attempt(name, target, &vary(&seeds, &mut random));
        }
    }
}

#[test]
fn every_target_can_be_fuzzed() {
    for (name, _) in TARGETS {
        let file = workspace().join(format!("fuzz/fuzz_targets/{name}.rs"));
        let text =
            std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(
            text.contains(&format!(" {}::fuzzing::{name}(", env!("CARGO_CRATE_NAME"))),
            "{}",
            file.display()
        );
    }
    let files = std::fs::read_dir(workspace().join("fuzz/fuzz_targets")).unwrap();
    let ours = files.filter(|file| {
        // Other crates have theirs in the same folder.
        let text = std::fs::read_to_string(file.as_ref().unwrap().path()).unwrap();
        text.contains(concat!(" ", env!("CARGO_CRATE_NAME"), "::fuzzing::"))
    });
    assert_eq!(ours.count(), TARGETS.len());
}

fn attempt(name: &str, target: Target, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        panic!("{name} breaks on b\"{}\"", input.escape_ascii());
    }
}

fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = workspace().join("fuzz/seeds").join(name);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    // A folder has no order of its own.
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn vary(seeds: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = seeds[random.usize(..seeds.len())].clone();
    for _ in 0..random.usize(1..8) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..16)).min(input.len());
        match random.u8(..9) {
            0 if at < input.len() => input[at] ^= 1 << random.u8(..8),
            1 if at < input.len() => input[at] = random.u8(..),
            2 if at < input.len() => input[at] = TELLING[random.usize(..TELLING.len())],
            3 => input.insert(at, TELLING[random.usize(..TELLING.len())]),
            4 => drop(input.drain(at..end)),
            5 => input.truncate(at),
            6 => {
                let piece = input[at..end].repeat(random.usize(1..5));
                drop(input.splice(at..at, piece));
            }
            7 => {
                let other = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                let to = (from + random.usize(..64)).min(other.len());
                drop(input.splice(at..end, other[from..to].iter().copied()));
            }
            _ if at + 2 <= input.len() => {
                // Lengths and counts are numbers of two bytes, of either order.
                let number: u16 = [0, 1, 0xff, 0x100, 0x7fff, 0x8000, 0xffff][random.usize(..7)];
                input[at..at + 2].copy_from_slice(&number.to_be_bytes());
            }
            _ => {}
        }
    }
    input.truncate(LONGEST);
    input
}
