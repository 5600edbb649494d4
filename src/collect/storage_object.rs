//! One object of the storage service, as its row describes it, and closing a file that lists objects.

use std::io::{self, BufWriter};

use crate::snapshot::sink::ArtifactWriter;

/// The columns of a row of `storage.objects` that concern its file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    pub bucket: String,
    pub name: String,
    pub version: Option<String>,
    pub size: Option<u64>,
}

/// Finishes a buffered file of the snapshot.
pub fn finish(out: BufWriter<ArtifactWriter<'_>>) -> io::Result<()> {
    out.into_inner().map_err(|e| e.into_error())?.finish().map(|_| ())
}
