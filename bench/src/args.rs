//! The command line.

use std::{net::SocketAddrV4, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

/// Peers, loads and helpers of landline's benches; `cargo xtask bench` runs them.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve until killed, after printing `listening ADDRESS`.
    #[command(subcommand)]
    Serve(Serve),
    /// Drive a server and print what it cost it.
    #[command(subcommand)]
    Load(Load),
    /// Be the client under test and print what it cost.
    #[command(subcommand)]
    Measure(Measure),
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Serve {
    /// Send back every byte.
    Echo { peer: Echo },
    /// Accept, wait for the end, reset.
    Accept,
    /// Answer A and AAAA for every name.
    Names,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Load {
    /// One message at a time over each of many conns.
    Echo {
        #[arg(long)]
        to: SocketAddrV4,
        /// The server's process, whose CPU time is read.
        #[arg(long)]
        pid: u32,
        #[arg(long, default_value_t = 64)]
        conns: usize,
        /// Bytes a message.
        #[arg(long, default_value_t = 64)]
        size: usize,
        #[command(flatten)]
        span: Span,
    },
    /// Conns that echo once and stay.
    Idle {
        #[arg(long)]
        to: SocketAddrV4,
        #[arg(long)]
        pid: u32,
        #[arg(long, default_value_t = 9_000)]
        conns: usize,
    },
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum Measure {
    /// Dial an IP literal and close, over and over.
    Dial {
        peer: Dialer,
        #[arg(long)]
        to: SocketAddrV4,
        /// Without keep-alive; else no-delay and keep-alive, landline's defaults.
        #[arg(long)]
        plain: bool,
        #[command(flatten)]
        span: Span,
    },
    /// Look up both kinds of addresses of names never asked for before.
    Lookup {
        peer: Resolver,
        #[arg(long)]
        to: SocketAddrV4,
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
        #[command(flatten)]
        span: Span,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Echo {
    Bare,
    Landline,
    LandlineTraits,
    LandlineTcp,
    Tokio,
    TokioMt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Dialer {
    Bare,
    Landline,
    /// Explained to a listener that ignores it.
    LandlineHeard,
    Tokio,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Resolver {
    Bare,
    Hickory,
    Landline,
}

/// How long to measure: for a time, or for a number of operations when calls are counted.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Span {
    #[arg(long, default_value_t = 150)]
    warm_up_ms: u64,
    #[arg(long, default_value_t = 700)]
    run_ms: u64,
    /// Exactly so many operations, without warming up.
    #[arg(long)]
    ops: Option<u64>,
}

/// What a [`Span`] asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Extent {
    Time { warm_up: Duration, run: Duration },
    Operations(u64),
}

impl Span {
    pub(crate) fn extent(self) -> Extent {
        match self.ops {
            Some(operations) => Extent::Operations(operations),
            None => Extent::Time {
                warm_up: Duration::from_millis(self.warm_up_ms),
                run: Duration::from_millis(self.run_ms),
            },
        }
    }
}
