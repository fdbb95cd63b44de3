//! The command line.

use std::{net::SocketAddrV4, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};

/// Peers, loads and helpers of landline's benches; `cargo xtask bench` runs them.
#[derive(Debug, Parser)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
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

#[derive(Debug, Subcommand)]
pub(crate) enum Serve {
    /// Send back every byte.
    Echo {
        peer: Echo,
        #[command(flatten)]
        workers: Workers,
    },
    /// Answer one byte with one, and close.
    Churn {
        peer: Churn,
        #[command(flatten)]
        workers: Workers,
    },
    /// Dial for each conn, and send on what comes from either.
    Forward {
        peer: Forward,
        #[arg(long)]
        to: SocketAddrV4,
    },
    /// Answer each request with a file.
    File {
        peer: Files,
        #[arg(long)]
        file: PathBuf,
    },
    /// Send back every datagram.
    Datagrams { peer: Datagrams },
    /// Answer calls.
    Rpc { peer: Rpc },
    /// Answer each request with a short text.
    Http { peer: Http },
    /// Answer requests with the files of a directory.
    HttpFile { peer: HttpFiles, directory: PathBuf },
    /// Accept, wait for the end, reset.
    Accept,
    /// Answer A and AAAA for every name.
    Names,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Load {
    /// One message at a time over each of many conns.
    Echo {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        messages: Messages,
        #[command(flatten)]
        span: Span,
    },
    /// The same through a forwarder, whose sink is the listener on standard input.
    Relay {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        messages: Messages,
        #[command(flatten)]
        span: Span,
    },
    /// As many bytes as go through a forwarder, whose sink is the listener on standard input.
    Bulk {
        #[command(flatten)]
        server: Server,
        #[command(flatten)]
        span: Span,
    },
    /// So many calls in flight over each of some conns.
    Rpc {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 1)]
        conns: usize,
        #[arg(long, default_value_t = 64)]
        in_flight: u64,
        #[command(flatten)]
        span: Span,
    },
    /// Conns that echo once and stay.
    Idle {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 9_000)]
        conns: usize,
    },
    /// One message at a time over each of some conns, beside many that stay silent.
    Beside {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 15_000)]
        idle: usize,
        #[arg(long, default_value_t = 100)]
        busy: usize,
        #[command(flatten)]
        span: Span,
    },
    /// Conns for one byte each way.
    Churn {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 64)]
        at_once: usize,
        #[command(flatten)]
        span: Span,
    },
    /// A file, again and again over one conn.
    File {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value = "/file")]
        path: String,
        #[command(flatten)]
        span: Span,
    },
    /// Datagrams from one socket.
    Datagrams {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 64)]
        in_flight: u64,
        /// Bytes a datagram.
        #[arg(long, default_value_t = 64)]
        size: usize,
        #[command(flatten)]
        span: Span,
    },
    /// One request at a time over each of many conns.
    Http {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 64)]
        conns: usize,
        #[command(flatten)]
        span: Span,
    },
    /// Conns that make one request and stay, and one client beside them.
    HttpIdle {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 10_000)]
        conns: usize,
    },
    /// Conns that send a request byte by byte, and one client beside them.
    HttpSlow {
        #[command(flatten)]
        server: Server,
        #[arg(long, default_value_t = 1_000)]
        conns: usize,
    },
}

impl Load {
    /// The server, if its system calls are counted, which is when there is a number of operations.
    pub(crate) fn counted(&self) -> Option<Server> {
        let (server, span) = match self {
            Load::Echo { server, span, .. }
            | Load::Relay { server, span, .. }
            | Load::Bulk { server, span }
            | Load::Rpc { server, span, .. }
            | Load::Beside { server, span, .. }
            | Load::Churn { server, span, .. }
            | Load::File { server, span, .. }
            | Load::Datagrams { server, span, .. }
            | Load::Http { server, span, .. } => (server, span),
            Load::Idle { .. } | Load::HttpIdle { .. } | Load::HttpSlow { .. } => return None,
        };
        matches!(span.extent(), Extent::Operations(_)).then_some(*server)
    }
}

/// Of the peers that do not have one thread for each core.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Workers {
    /// Loops or threads.
    #[arg(long = "workers", default_value_t = 1)]
    pub(crate) count: usize,
    /// How conns come to them, of landline's `Server`.
    #[arg(long, default_value = "balanced")]
    pub(crate) spread: Spread,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Spread {
    Balanced,
    ReusePort,
    IncomingCpu,
    LeastConns,
}

/// The server under test.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Server {
    #[arg(long)]
    pub(crate) to: SocketAddrV4,
    /// Its process, whose CPU time is read.
    #[arg(long)]
    pub(crate) pid: u32,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Messages {
    #[arg(long, default_value_t = 64)]
    pub(crate) conns: usize,
    /// Bytes a message.
    #[arg(long, default_value_t = 64)]
    pub(crate) size: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Rpc {
    Landline,
    Tarpc,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Http {
    Bare,
    Landline,
    Hyper,
    Axum,
    Actix,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HttpFiles {
    Landline,
    /// With a body around the file's.
    LandlineRead,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HttpClient {
    Bare,
    Landline,
    HyperUtil,
    Reqwest,
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
    /// Encode or decode a value, over and over.
    Gob {
        what: Coding,
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
    /// Get a short text over kept conns.
    HttpClient {
        peer: HttpClient,
        #[arg(long)]
        to: SocketAddrV4,
        #[arg(long, default_value_t = 64)]
        in_flight: usize,
        #[command(flatten)]
        span: Span,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Coding {
    EncodeStruct,
    DecodeStruct,
    EncodeSlice,
    DecodeSlice,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Echo {
    Bare,
    BareCall,
    Landline,
    LandlineAccept,
    LandlineTraits,
    LandlineTcp,
    Tokio,
    TokioMt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Churn {
    Bare,
    Landline,
    LandlineAccept,
    Tokio,
    TokioMt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Forward {
    BareBuffer,
    BareSplice,
    Landline,
    Tokio,
    TokioMt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Files {
    Bare,
    Landline,
    Tokio,
    TokioMt,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Datagrams {
    Bare,
    BareBatched,
    Landline,
    LandlineBatched,
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
