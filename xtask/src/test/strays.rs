//! What tests leave lying about.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::FileTypeExt as _,
    path::{Path, PathBuf},
};

/// The sockets in a directory and those below it, apart from what is built and what git has: a test that binds a Unix
/// socket does it in a directory of its own.
pub(super) fn sockets(root: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let (mut found, mut directories) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_socket() {
                found.insert(entry.path());
            } else if kind.is_dir() && !["target", ".git"].iter().any(|name| entry.file_name() == *name) {
                directories.push(entry.path());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn sockets_are_found_and_nothing_else() {
        let root = std::env::temp_dir().join(format!("landline-strays-{}", std::process::id()));
        let inner = root.join("crates/one");
        for directory in [&inner, &root.join("target")] {
            fs::create_dir_all(directory).unwrap();
            fs::write(directory.join("file"), "").unwrap();
            UnixListener::bind(directory.join("localhost")).unwrap();
        }
        let found = sockets(&root);
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.unwrap(), BTreeSet::from([inner.join("localhost")]));
    }
}
