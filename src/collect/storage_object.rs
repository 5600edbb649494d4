//! One object of the storage service, as its row describes it, and how a listing of objects is closed.

use std::io::{self, BufWriter};

use crate::snapshot::sink::ArtifactWriter;

/// One row of `storage.objects`, as far as it says something about a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Object {
    pub bucket: String,
    pub name: String,
    pub version: Option<String>,
    pub size: Option<u64>,
}

/// Ends a buffered file of the snapshot.
pub fn finish(out: BufWriter<ArtifactWriter<'_>>) -> io::Result<()> {
    out.into_inner().map_err(|e| e.into_error())?.finish().map(|_| ())
}
