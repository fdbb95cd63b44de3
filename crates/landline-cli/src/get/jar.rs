//! Cookies that are kept in a file from one run to the next.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landline_http::client::Cookies;

use crate::failure::Failure;

/// A file of cookies, as curl and wget have them.
#[derive(Debug)]
pub(super) struct CookieFile {
    path: PathBuf,
    pub(super) cookies: Cookies,
}

impl CookieFile {
    /// Reads it; one that is not there is empty.
    pub(super) fn open(path: &Path) -> Result<CookieFile, Failure> {
        let cookies = match fs::read(path) {
            Ok(text) => Cookies::from_netscape(&text)
                .map_err(|error| Failure::Refused(format!("{}: {error}", path.display())))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Cookies::new(),
            Err(error) => return Err(Failure::of_file(path.display(), &error)),
        };
        Ok(CookieFile { path: path.to_owned(), cookies })
    }

    /// Writes it anew, for its owner's eyes, and whole or not at all.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(name);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| file.write_all(&self.cookies.to_netscape()))
            .and_then(|()| fs::rename(&new, &self.path));
        written.map_err(|error| {
            let _ = fs::remove_file(&new);
            Failure::of_file(self.path.display(), &error)
        })
    }
}
