//! The processes of a workload, all started but the last.

use std::{
    ffi::OsStr,
    net::{Ipv4Addr, TcpListener},
    os::fd::OwnedFd,
    process::{Command, Stdio},
    time::Duration,
};

use super::{
    process::{Core, Process, Server},
    programs::{Places, Programs},
    workload::{Cores, Peer, Shape, Workload},
};

/// What stands, and what is to be started against it.
pub(crate) struct Stage {
    standing: Option<Server>,
    last: Command,
    core: Core,
    /// The sink of a forwarder.
    input: Option<OwnedFd>,
    /// Whether what stands is what is measured, and not the last.
    measures_standing: bool,
}

impl Stage {
    pub(crate) fn set(workload: &Workload, peer: &Peer, programs: &Programs) -> Result<Self, String> {
        match workload.shape {
            Shape::Server { load, cores } => {
                let (measured, driving) = match cores {
                    Cores::Apart => (Core::Measured, Core::Driving),
                    Cores::Shared => (Core::Any, Core::Any),
                };
                let standing = programs.start(&peer.program, &Places::default(), measured)?;
                Ok(Self {
                    last: drive(programs, load, &standing),
                    standing: Some(standing),
                    core: driving,
                    input: None,
                    measures_standing: true,
                })
            }
            Shape::Forwarder { load } => {
                let sink = listener()?;
                let address = sink.local_addr().map_err(|error| error.to_string())?.to_string();
                let standing =
                    programs.start(&peer.program, &Places { sink: Some(address) }, Core::Measured)?;
                let last = drive(programs, load, &standing);
                let input = Some(sink.into());
                let standing = Some(standing);
                Ok(Self { standing, last, core: Core::Driving, input, measures_standing: true })
            }
            Shape::Client { ref helper } => {
                let standing = programs.start(helper, &Places::default(), Core::Driving)?;
                let mut last = programs.command(&peer.program, &Places::default())?;
                last.args(["--to", &standing.address]);
                Ok(Self::of_last(Some(standing), last))
            }
            Shape::Alone => Ok(Self::of_last(None, programs.command(&peer.program, &Places::default())?)),
        }
    }

    /// One that measures the last.
    fn of_last(standing: Option<Server>, last: Command) -> Self {
        Self { standing, last, core: Core::Measured, input: None, measures_standing: false }
    }

    /// What stands, if that is what is measured.
    pub(crate) fn measured(&self) -> Option<&Server> {
        self.standing.as_ref().filter(|_| self.measures_standing)
    }

    /// Starts the last with more arguments, and returns what it prints.
    pub(crate) fn finish(mut self, arguments: &[&str], within: Duration) -> Result<String, String> {
        self.last.args(arguments);
        let Self { standing, last, core, input, .. } = self;
        let printed = start(last, core, input)?.finish(within);
        drop(standing);
        printed
    }

    /// The same with `outer` started in its place, which is given the last's command line and starts it.
    pub(crate) fn finish_under(
        self,
        mut outer: Command,
        arguments: &[&str],
        within: Duration,
    ) -> Result<String, String> {
        outer.arg("--").arg(self.last.get_program()).args(self.last.get_args());
        outer.args(arguments.iter().map(OsStr::new));
        Self { last: outer, ..self }.finish(&[], within)
    }
}

fn start(mut command: Command, core: Core, input: Option<OwnedFd>) -> Result<Process, String> {
    command.stdin(input.map_or_else(Stdio::null, Stdio::from));
    Process::start(command, core)
}

/// The command of a load against a server.
fn drive(programs: &Programs, load: &[&str], server: &Server) -> Command {
    let mut command = programs.bench(load);
    command.args(["--to", &server.address, "--pid", &server.pid().to_string()]);
    command
}

/// Where forwarders forward to. The load accepts from it, without waiting.
fn listener() -> Result<TcpListener, String> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|error| format!("no listener for the sink: {error}"))
}
