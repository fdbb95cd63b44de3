//! The `landline` program: what the library does, from the command line, with every step explained.

#![forbid(unsafe_code)]

mod answering;
mod call;
mod converse;
mod descriptors;
mod dial;
mod failure;
mod fingerprint;
mod forward;
mod get;
mod gob;
mod lines;
mod listen;
mod lookup;
mod output;
mod proxy;
mod reset;
mod resolver;
mod serve;
mod signals;
mod tour;
mod trouble;
mod usage;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Dials, listens, looks names up and speaks HTTP, and shows every step on the way.
#[derive(Debug, Parser)]
#[command(name = "landline", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  landline tour                                 watch a dial happen, on this machine alone
  landline dial tcp example.com:80              talk to a server, as with netcat
  landline dial tcp example.com:443 --explain   the same, and see how it got there
  landline listen tcp :8080 --echo              answer with what was said
  landline lookup ip example.com mx example.com ask the DNS
  landline call localhost:1234 Arith.Square 7   call a method of a service in Go
  landline gob cache.gob                        print what a program in Go has written
  landline proxy :3128                          be a proxy for HTTP and SOCKS5
  landline get https://example.com/ --explain   ask a web server, and see where the time went
  landline serve site :8080                     be a web server, of the files in site

Exit status: 0 done, 1 the network said no, 2 bad usage; 128 and its number when a signal ended it,
so 130 after Ctrl-C.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Tour(tour::Tour),
    Dial(dial::Dial),
    Listen(listen::Listen),
    Lookup(lookup::Lookup),
    Forward(forward::Forward),
    Proxy(proxy::Proxy),
    Call(call::Call),
    Gob(gob::Gob),
    Get(get::Get),
    Serve(serve::Serve),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) if refusal.use_stderr() && !shows_help(&refusal) => {
            let arguments: Vec<String> =
                std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
            output::complain(&usage::line(&refusal, &arguments));
            return ExitCode::from(2);
        }
        Err(refusal) => {
            let asked = u8::try_from(refusal.exit_code()).unwrap_or(2);
            if refusal.use_stderr() {
                // If that is gone there is nobody to tell.
                let _ = refusal.print();
                return ExitCode::from(asked);
            }
            let printed = output::print(&refusal.render().ansi().to_string());
            return ExitCode::from(printed.map_or_else(|failure| told(&failure), |()| asked));
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::complain(&format!("no runtime: {error}"));
            return ExitCode::from(1);
        }
    };
    if let Err(failure) = prepare(&cli.command) {
        return ExitCode::from(told(&failure));
    }
    // A server takes signals itself, to let its conns finish.
    let drains = matches!(cli.command, Command::Proxy(_) | Command::Forward(_) | Command::Serve(_));
    let status = runtime.block_on(async {
        tokio::select! {
            biased;
            // What was going on is dropped, and with it sockets, their files and child processes.
            Ok(status) = signals::asked_to_end(), if !drains => status,
            ended = run(cli.command) => match ended {
                Ok(()) => 0,
                Err(failure) => told(&failure),
            },
        }
    });
    output::finish();
    // A thread may still be blocked in a read of stdin, which nothing but the end of the process ends.
    runtime.shutdown_background();
    ExitCode::from(status)
}

/// What a program needs that runs for long.
fn prepare(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Forward(_) | Command::Proxy(_) | Command::Serve(_) => descriptors::raise(),
        Command::Listen(_) => {}
        _ => return Ok(()),
    }
    output::queue()?;
    trouble::tell();
    Ok(())
}

/// Says why, and gives the exit status.
fn told(failure: &Failure) -> u8 {
    if let Some(message) = failure.message() {
        output::complain(message);
    }
    failure.status()
}

/// Whether the parser answers a command that says nothing at all with all that can be said.
fn shows_help(refusal: &clap::Error) -> bool {
    refusal.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Tour(tour) => tour.run().await,
        Command::Dial(dial) => dial.run().await,
        Command::Listen(listen) => listen.run().await,
        Command::Lookup(lookup) => lookup.run().await,
        Command::Forward(forward) => forward.run().await,
        Command::Proxy(proxy) => proxy.run().await,
        Command::Call(call) => call.run().await,
        Command::Gob(gob) => gob.run().await,
        Command::Get(get) => Box::pin(get.run()).await,
        Command::Serve(serve) => serve.run().await,
    }
}
