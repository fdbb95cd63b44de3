//! The reverse proxy between a server of hyper's and backends that answer as they are told, or do not.

mod bodies;
mod failures;
mod harness;
mod heads;
mod health;
mod names;
mod tls;

mod upgrades;
