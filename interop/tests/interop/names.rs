//! Lookups from real name servers: the answers are those in `interop/dns`, and Go's.

use std::process::Command;

use landline_interop::{DnsServer, finish, go_program, program};
use serde_json::Value;

enum Want {
    /// These, in any order.
    Set(&'static [&'static str]),
    /// These, in this order.
    List(&'static [&'static str]),
    /// Text in any order: in the quotes and pieces of a zone file, and whole, as Go has it.
    Text { ours: &'static [&'static str], go: &'static [&'static str] },
    /// So many.
    Count(usize),
    /// An error for one of these reasons; Go has the first for all of them.
    NotFound(&'static [&'static str]),
}
const NO_NAME: &str = "no such host";
const NO_DATA: &str = "no records of this type";

use Want::{Count, List, NotFound, Set, Text};

const NAMES: &[(&str, &str, Want)] = &[
    ("host", "both.landline.example.", Set(&["192.0.2.1", "2001:db8::1"])),
    ("ip", "both.landline.example.", Set(&["192.0.2.1", "2001:db8::1"])),
    ("ip4", "both.landline.example.", Set(&["192.0.2.1"])),
    ("ip6", "both.landline.example.", Set(&["2001:db8::1"])),
    ("host", "BOTH.Landline.EXAMPLE.", Set(&["192.0.2.1", "2001:db8::1"])),
    ("host", "chain.landline.example.", Set(&["192.0.2.1", "2001:db8::1"])),
    ("host", "four.landline.example.", Set(&["192.0.2.4"])),
    ("host", "six.landline.example.", Set(&["2001:db8::6"])),
    ("host", "x.wild.landline.example.", Set(&["192.0.2.99"])),
    // Does not fit a datagram.
    ("ip4", "many.landline.example.", Count(90)),
    ("cname", "both.landline.example.", List(&["both.landline.example."])),
    ("cname", "chain.landline.example.", List(&["both.landline.example."])),
    ("mx", "landline.example.", List(&["10 mail.landline.example.", "20 backup.landline.example."])),
    ("ns", "landline.example.", Set(&["ns1.landline.example.", "ns2.landline.example."])),
    (
        "srv",
        "_imap._tcp.landline.example.",
        List(&[
            "_imap._tcp.landline.example.",
            "10 0 143 mail.landline.example.",
            "20 0 143 backup.landline.example.",
        ]),
    ),
    (
        "txt",
        "txt.landline.example.",
        Text { ours: &[r#""v=test 1""#, r#""in two" " parts""#], go: &["v=test 1", "in two parts"] },
    ),
    ("addr", "192.0.2.1", List(&["both.landline.example."])),
    ("addr", "2001:db8::1", List(&["both.landline.example."])),
    ("host", "absent.landline.example.", NotFound(&[NO_NAME])),
    // unbound says this of the alias, the others of what it stands for.
    ("host", "dangling.landline.example.", NotFound(&[NO_NAME, NO_DATA])),
    ("ip4", "six.landline.example.", NotFound(&[NO_DATA])),
    ("ip6", "four.landline.example.", NotFound(&[NO_DATA])),
    ("mx", "four.landline.example.", NotFound(&[NO_DATA])),
    ("txt", "absent.landline.example.", NotFound(&[NO_NAME])),
    ("addr", "192.0.2.77", NotFound(&[NO_NAME])),
];

#[test]
fn names_from_dnsmasq() {
    ours_and_go_see_what_the_server_has(DnsServer::dnsmasq());
}

#[test]
fn names_from_unbound() {
    ours_and_go_see_what_the_server_has(DnsServer::unbound());
}

#[test]
fn names_from_bind() {
    ours_and_go_see_what_the_server_has(DnsServer::bind());
}

fn ours_and_go_see_what_the_server_has(server: Option<DnsServer>) {
    let (Some(program), Some(server)) = (program(), server) else { return };
    for transport in [&[][..], &["--tcp"]] {
        let mut line = Command::new(&program);
        line.args(["lookup", "--json", "--server", &server.address()]).args(transport);
        for (kind, name, _) in NAMES {
            line.args([kind, name]);
        }
        let done = finish(&mut line);
        // Some of them do not exist.
        assert_eq!(done.code, 1, "{done:?}");
        let said = done.json();
        assert_eq!(said.len(), NAMES.len(), "{done:?}");
        for ((kind, name, want), said) in NAMES.iter().zip(&said) {
            assert_eq!((said["kind"].as_str(), said["name"].as_str()), (Some(*kind), Some(*name)));
            let want = if let Text { ours, .. } = want { &Set(ours) } else { want };
            check(&format!("{transport:?} {kind} {name}"), said, want);
        }
        let Some(go) = go_program("behaviour") else { continue };
        for ((kind, name, want), ours) in NAMES.iter().zip(&said) {
            let done = finish(Command::new(&go).args(["lookup", &server.address(), kind, name]));
            let said = &done.json()[0];
            let want = if let Text { go, .. } = want { &Set(go) } else { want };
            // dnsmasq sends the last link of the chain first, and Go takes the last it sees for the canonical name.
            if (*kind, *name) != ("cname", "chain.landline.example.") {
                check(&format!("Go: {kind} {name}"), said, want);
            }
            if let NotFound(reasons) = want {
                // Go names the server of resolv.conf, whomever it asked.
                let words = |line: &Value| line["error"].as_str().unwrap_or_default().to_owned();
                let (ours, said) = (words(ours), words(said));
                // And the name it asks for, not the address it was asked about.
                if *kind != "addr" {
                    assert_eq!(ours.split(" on ").next(), said.split(" on ").next());
                }
                assert!(
                    reasons
                        .iter()
                        .any(|reason| ours == format!("lookup {name} on {}: {reason}", server.address()))
                );
                assert!(said.ends_with(NO_NAME), "{said}");
            }
        }
    }
    let mut line = Command::new(&program);
    line.args(["lookup", "--json", "--server", &server.address(), "https", "svc.landline.example."]);
    assert_eq!(
        finish(&mut line).json()[0]["result"],
        serde_json::json!(["1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.80"]),
    );
}

#[track_caller]
fn check(what: &str, line: &Value, want: &Want) {
    let mut answer: Vec<&str> =
        line["result"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    match want {
        List(want) => assert_eq!(answer, *want, "{what}: {line}"),
        Set(want) | Text { ours: want, .. } => {
            let mut want = want.to_vec();
            want.sort_unstable();
            answer.sort_unstable();
            assert_eq!(answer, want, "{what}: {line}");
        }
        Count(want) => assert_eq!(answer.len(), *want, "{what}: {line}"),
        NotFound(_) => {
            assert_eq!(line["not_found"], true, "{what}: {line}");
            assert_eq!(line["timeout"], false, "{what}: {line}");
        }
    }
}
