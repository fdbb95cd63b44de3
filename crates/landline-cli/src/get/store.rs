//! The file that an answer is written to, from its beginning or from where it ended.

use std::io;
use std::path::Path;

use http::StatusCode;
use http::header::{CONTENT_RANGE, HeaderMap, HeaderValue};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::validator;
use crate::failure::Failure;

/// Where a file is to be, before there is anything to write.
#[derive(Debug)]
pub(super) struct Place<'a> {
    path: &'a Path,
    /// How much is there and to be kept.
    kept: u64,
    /// Of which version that is.
    validator: Option<HeaderValue>,
}

impl<'a> Place<'a> {
    /// Looks at what is there; nothing is made or changed.
    pub(super) fn find(path: &'a Path, resumes: bool) -> Result<Place<'a>, Failure> {
        let kept = match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => {
                return Err(Failure::Refused(format!("{}: is a directory", path.display())));
            }
            Ok(found) if resumes && found.is_file() => found.len(),
            Ok(_) => 0,
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Failure::of_file(path.display(), &error)),
        };
        let validator = if kept > 0 { validator::read(path) } else { None };
        Ok(Place { path, kept, validator })
    }

    /// How the file is called.
    pub(super) fn name(&self) -> impl std::fmt::Display {
        self.path.display()
    }

    /// The first byte to ask for, where some are there.
    pub(super) fn resumes_at(&self) -> Option<u64> {
        (self.kept > 0).then_some(self.kept)
    }

    /// The version that the first bytes are of, where that is known.
    pub(super) fn validator(&self) -> Option<&HeaderValue> {
        self.validator.as_ref()
    }

    /// Whether a 416 says that nothing is missing.
    pub(super) fn is_whole(&self, headers: &HeaderMap) -> bool {
        let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
        range.and_then(|range| range.strip_prefix("bytes */")) == Some(self.kept.to_string().as_str())
    }

    /// Opens the file: to go on where the answer does, or anew where it is the whole.
    pub(super) fn store(&mut self, status: StatusCode, headers: &HeaderMap) -> Result<Store, Failure> {
        let is_part = status == StatusCode::PARTIAL_CONTENT;
        let goes_on = is_part && self.kept > 0;
        if goes_on {
            let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !range.starts_with(&format!("bytes {}-", self.kept)) {
                let range = range.escape_debug();
                return Err(Failure::Refused(format!(
                    "{}: the server gives another part than the one asked for: \"{range}\"",
                    self.path.display()
                )));
            }
        } else {
            self.kept = 0;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).append(goes_on).truncate(!goes_on);
        let name = self.path.display().to_string();
        let file = options.open(self.path).map_err(|error| Failure::of_file(&name, &error))?;
        if !goes_on {
            // A part that was asked for with a header of the user's begins no file that could be gone on with.
            validator::keep(&file, validator::of(headers).filter(|_| !is_part));
        }
        Ok(Store { file: File::from_std(file), name, written: self.kept })
    }
}

/// The file while it is written.
#[derive(Debug)]
pub(super) struct Store {
    file: File,
    name: String,
    written: u64,
}

impl Store {
    /// How long the file is now.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.file.write_all(bytes).await.map_err(|error| self.failed(&error))?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Makes sure that all is there: a full disk or a quota may only be noticed then.
    pub(super) async fn finish(mut self) -> Result<(), Failure> {
        self.file.flush().await.map_err(|error| self.failed(&error))?;
        match self.file.sync_all().await {
            // Pipes and devices cannot be synced (fsync(2)).
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: &io::Error) -> Failure {
        match Failure::of_file(&self.name, error) {
            // For a file it is as bad as any other error.
            Failure::ReaderGone => Failure::Refused(format!("{}: broken pipe", self.name)),
            failure => failure,
        }
    }
}
