//! The program against servers and clients of other hands.

mod addresses;
