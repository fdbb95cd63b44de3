//! The DNS server, asked by a client that takes whatever comes.

mod client;
mod honest;
mod lies;
