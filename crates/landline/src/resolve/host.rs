//! This host: where its files are, and what is asked of it beside them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::resolv_conf::Environment;
use crate::addr::zone_index;

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) resolv_conf: PathBuf,
    pub(crate) hosts: PathBuf,
    pub(crate) services: PathBuf,
    pub(crate) nsswitch: PathBuf,
    pub(crate) mdns_allow: PathBuf,
    /// The socket on which systemd-resolved serves nss-resolve.
    pub(crate) resolved: PathBuf,
    /// The directory in which systemd-machined registers machines.
    pub(crate) machines: PathBuf,
}

impl Paths {
    /// Those of this host.
    pub(crate) fn system() -> Paths {
        Paths::under(Path::new("/"))
    }

    /// The same below another root.
    pub(crate) fn under(root: &Path) -> Paths {
        Paths {
            resolv_conf: root.join("etc/resolv.conf"),
            hosts: root.join("etc/hosts"),
            services: root.join("etc/services"),
            nsswitch: root.join("etc/nsswitch.conf"),
            mdns_allow: root.join("etc/mdns.allow"),
            resolved: root.join("run/systemd/resolve/io.systemd.Resolve"),
            machines: root.join("run/systemd/machines"),
        }
    }
}

/// Finds the index of an interface by its name or number.
pub(crate) type ZoneFn = dyn Fn(&str) -> Option<u32> + Send + Sync;

/// What is known of the host beside its files.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) environment: Environment,
    /// The host's name.
    pub(crate) hostname: Arc<dyn Fn() -> String + Send + Sync>,
    /// The index of an interface, by name or number.
    pub(crate) zone_index: Arc<ZoneFn>,
}

impl Host {
    /// This one, with the environment as it is now.
    pub(crate) fn system() -> Host {
        let text = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Host {
            environment: Environment {
                local_domain: text("LOCALDOMAIN"),
                res_options: text("RES_OPTIONS"),
                host_aliases: text("HOSTALIASES").is_some_and(|path| !path.is_empty()),
            },
            hostname: Arc::new(hostname),
            zone_index: Arc::new(zone_index),
        }
    }
}

/// The host's name as the kernel has it.
pub(crate) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
