//! The system's files as they are now: read once, and again when they change.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use tokio::time::Instant;

use super::config::Config;
use super::host::{Host, Paths};
use super::hosts::Hosts;
use super::nsswitch::Nsswitch;
use super::policy::Facts;
use super::resolv_conf::{Environment, ResolvConf};
use super::services::Services;
use super::watched::{Change, Watched};
use crate::addr::zone_index;

/// How often, at most, the files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

// What is read of a file at most. Far above what any of them comes to: real lists of blocked hosts have some megabytes.
const SMALL: usize = 64 << 10;
const SERVICES: usize = 2 << 20;
const HOSTS: usize = 32 << 20;

impl Config {
    /// What `/etc/resolv.conf`, the host's name and the environment (`LOCALDOMAIN`, `RES_OPTIONS`) say now, asking
    /// sources in the order of `/etc/nsswitch.conf`. The file is read at once, and not again; missing, it means the
    /// name server of this host.
    ///
    /// ```
    /// use landline::resolve::Config;
    /// use std::time::Duration;
    ///
    /// let hasty = Config::system().with_timeout(Duration::from_millis(500)).with_attempts(1);
    /// assert!(!hasty.servers().is_empty());
    /// ```
    pub fn system() -> Config {
        let host = Host::system();
        let mut file = Watched::new(&Paths::system().resolv_conf, SMALL, Config::new());
        file.refresh(|text| {
            ResolvConf::parse(text, &(host.hostname)(), &host.environment, &*host.zone_index).config
        });
        (**file.value()).clone()
    }

    /// What the text of a `resolv.conf` says, without the defaults that this host's name would add to it, asking first
    /// files, then DNS. Whatever cannot be understood is passed over.
    ///
    /// ```
    /// use landline::resolve::Config;
    ///
    /// let config = Config::from_resolv_conf(b"nameserver 192.0.2.53\noptions ndots:2 rotate\n");
    /// assert_eq!(config.servers(), ["192.0.2.53:53".parse().unwrap()]);
    /// assert!(config.rotate());
    /// ```
    pub fn from_resolv_conf(text: &[u8]) -> Config {
        let order = Config::new().order().clone();
        ResolvConf::parse(text, "", &Environment::default(), &zone_index).config.with_order(order)
    }
}

/// The contents of all files at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    /// What `resolv.conf` says.
    pub(crate) config: Arc<Config>,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) services: Arc<Services>,
    /// What the policy decides from.
    pub(crate) facts: Arc<Facts>,
}

/// Reads the files, and reads them again when they have changed.
///
/// Files are looked at no more than once a second, by the lookup that comes first after that second; others that come
/// meanwhile get what was known before. The reading is synchronous: the files are local and mostly of a few hundred
/// bytes, their size is capped, and a thread for each look would cost more than the look. Nothing is read, and nothing
/// runs, while there are no lookups.
pub(crate) struct SystemFiles {
    current: Mutex<Option<Current>>,
    /// Held while reading; never waited for once something was read.
    reader: Mutex<Reader>,
}

struct Current {
    snapshot: Arc<Snapshot>,
    looked: Instant,
}

impl SystemFiles {
    /// Those at `paths`, for `host`. Nothing is read yet.
    pub(crate) fn new(paths: &Paths, host: Host) -> SystemFiles {
        SystemFiles { current: Mutex::new(None), reader: Mutex::new(Reader::new(paths, host)) }
    }

    /// Those of this host.
    pub(crate) fn system() -> SystemFiles {
        SystemFiles::new(&Paths::system(), Host::system())
    }

    /// The files as they are, or were within the last second.
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let now = Instant::now();
        let known = self.known();
        let mut reader = match known {
            Some((snapshot, looked)) if now < looked + INTERVAL => return snapshot,
            Some((snapshot, _)) => match self.reader.try_lock() {
                Ok(reader) => reader,
                // Somebody else is just looking.
                Err(_) => return snapshot,
            },
            None => lock(&self.reader),
        };
        // Somebody else may have looked between the two locks.
        match self.known() {
            Some((snapshot, looked)) if now < looked + INTERVAL => snapshot,
            known => {
                let snapshot = match (known, reader.refresh()) {
                    (Some((snapshot, _)), false) => snapshot,
                    _ => Arc::new(reader.snapshot()),
                };
                *lock(&self.current) = Some(Current { snapshot: snapshot.clone(), looked: now });
                snapshot
            }
        }
    }

    fn known(&self) -> Option<(Arc<Snapshot>, Instant)> {
        lock(&self.current).as_ref().map(|current| (current.snapshot.clone(), current.looked))
    }
}

/// The last of what was read, file by file.
struct Reader {
    host: Host,
    hostname: String,
    resolv_conf: Watched<ResolvConf>,
    hosts: Watched<Hosts>,
    services: Watched<Services>,
    nsswitch: Watched<Nsswitch>,
    mdns_allow: PathBuf,
    resolved: PathBuf,
    machines: PathBuf,
    facts: Arc<Facts>,
    config: Arc<Config>,
}

impl Reader {
    fn new(paths: &Paths, host: Host) -> Reader {
        let resolv_conf = ResolvConf::parse(b"", "", &Environment::default(), &|_| None);
        Reader {
            hostname: String::new(),
            config: Arc::new(resolv_conf.config.clone()),
            resolv_conf: Watched::new(&paths.resolv_conf, SMALL, resolv_conf),
            hosts: Watched::new(&paths.hosts, HOSTS, Hosts::default()),
            services: Watched::new(&paths.services, SERVICES, Services::default()),
            nsswitch: Watched::new(&paths.nsswitch, SMALL, Nsswitch::default()),
            mdns_allow: paths.mdns_allow.clone(),
            resolved: paths.resolved.clone(),
            machines: paths.machines.clone(),
            facts: Arc::default(),
            host,
        }
    }

    /// Looks at the files, and reads those that have changed. Says whether anything is other than before.
    fn refresh(&mut self) -> bool {
        let Host { environment, hostname, zone_index } = &self.host;
        let zone_index = &**zone_index;
        let hostname = hostname();
        if hostname != self.hostname || self.resolv_conf.value().unknown_zones {
            self.resolv_conf.forget();
        }
        if self.hosts.value().has_unknown_zones() {
            self.hosts.forget();
        }
        self.hostname = hostname;
        let frozen = self.resolv_conf.value().config.no_reload();
        let parse = |text: &[u8]| ResolvConf::parse(text, &self.hostname, environment, zone_index);
        let mut changed = !frozen && self.resolv_conf.refresh(parse) == Change::Read;
        changed |= self.hosts.refresh(|text| Hosts::parse(text, zone_index)) == Change::Read;
        changed |= self.services.refresh(Services::parse) == Change::Read;
        changed |= self.nsswitch.refresh(Nsswitch::parse) == Change::Read;

        let facts = self.facts();
        if *self.facts != facts {
            self.facts = Arc::new(facts);
            changed = true;
        }
        if *self.config != self.resolv_conf.value().config {
            self.config = Arc::new(self.resolv_conf.value().config.clone());
        }
        changed
    }

    fn facts(&self) -> Facts {
        let resolv_conf = match self.resolv_conf.error() {
            // As Go does: what may not be read is as good as missing.
            None | Some(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => {
                self.resolv_conf.value().unknown.as_ref().map(|what| format!("{what} is not known here"))
            }
            Some(error) => Some(format!("cannot be read: {}", crate::error::errno_text(error))),
        };
        let nsswitch = match self.nsswitch.error() {
            None | Some(Errno::NOENT | Errno::NOTDIR) => (**self.nsswitch.value()).clone(),
            Some(error) => Nsswitch::Unusable(format!("cannot be read: {}", crate::error::errno_text(error))),
        };
        Facts {
            nsswitch,
            resolv_conf_trouble: resolv_conf,
            hostname: self.hostname.clone(),
            mdns_allow: exists(&self.mdns_allow),
            resolved: exists(&self.resolved),
            machines: std::fs::read_dir(&self.machines).is_ok_and(|mut entries| entries.next().is_some()),
            host_aliases: self.host.environment.host_aliases,
        }
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot {
            config: self.config.clone(),
            hosts: self.hosts.value().clone(),
            services: self.services.value().clone(),
            facts: self.facts.clone(),
        }
    }
}

/// Whether there is something at `path`, or may be: what cannot be looked at is taken to be there, so that the
/// system, which may look, decides.
fn exists(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

/// No code that can panic runs under these locks but the parsers, and they leave nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for SystemFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemFiles").field("snapshot", &self.known().map(|(snapshot, _)| snapshot)).finish()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::SystemTime;

    use super::super::config::LookupOrder;
    use super::super::host::hostname;
    use super::super::policy::Plan;
    use super::*;

    /// A directory that goes when the test does.
    pub(in super::super) struct Directory(PathBuf);

    impl Directory {
        pub(in super::super) fn new() -> Directory {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("landline-files-{}-{number}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            Directory(path)
        }

        pub(in super::super) fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }

        pub(in super::super) fn write(&self, name: &str, text: &str) {
            let path = self.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }

        pub(in super::super) fn write_long_ago(&self, name: &str, text: &str) {
            self.write(name, text);
            self.set_modified(name, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000));
        }

        pub(in super::super) fn set_modified(&self, name: &str, time: SystemTime) {
            std::fs::File::options().write(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn host(zone_index: impl Fn(&str) -> Option<u32> + Send + Sync + 'static) -> Host {
        Host {
            environment: Environment::default(),
            hostname: Arc::new(|| "host.example.net".to_owned()),
            zone_index: Arc::new(zone_index),
        }
    }

    pub(in super::super) fn files(directory: &Directory) -> SystemFiles {
        SystemFiles::new(&Paths::under(&directory.0), host(|_| None))
    }

    async fn a_second_later() {
        tokio::time::advance(INTERVAL).await;
    }

    #[tokio::test(start_paused = true)]
    async fn without_files_the_defaults_hold() {
        let snapshot = files(&Directory::new()).snapshot();
        assert_eq!(snapshot.config.servers().len(), 2);
        assert_eq!(snapshot.config.search(), ["example.net".parse().unwrap()]);
        assert_eq!(snapshot.config.order(), &LookupOrder::System);
        assert_eq!(*snapshot.hosts, Hosts::default());
        let expected = Facts { hostname: "host.example.net".to_owned(), ..Facts::default() };
        assert_eq!(*snapshot.facts, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_seen_a_second_later_and_not_before() {
        let directory = Directory::new();
        directory.write_long_ago("etc/resolv.conf", "nameserver 192.0.2.1");
        directory.write_long_ago("etc/hosts", "192.0.2.10 one");
        directory.write_long_ago("etc/services", "mine 4000/tcp");
        directory.write_long_ago("etc/nsswitch.conf", "hosts: files");
        let files = files(&directory);
        let first = files.snapshot();
        assert_eq!(first.config.servers(), ["192.0.2.1:53".parse().unwrap()]);
        assert!(first.hosts.entry("one").is_some());
        assert_eq!(Plan::for_name("x", &first.config, &first.facts).sources(), ["files"]);

        directory.write_long_ago("etc/resolv.conf", "nameserver 192.0.2.2\nnameserver 192.0.2.3");
        directory.write_long_ago("etc/hosts", "192.0.2.10 one two");
        directory.write_long_ago("etc/services", "mine 4000/tcp yours");
        directory.write_long_ago("etc/nsswitch.conf", "hosts: dns files");
        directory.write("etc/mdns.allow", "*");
        directory.write("run/systemd/resolve/io.systemd.Resolve", "");
        directory.write("run/systemd/machines/container", "");
        assert!(Arc::ptr_eq(&first, &files.snapshot()));

        a_second_later().await;
        let second = files.snapshot();
        assert_eq!(second.config.servers().len(), 2);
        assert!(second.hosts.entry("two").is_some());
        assert_ne!(second.services, first.services);
        assert!(second.facts.mdns_allow && second.facts.resolved && second.facts.machines);
        assert_eq!(Plan::for_name("x", &second.config, &second.facts).sources(), ["dns", "files"]);

        a_second_later().await;
        assert!(
            Arc::ptr_eq(&second, &files.snapshot()),
            "nothing changed, and yet there is another snapshot"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn no_reload_freezes_resolv_conf_and_nothing_else() {
        let directory = Directory::new();
        directory.write_long_ago("etc/resolv.conf", "nameserver 192.0.2.1\noptions no-reload");
        let files = files(&directory);
        files.snapshot();
        directory.write_long_ago("etc/resolv.conf", "nameserver 192.0.2.2");
        directory.write_long_ago("etc/hosts", "192.0.2.10 one");
        a_second_later().await;
        let snapshot = files.snapshot();
        assert_eq!(snapshot.config.servers(), ["192.0.2.1:53".parse().unwrap()]);
        assert!(snapshot.hosts.entry("one").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_read_again_when_a_missing_interface_may_have_come() {
        let directory = Directory::new();
        directory.write_long_ago("etc/resolv.conf", "nameserver fe80::1%late");
        directory.write_long_ago("etc/hosts", "fe80::2%late peer");
        let index = Arc::new(AtomicU32::new(0));
        let seen = index.clone();
        let zone_index = move |_: &str| Some(seen.load(Ordering::Relaxed)).filter(|&index| index != 0);
        let files = SystemFiles::new(&Paths::under(&directory.0), host(zone_index));
        assert_eq!(files.snapshot().config.servers().len(), 2);
        index.store(9, Ordering::Relaxed);
        a_second_later().await;
        let snapshot = files.snapshot();
        assert_eq!(snapshot.config.servers(), ["[fe80::1%9]:53".parse().unwrap()]);
        assert!(snapshot.hosts.entry("peer").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_cannot_be_read_are_told_from_files_that_are_missing() {
        let directory = Directory::new();
        directory.write("etc/resolv.conf/directory", "");
        directory.write("etc/nsswitch.conf/directory", "");
        let snapshot = files(&directory).snapshot();
        assert_eq!(snapshot.facts.resolv_conf_trouble.as_deref(), Some("cannot be read: is a directory"));
        assert_eq!(snapshot.facts.nsswitch, Nsswitch::Unusable("cannot be read: is a directory".to_owned()));
        directory.write("other/etc/resolv.conf", "options frobnicate");
        let files = SystemFiles::new(&Paths::under(&directory.path("other")), host(|_| None));
        let trouble = files.snapshot().facts.resolv_conf_trouble.clone();
        assert_eq!(trouble.as_deref(), Some("frobnicate is not known here"));
    }

    #[tokio::test(start_paused = true)]
    async fn lookups_do_not_wait_while_another_reads() {
        let directory = Directory::new();
        directory.write_long_ago("etc/resolv.conf", "nameserver 192.0.2.1");
        let (began, reading) = std::sync::mpsc::channel();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (held, slow) = (Mutex::new(held), Arc::new(AtomicU32::new(0)));
        let is_slow = slow.clone();
        let mut host = host(|_| None);
        host.hostname = Arc::new(move || {
            if is_slow.load(Ordering::SeqCst) == 1 {
                began.send(()).unwrap();
                held.lock().unwrap().recv().unwrap();
            }
            String::new()
        });
        let files = Arc::new(SystemFiles::new(&Paths::under(&directory.0), host));
        let first = files.snapshot();
        a_second_later().await;
        slow.store(1, Ordering::SeqCst);
        std::thread::scope(|scope| {
            let other = files.clone();
            let runtime = tokio::runtime::Handle::current();
            let reader = scope.spawn(move || {
                let _runtime = runtime.enter();
                other.snapshot()
            });
            reading.recv().unwrap();
            assert!(Arc::ptr_eq(&first, &files.snapshot()));
            release.send(()).unwrap();
            reader.join().unwrap();
        });
    }

    #[test]
    fn this_host_can_be_read() {
        let snapshot = SystemFiles::system().snapshot();
        assert!(!snapshot.config.servers().is_empty());
        assert_eq!(snapshot.facts.hostname, hostname());
        assert_eq!(zone_index("lo"), Some(1));
        assert_eq!((zone_index("1"), zone_index("0"), zone_index("no such")), (Some(1), None, None));
    }
}
