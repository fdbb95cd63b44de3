//! The programs that `cargo xtask bench` measures and measures with.
//!
//! Every peer is a process of its own, so that the kernel's accounting of a process is the accounting of a
//! peer, and so that no peer warms another's allocator. There are three kinds:
//!
//! | command | what it is | who is measured |
//! |---|---|---|
//! | `serve WORKLOAD PEER` | a server under test | from outside, by `load` |
//! | `load WORKLOAD` | the lean client that drives it | the server, by its pid |
//! | `measure dial PEER`, `measure lookup PEER`, `measure http-client PEER` | a client under test | itself |
//! | `measure gob WHAT` | what has nothing to do with anyone | itself |
//! | `serve accept`, `serve names` | the lean servers that those clients use | nobody |
//!
//! A server prints `listening ADDRESS` and serves until it is killed. `load` and `measure` print one
//! line of JSON, an [`outcome::Outcome`]. The peers written in other languages keep to the same two rules.
//! Behind a forwarder stands the load itself: it is given a listener as its standard input.

#![forbid(unsafe_code)]

mod accepting;
mod args;
mod bare;
mod churn;
mod clock;
mod datagrams;
mod dial;
mod echo;
mod file;
mod forward;
mod gob;
mod head;
mod http;
mod http_client;
mod http_file;
mod idle;
mod load;
mod lookup;
mod outcome;
mod pace;
mod poller;
mod rpc;
mod runtime;
mod serving;
mod sockets;

use std::{io, process::ExitCode};

use clap::Parser as _;

use crate::{
    args::{Command, Dialer, Load, Measure, Messages, Resolver, Serve, Server},
    outcome::Outcome,
};

fn main() -> ExitCode {
    match run(args::Args::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("landline-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> io::Result<()> {
    let outcome = match command {
        Command::Serve(serve) => return run_server(serve),
        Command::Load(load) => {
            let counted = load.counted();
            let outcome = run_load(load)?;
            // How many calls the end of the conns takes is then the same, however many operations there were.
            if let Some(server) = counted {
                load::wait_until_quiet(server.pid)?;
            }
            outcome
        }
        Command::Measure(measure) => run_client(measure)?,
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}

fn run_server(serve: Serve) -> io::Result<()> {
    match serve {
        Serve::Echo { peer, workers } => echo::serve(peer, workers),
        Serve::Churn { peer, workers } => churn::serve(peer, workers),
        Serve::Forward { peer, to } => forward::serve(peer, to),
        Serve::File { peer, file } => file::serve(peer, &file),
        Serve::Datagrams { peer } => datagrams::serve(peer),
        Serve::Rpc { peer } => rpc::serve(peer),
        Serve::Http { peer } => http::serve(peer),
        Serve::HttpFile { peer, directory } => http_file::serve(peer, &directory),
        Serve::Accept => dial::acceptor::serve(),
        Serve::Names => lookup::names::serve(),
    }
}

fn run_load(load: Load) -> io::Result<Outcome> {
    match load {
        Load::Echo { server: Server { to, pid }, messages: Messages { conns, size }, span } => {
            echo::load::run(to, pid, conns, size, span)
        }
        Load::Relay { server: Server { to, pid }, messages: Messages { conns, size }, span } => {
            echo::load::run_through(to, pid, conns, size, span)
        }
        Load::Rpc { server: Server { to, pid }, conns, in_flight, span } => {
            rpc::load::run(to, pid, conns, in_flight, span)
        }
        Load::Bulk { server: Server { to, pid }, span } => forward::load::run(to, pid, span),
        Load::Idle { server: Server { to, pid }, conns } => idle::run(to, pid, conns),
        Load::Beside { server: Server { to, pid }, idle, busy, span } => {
            idle::run_beside(to, pid, idle, busy, span)
        }
        Load::Churn { server: Server { to, pid }, at_once, span } => churn::load::run(to, pid, at_once, span),
        Load::File { server: Server { to, pid }, path, span } => file::load::run(to, pid, &path, span),
        Load::Datagrams { server: Server { to, pid }, in_flight, size, span } => {
            datagrams::load::run(to, pid, in_flight, size, span)
        }
        Load::Http { server: Server { to, pid }, conns, span } => http::load::run(to, pid, conns, span),
        Load::HttpIdle { server: Server { to, pid }, conns } => http::load::run_idle(to, pid, conns),
        Load::HttpSlow { server: Server { to, pid }, conns } => http::slow::run(to, pid, conns),
    }
}

fn run_client(measure: Measure) -> io::Result<Outcome> {
    match measure {
        Measure::Dial { peer, to, plain, span } => match peer {
            Dialer::Bare => dial::bare::run(to, plain, span),
            Dialer::Landline => dial::on_landline::run(landline::Dialer::new(), to, plain, span),
            Dialer::LandlineHeard => dial::on_landline::run(dial::on_landline::heard(), to, plain, span),
            Dialer::Tokio => dial::on_tokio::run(to, plain, span),
        },
        Measure::HttpClient { peer, to, in_flight, span } => http_client::run(peer, to, in_flight, span),
        Measure::Gob { what, span } => gob::run(what, span),
        Measure::Lookup { peer, to, in_flight, span } => match peer {
            Resolver::Bare => lookup::bare::run(to, in_flight, span),
            Resolver::Hickory => lookup::on_hickory::run(to, in_flight, span),
            Resolver::Landline => lookup::on_landline::run(to, in_flight, span),
        },
    }
}
