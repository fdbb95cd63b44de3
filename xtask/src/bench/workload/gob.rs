//! Encoding and decoding gob.

use super::{Metric, Shape, Unit, Workload, bench, go};
use crate::bench::goal::{Goal, at_least};
use crate::bench::metric::Time;

/// A load counts a hundred of them as one, as looking at the clock takes as long as some of them.
const VALUE: Unit = Unit { name: "value", operations: 0.01, cpu: Time::Micros };

const GOALS: &[Goal] = &[at_least(Metric::Rate, 3.0, "go")];

pub(super) const ENCODE_STRUCT: Workload = Workload {
    name: "gob-encode-struct",
    title: "encode a struct of 20 fields, of a type that the peer knows; all in one thread",
    unit: &VALUE,
    shape: Shape::Alone,
    is_timed: true,
    ready_ms: 0,
    metrics: &[Metric::Rate, Metric::Cpu, Metric::Busy],
    count: None,
    peers: &[
        bench("landline", "landline_gob::Encoder into a buffer", &["measure", "gob", "encode-struct"]),
        go("gob.Encoder into a bytes.Buffer", "./gob", &["-what", "encode-struct"]),
    ],
    goals: GOALS,
};

pub(super) const DECODE_STRUCT: Workload = Workload {
    name: "gob-decode-struct",
    title: "decode a struct of 20 fields, each time into a new one",
    peers: &[
        bench("landline", "landline_gob::Decoder from a buffer", &["measure", "gob", "decode-struct"]),
        go("gob.Decoder from memory", "./gob", &["-what", "decode-struct"]),
    ],
    ..ENCODE_STRUCT
};

pub(super) const ENCODE_SLICE: Workload = Workload {
    name: "gob-encode-slice",
    title: "encode a slice of 1,000 integers, of one to four bytes on the wire",
    peers: &[
        bench("landline", "landline_gob::Encoder into a buffer", &["measure", "gob", "encode-slice"]),
        go("gob.Encoder into a bytes.Buffer", "./gob", &["-what", "encode-slice"]),
    ],
    ..ENCODE_STRUCT
};

pub(super) const DECODE_SLICE: Workload = Workload {
    name: "gob-decode-slice",
    title: "decode a slice of 1,000 integers, each time into a new one",
    peers: &[
        bench("landline", "landline_gob::Decoder from a buffer", &["measure", "gob", "decode-slice"]),
        go("gob.Decoder from memory", "./gob", &["-what", "decode-slice"]),
    ],
    ..ENCODE_STRUCT
};
