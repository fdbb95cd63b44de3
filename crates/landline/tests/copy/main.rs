//! Copies between real conns of every kind: what arrives, by which path, how it ends, and what is held meanwhile.

#[path = "../adapter/mod.rs"]
#[allow(dead_code)]
mod adapter;
mod both;
mod explained;
mod files;
mod limits;
mod messages;
mod options;
mod pairs;
mod slow;
mod support;
mod urgent;
