//! HTTP: the files of a directory.

mod on_landline;

use std::{io, path::Path};

use crate::args::HttpFiles;

pub(crate) fn serve(peer: HttpFiles, directory: &Path) -> io::Result<()> {
    match peer {
        HttpFiles::Landline => on_landline::serve(directory),
        HttpFiles::LandlineRead => on_landline::serve_read(directory),
    }
}
