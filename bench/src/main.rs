//! The programs that `cargo xtask bench` measures and measures with.
//!
//! Every peer is a process of its own, so that the kernel's accounting of a process is the accounting of a
//! peer, and so that no peer warms another's allocator. There are three kinds:
//!
//! | command | what it is | who is measured |
//! |---|---|---|
//! | `serve echo PEER` | a server under test | from outside, by `load` |
//! | `load echo`, `load idle` | the lean client that drives it | the server, by its pid |
//! | `measure dial PEER`, `measure lookup PEER` | a client under test | itself |
//! | `serve accept`, `serve names` | the lean servers that those clients use | nobody |
//!
//! A server prints `listening ADDRESS` and serves until it is killed. `load` and `measure` print one
//! line of JSON, an [`outcome::Outcome`]. The peers written in other languages keep to the same two rules.

#![forbid(unsafe_code)]

mod args;
mod clock;
mod dial;
mod echo;
mod idle;
mod lookup;
mod outcome;
mod pace;

use std::{io, process::ExitCode};

use clap::Parser as _;

use crate::args::{Command, Dialer, Echo, Load, Measure, Resolver, Serve};

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
        Command::Serve(Serve::Echo { peer }) => {
            return match peer {
                Echo::Bare => echo::bare::serve(),
                Echo::Landline => echo::on_landline::serve(echo::on_landline::Face::Any),
                Echo::LandlineTraits => echo::on_landline::serve(echo::on_landline::Face::Traits),
                Echo::LandlineTcp => echo::on_landline::serve(echo::on_landline::Face::Tcp),
                Echo::Tokio => echo::on_tokio::serve_on_one_thread(),
                Echo::TokioMt => echo::on_tokio::serve_on_every_core(),
            };
        }
        Command::Serve(Serve::Accept) => return dial::acceptor::serve(),
        Command::Serve(Serve::Names) => return lookup::names::serve(),
        Command::Load(Load::Echo { to, pid, conns, size, span }) => {
            echo::load::run(to, pid, conns, size, span)?
        }
        Command::Load(Load::Idle { to, pid, conns }) => idle::run(to, pid, conns)?,
        Command::Measure(Measure::Dial { peer, to, plain, span }) => match peer {
            Dialer::Bare => dial::bare::run(to, plain, span)?,
            Dialer::Landline => dial::on_landline::run(landline::Dialer::new(), to, plain, span)?,
            Dialer::LandlineHeard => dial::on_landline::run(dial::on_landline::heard(), to, plain, span)?,
            Dialer::Tokio => dial::on_tokio::run(to, plain, span)?,
        },
        Command::Measure(Measure::Lookup { peer, to, in_flight, span }) => match peer {
            Resolver::Bare => lookup::bare::run(to, in_flight, span)?,
            Resolver::Hickory => lookup::on_hickory::run(to, in_flight, span)?,
            Resolver::Landline => lookup::on_landline::run(to, in_flight, span)?,
        },
    };
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(())
}
