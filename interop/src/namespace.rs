//! A network of a test's own, which ends with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::wait::until;

/// Begins the name of every namespace made here; the process id and a number follow.
const PREFIX: &str = "landline-test-";

/// A private network namespace with its loopback interface up, removed with everything in it on drop.
///
/// A namespace belongs to a thread, so nothing here enters one: programs are started inside.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace.
    ///
    /// # Panics
    ///
    /// When the system refuses; ask [`namespaces`](crate::namespaces) first.
    #[expect(clippy::new_without_default, reason = "making a network is not a default")]
    pub fn new() -> Namespace {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        static SWEEP: Once = Once::new();
        SWEEP.call_once(sweep);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        outside("ip", &["netns", "add", &name]);
        let namespace = Namespace { name };
        // Else an IPv6 address of the link cannot be used for its first second (RFC 4862 section 5.4).
        namespace.sysctl("net.ipv6.conf.default.accept_dad", "0");
        namespace.sysctl("net.ipv6.conf.default.dad_transmits", "0");
        namespace.run("ip link set lo up");
        namespace
    }

    /// A command that will run inside.
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program.as_ref());
        command
    }

    /// Runs a command line inside, its words separated by white space, and returns what it printed.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let mut command = self.command(words.next().expect("a command line"));
        finish(command.args(words), line)
    }

    /// Sets a kernel parameter of this network, such as `net.ipv4.tcp_syn_retries`.
    pub fn sysctl(&self, name: &str, value: &str) {
        let file = format!("/proc/sys/{}", name.replace('.', "/"));
        let mut command = self.command("sh");
        command.args(["-c", "printf %s \"$1\" > \"$2\"", "sh", value, &file]);
        finish(&mut command, &format!("sysctl {name}={value}"));
    }

    /// Filters what arrives: `ip6 daddr ::1 tcp dport 8080 drop`.
    pub fn filter_input(&self, rule: &str) {
        self.filter("input", rule);
    }

    /// Filters what is sent.
    pub fn filter_output(&self, rule: &str) {
        self.filter("output", rule);
    }

    fn filter(&self, hook: &str, rule: &str) {
        let chain = format!("{{ type filter hook {hook} priority 0; }}");
        for words in [
            vec!["add", "table", "inet", "test"],
            vec!["add", "chain", "inet", "test", hook, &chain],
            vec!["add", "rule", "inet", "test", hook, rule],
        ] {
            finish(self.command("nft").args(&words), &words.join(" "));
        }
    }

    /// Gives the programs inside a file of their own in the place of `/etc/NAME`, such as `resolv.conf`.
    ///
    /// Holds for programs started from now on, and only if `/etc/NAME` exists.
    pub fn etc(&self, name: &str, text: &str) {
        let dir = self.etc_dir();
        fs::create_dir_all(&dir).expect("/etc/netns can be made");
        fs::write(dir.join(name), text).expect("/etc/netns can be written to");
    }

    /// The IPv6 address that an interface has on its link, without its zone.
    ///
    /// # Panics
    ///
    /// When it has none.
    pub fn link_local(&self, interface: &str) -> String {
        let listing = self.run(&format!("ip -6 -o addr show dev {interface} scope link"));
        let address = listing.split_whitespace().nth(3).and_then(|word| word.split('/').next());
        address.expect("an address of the link").to_owned()
    }

    /// Connects two namespaces by a cable; each end gets the interface name and the addresses (with prefix length).
    pub fn connect(ends: [(&Namespace, &str, &[&str]); 2]) {
        let [(a, a_name, _), (b, b_name, _)] = ends;
        let cable = [
            "link", "add", a_name, "netns", &a.name, "type", "veth", "peer", "name", b_name, "netns", &b.name,
        ];
        outside("ip", &cable);
        for (namespace, interface, addresses) in ends {
            for address in addresses {
                namespace.run(&format!("ip addr add {address} dev {interface}"));
            }
            namespace.run(&format!("ip link set {interface} up"));
        }
        for (namespace, interface, _) in ends {
            until("both ends of the cable to be up", || {
                namespace.run(&format!("ip -o link show dev {interface}")).contains("state UP")
                    && namespace.run(&format!("ip -6 -o addr show dev {interface} tentative")).is_empty()
            });
        }
    }

    fn etc_dir(&self) -> PathBuf {
        Path::new("/etc/netns").join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes what runs of these tests that were killed have left behind.
fn sweep() {
    let Ok(listing) = fs::read_dir("/run/netns") else { return };
    for name in listing.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let Some(numbers) = name.strip_prefix(PREFIX) else { continue };
        let process = numbers.split('-').next().unwrap_or_default();
        if !Path::new("/proc").join(process).exists() {
            remove(&name);
        }
    }
}

fn remove(name: &str) {
    // A namespace lives on, without a name, for as long as a process is in it.
    if let Ok(pids) = Command::new("ip").args(["netns", "pids", name]).output() {
        for pid in String::from_utf8_lossy(&pids.stdout).split_whitespace() {
            let _ = Command::new("kill").args(["-KILL", pid]).output();
        }
    }
    let _ = Command::new("ip").args(["netns", "del", name]).output();
    let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
}

fn outside(program: &str, words: &[&str]) -> String {
    finish(Command::new(program).args(words), &format!("{program} {}", words.join(" ")))
}

fn finish(command: &mut Command, line: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{line}: {error}"));
    assert!(
        output.status.success(),
        "{line}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
