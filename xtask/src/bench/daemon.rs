//! Servers of other hands, which are told by a file what to do.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    path::Path,
    process::Command,
};

use super::process::{Core, Server};
use crate::peers;

/// A server that is configured by a file and does not say when it listens.
#[derive(Debug, PartialEq)]
pub(crate) struct Daemon {
    pub(crate) peer: &'static peers::Peer,
    /// Its configuration, with `LISTEN`, `DIRECTORY` (of the files it serves and its own) and `SINK` where they belong.
    config: &'static str,
    /// Its arguments, with `CONFIG` and `DIRECTORY`.
    args: &'static [&'static str],
}

/// One process, which serves files with sendfile, and a short text.
pub(crate) const NGINX: Daemon = Daemon {
    peer: &peers::NGINX,
    config: "\
daemon off;
master_process off;
pid DIRECTORY/nginx.pid;
error_log DIRECTORY/nginx.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  keepalive_requests 1000000000;
  client_body_temp_path DIRECTORY/nginx-body;
  proxy_temp_path DIRECTORY/nginx-proxy;
  fastcgi_temp_path DIRECTORY/nginx-fastcgi;
  uwsgi_temp_path DIRECTORY/nginx-uwsgi;
  scgi_temp_path DIRECTORY/nginx-scgi;
  server {
    listen LISTEN;
    location / { root DIRECTORY; }
    location = / { default_type 'text/plain; charset=utf-8'; return 200 'Hello, world!'; }
  }
}
",
    args: &["-e", "DIRECTORY/nginx.log", "-p", "DIRECTORY", "-c", "CONFIG"],
};

/// One process with one thread, which forwards and splices where it deems it right.
pub(crate) const HAPROXY: Daemon = Daemon {
    peer: &peers::HAPROXY,
    config: "\
global
  nbthread 1
  maxconn 2000
defaults
  mode tcp
  option splice-auto
  timeout connect 5s
  timeout client 1m
  timeout server 1m
listen bench
  bind LISTEN
  server sink SINK
",
    args: &["-db", "-f", "CONFIG"],
};

impl Daemon {
    /// Starts it on a free port, with its files in `directory`.
    pub(crate) fn start(&self, directory: &Path, sink: Option<&str>, core: Core) -> Result<Server, String> {
        let name = self.peer.program;
        let program = peers::find(name).ok_or_else(|| format!("there is no program {name}"))?;
        let listen = free_address()?;
        let config = directory.join(format!("{name}.conf"));
        let [directory, config] = [directory, &config].map(|path| path.to_string_lossy().into_owned());
        let fill = |text: &str| {
            let text = text.replace("LISTEN", &listen.to_string()).replace("DIRECTORY", &directory);
            text.replace("CONFIG", &config).replace("SINK", sink.unwrap_or_default())
        };
        fs::write(&config, fill(self.config)).map_err(|error| format!("{config}: {error}"))?;
        let mut command = Command::new(program);
        command.args(self.args.iter().map(|argument| fill(argument)));
        Server::start_at(command, core, listen)
    }
}

/// An address that nobody listens at now.
fn free_address() -> Result<SocketAddrV4, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    let port = bound.map_err(|error| format!("no free port: {error}"))?.port();
    Ok(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))
}
