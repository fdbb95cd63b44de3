//! Name servers that are slow, gone, or behind a bad network.

use landline_interop::{Pair, Running, finish, peer, until};
use serde_json::Value;

/// dnsmasq on the far host, at every address of it.
fn dnsmasq(pair: &Pair) -> Option<Running> {
    let program = peer("dnsmasq")?;
    let mut command = pair.far.command(program);
    command.args([
        "--keep-in-foreground",
        "--conf-file=/dev/null",
        "--no-resolv",
        "--no-hosts",
        "--pid-file=",
    ]);
    command.args(["--user=root", "--log-facility=-", "--local=/example/"]);
    command.arg("--host-record=both.example,192.0.2.10,2001:db8::10");
    let server = Running::start(&mut command);
    until("dnsmasq", || pair.far.run("ss -Hlun").contains(":53 "));
    Some(server)
}

#[track_caller]
fn lookup(pair: &Pair, options: &[&str], kind: &str, name: &str) -> (Value, u128) {
    let mut line = vec!["lookup", "--json"];
    line.extend(options);
    line.extend([kind, name]);
    let done = finish(&mut pair.landline(&line));
    let mut said = done.json();
    assert_eq!(said.len(), 1, "{done:?}");
    (said.remove(0), done.took.as_millis())
}

#[track_caller]
fn assert_both(answer: &Value) {
    let mut addresses: Vec<&str> =
        answer["result"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    addresses.sort_unstable();
    assert_eq!(addresses, ["192.0.2.10", "2001:db8::10"], "{answer}");
}

#[test]
fn names_are_found_through_losses() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    pair.near.etc("resolv.conf", "nameserver 192.0.2.2\noptions timeout:1 attempts:6\n");
    pair.far.filter_input("udp dport 53 numgen inc mod 10 < 3 drop");
    pair.far.filter_output("udp sport 53 numgen inc mod 10 < 3 drop");
    for _ in 0..3 {
        assert_both(&lookup(&pair, &[], "ip", "both.example.").0);
    }
}

#[test]
fn a_silent_server_leads_to_the_next() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    pair.far.run("ip addr add 192.0.2.3/24 dev eth0");
    pair.far.filter_input("ip daddr 192.0.2.3 udp dport 53 drop");
    pair.near.etc("resolv.conf", "nameserver 192.0.2.3\nnameserver 192.0.2.2\noptions timeout:1\n");
    let (answer, took) = lookup(&pair, &[], "ip", "both.example.");
    assert_both(&answer);
    assert!((1000..3000).contains(&took), "one time-out: {took} ms");
}

#[test]
fn a_server_that_refuses_leads_to_the_next_at_once() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    pair.far.run("ip addr add 192.0.2.3/24 dev eth0");
    pair.far.filter_input("ip daddr 192.0.2.3 udp dport 53 reject");
    pair.near.etc("resolv.conf", "nameserver 192.0.2.3\nnameserver 192.0.2.2\n");
    let (answer, took) = lookup(&pair, &[], "ip", "both.example.");
    assert_both(&answer);
    assert!(took < 2000, "no time-out: {took} ms");
}

#[test]
fn a_server_without_a_route_leads_to_the_next_at_once() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    pair.near.etc("resolv.conf", "nameserver 198.18.0.1\nnameserver 2001:db8:77::2\n");
    let (answer, took) = lookup(&pair, &[], "ip", "both.example.");
    assert_both(&answer);
    assert!(took < 2000, "no time-out: {took} ms");
}

#[test]
fn a_firewall_that_drops_datagrams_is_passed_over_tcp() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    pair.near.filter_input("udp sport 53 drop");
    let (answer, _) = lookup(&pair, &["--tcp", "--server", "192.0.2.2"], "ip", "both.example.");
    assert_both(&answer);
    pair.near.etc("resolv.conf", "nameserver 192.0.2.2\noptions use-vc\n");
    assert_both(&lookup(&pair, &[], "ip", "both.example.").0);
}

#[test]
fn servers_that_are_all_silent_are_a_timeout_within_the_budget() {
    let Some(pair) = Pair::new() else { return };
    pair.far.filter_input("udp dport 53 drop");
    pair.near.etc("resolv.conf", "nameserver 192.0.2.2\noptions timeout:1 attempts:2\n");
    let (answer, took) = lookup(&pair, &[], "ip", "both.example.");
    assert_eq!(answer["timeout"], true, "{answer}");
    assert_eq!(answer["not_found"], false, "{answer}");
    assert_eq!(answer["server"], "192.0.2.2:53", "{answer}");
    assert!((2000..4000).contains(&took), "two attempts of a second: {took} ms");
    let (answer, took) = lookup(&pair, &["--timeout", "300ms"], "ip", "both.example.");
    assert_eq!(answer["timeout"], true, "{answer}");
    assert!((300..1000).contains(&took), "{took} ms");
}

#[test]
fn a_server_on_the_link_is_asked_over_its_interface() {
    let Some(pair) = Pair::new() else { return };
    let Some(_server) = dnsmasq(&pair) else { return };
    let link_local = pair.far.link_local("eth0");
    pair.near.etc("resolv.conf", &format!("nameserver {link_local}%eth0\n"));
    assert_both(&lookup(&pair, &[], "ip", "both.example.").0);
}

/// What nsswitch.conf(5) asks for and only the system can do goes to `getaddrinfo`, and the explanation says why.
#[test]
fn a_source_of_another_module_is_left_to_the_system() {
    let Some(pair) = Pair::new() else { return };
    pair.near.etc("nsswitch.conf", "hosts: nosuchmodule files\n");
    let done = finish(&mut pair.landline(&["lookup", "--explain", "ip4", "far.example"]));
    assert_eq!(done.success(), "192.0.2.2\n", "{done:?}");
    let handed = "handed to the system's resolver (nosuchmodule is not done here)";
    assert!(done.stderr.contains(handed), "{}", done.stderr);
    pair.near.etc("nsswitch.conf", "hosts: files\n");
    let done = finish(&mut pair.landline(&["lookup", "--explain", "ip4", "far.example"]));
    assert_eq!(done.success(), "192.0.2.2\n", "{done:?}");
    assert!(!done.stderr.contains("handed"), "{}", done.stderr);
}

#[test]
fn this_host_knows_its_own_name() {
    let Some(pair) = Pair::new() else { return };
    pair.near.etc("nsswitch.conf", "hosts: files myhostname\n");
    let name = pair.near.run("uname -n").trim().to_owned();
    let (answer, _) = lookup(&pair, &[], "ip4", &name);
    assert_eq!(answer["result"], serde_json::json!(["192.0.2.1"]), "{answer}");
}
