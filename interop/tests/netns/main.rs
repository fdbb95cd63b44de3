//! The program in networks made for the test.

mod harness;
