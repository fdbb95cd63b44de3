//! `cargo xtask deps`: licences, refused crates and duplicates among the dependencies, by the rules in `deny.toml`.
//!
//! cargo-deny reads the same file and checks more (advisories, sources in depth), but takes minutes to build; this
//! needs nothing beyond `cargo metadata` and the lock file.

mod spdx;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    process::Command,
};

use serde::Deserialize;

use crate::paths;

/// The parts of `deny.toml` that are checked here.
#[derive(Deserialize)]
struct Rules {
    bans: Bans,
    licenses: Licenses,
    sources: Sources,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Refused>,
    #[serde(default)]
    skip: Vec<Skipped>,
}

#[derive(Deserialize)]
struct Refused {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    wrappers: Vec<String>,
}

#[derive(Deserialize)]
struct Skipped {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: Vec<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    /// None: to any registry. Some and empty: nowhere.
    publish: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Deserialize)]
struct EdgeKind {
    kind: Option<String>,
}

/// Checks what the crates that are published bring with them.
pub(crate) fn run() -> Result<(), String> {
    let file = paths::root().join("deny.toml");
    let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    let rules: Rules = toml::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
    let metadata = metadata()?;
    let (shipped, findings) = check(&rules, &metadata);
    if findings.is_empty() {
        println!("deps: {shipped} crates reach those who depend on us, nothing found");
        return Ok(());
    }
    for finding in &findings {
        eprintln!("{finding}");
    }
    Err(format!("deps: {} findings", findings.len()))
}

fn metadata() -> Result<Metadata, String> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(paths::root())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// How many crates are shipped, and what is wrong with them.
fn check(rules: &Rules, metadata: &Metadata) -> (usize, Vec<String>) {
    let packages: HashMap<&str, &Package> = metadata.packages.iter().map(|p| (p.id.as_str(), p)).collect();
    let nodes: HashMap<&str, &Node> = metadata.resolve.nodes.iter().map(|n| (n.id.as_str(), n)).collect();
    let published = |id: &&str| packages[id].publish.as_ref().is_none_or(|registries| !registries.is_empty());

    // Everything the published crates need to be built and to run; what only our tests need stays with us.
    let mut reached: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut open: Vec<&str> =
        metadata.workspace_members.iter().map(String::as_str).filter(published).collect();
    for id in &open {
        reached.insert(id, BTreeSet::new());
    }
    while let Some(id) = open.pop() {
        for edge in &nodes[id].deps {
            if edge.dep_kinds.iter().all(|kind| kind.kind.as_deref() == Some("dev")) {
                continue;
            }
            let parents = reached.entry(&edge.pkg).or_insert_with(|| {
                open.push(&edge.pkg);
                BTreeSet::new()
            });
            parents.insert(&packages[id].name);
        }
    }

    let mut findings = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (id, parents) in &reached {
        let package = packages[id];
        versions.entry(&package.name).or_default().insert(&package.version);
        findings.extend(check_package(rules, package, parents));
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        if !rules.bans.skip.iter().any(|skipped| skipped.name == *name) {
            let versions: Vec<&str> = versions.iter().copied().collect();
            findings.push(format!("{name}: {} versions: {}", versions.len(), versions.join(", ")));
        }
    }
    (reached.len(), findings)
}

fn check_package(rules: &Rules, package: &Package, parents: &BTreeSet<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    let name = format!("{} {}", package.name, package.version);
    for refused in rules.bans.deny.iter().filter(|refused| refused.name == package.name) {
        let unwanted: Vec<&str> =
            parents.iter().copied().filter(|parent| !refused.wrappers.iter().any(|w| w == parent)).collect();
        if refused.wrappers.is_empty() || !unwanted.is_empty() {
            findings.push(format!("{name}: refused ({}), needed by {}", refused.reason, unwanted.join(", ")));
        }
    }
    match &package.license {
        None => findings.push(format!("{name}: names no licence")),
        Some(license) => match spdx::is_allowed(license, &rules.licenses.allow) {
            Ok(true) => {}
            Ok(false) => findings.push(format!("{name}: licence {license} is not among those allowed")),
            Err(why) => findings.push(format!("{name}: licence {license}: {why}")),
        },
    }
    // Our own crates have no source; what comes from elsewhere names its registry.
    if let Some(source) = &package.source
        && !rules.sources.allow_registry.iter().any(|registry| source == &format!("registry+{registry}"))
    {
        findings.push(format!("{name}: comes from {source}"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = r#"
        [bans]
        deny = [{ crate = "heavy", reason = "does our job" }, { crate = "c-lib", wrappers = ["tamer"] }]
        skip = [{ crate = "twice-known" }]
        [licenses]
        allow = ["MIT"]
        [sources]
        allow-registry = ["https://registry"]
    "#;

    /// Packages as `name version licence source publish`, and edges as `from to kind`.
    fn findings(packages: &[[&str; 4]], edges: &[[&str; 3]]) -> Vec<String> {
        let id = |name: &str, version: &str| format!("{name}@{version}");
        let metadata = Metadata {
            workspace_members: vec![id("ours", "1"), id("bench", "1")],
            packages: packages
                .iter()
                .map(|[name, version, license, source]| Package {
                    id: id(name, version),
                    name: (*name).to_owned(),
                    version: (*version).to_owned(),
                    license: (!license.is_empty()).then(|| (*license).to_owned()),
                    source: (!source.is_empty()).then(|| format!("registry+{source}")),
                    publish: (*name == "bench").then(Vec::new),
                })
                .collect(),
            resolve: Resolve {
                nodes: packages
                    .iter()
                    .map(|[name, version, ..]| Node {
                        id: id(name, version),
                        deps: edges
                            .iter()
                            .filter(|[from, ..]| *from == id(name, version))
                            .map(|[_, to, kind]| Edge {
                                pkg: (*to).to_owned(),
                                dep_kinds: vec![EdgeKind {
                                    kind: (!kind.is_empty()).then(|| (*kind).to_owned()),
                                }],
                            })
                            .collect(),
                    })
                    .collect(),
            },
        };
        check(&toml::from_str(RULES).unwrap(), &metadata).1
    }

    const REGISTRY: &str = "https://registry";

    #[test]
    fn a_refused_crate_is_found_with_the_one_that_needs_it() {
        let packages = [
            ["ours", "1", "MIT", ""],
            ["bench", "1", "MIT", ""],
            ["heavy", "2", "MIT", REGISTRY],
            ["mid", "1", "MIT", REGISTRY],
        ];
        assert_eq!(
            findings(&packages, &[["ours@1", "mid@1", ""], ["mid@1", "heavy@2", "build"]]),
            ["heavy 2: refused (does our job), needed by mid"]
        );
        assert_eq!(findings(&packages, &[["ours@1", "heavy@2", "dev"], ["bench@1", "heavy@2", ""]]), [""; 0]);
    }

    #[test]
    fn a_wrapped_crate_is_refused_only_without_its_wrapper() {
        let packages = [
            ["ours", "1", "MIT", ""],
            ["bench", "1", "MIT", ""],
            ["tamer", "1", "MIT", REGISTRY],
            ["c-lib", "1", "MIT", REGISTRY],
        ];
        let wrapped = [["ours@1", "tamer@1", ""], ["tamer@1", "c-lib@1", ""]];
        assert_eq!(findings(&packages, &wrapped), [""; 0]);
        assert_eq!(
            findings(&packages, &[wrapped[0], wrapped[1], ["ours@1", "c-lib@1", ""]]),
            ["c-lib 1: refused (), needed by ours"]
        );
    }

    #[test]
    fn licence_source_and_duplicates_are_checked() {
        let packages = [
            ["ours", "1", "MIT", ""],
            ["bench", "1", "MIT", ""],
            ["bare", "1", "", REGISTRY],
            ["viral", "1", "GPL-3.0", REGISTRY],
            ["stray", "1", "MIT", "https://elsewhere"],
            ["twice", "1", "MIT", REGISTRY],
            ["twice", "2", "MIT", REGISTRY],
            ["twice-known", "1", "MIT", REGISTRY],
            ["twice-known", "2", "MIT", REGISTRY],
        ];
        let edges: Vec<String> =
            packages[2..].iter().map(|[name, version, ..]| format!("{name}@{version}")).collect();
        let edges: Vec<[&str; 3]> = edges.iter().map(|to| ["ours@1", to, ""]).collect();
        assert_eq!(
            findings(&packages, &edges),
            [
                "bare 1: names no licence",
                "stray 1: comes from registry+https://elsewhere",
                "viral 1: licence GPL-3.0 is not among those allowed",
                "twice: 2 versions: 1, 2",
            ]
        );
    }
}
