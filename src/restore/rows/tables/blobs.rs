//! Writes the large objects of a restore once, over existing ones.
//!
//! Invariant: they are written in the transaction of the rows. Only in place are large objects deleted that the
//! snapshot does not have.

use std::sync::atomic::Ordering;

use super::Tables;
use crate::model::failure::Result;
use crate::model::name::ident;
use crate::restore::rows::large_objects;
use crate::restore::sql::runner::Runner;
use crate::snapshot::layout;

impl Tables<'_> {
    /// Large objects are equal already: do not write them.
    pub fn leave_large_objects(&self) {
        self.blobs_done.store(true, Ordering::Relaxed);
    }

    /// Writes the large objects, once, over existing ones.
    pub async fn large_objects(&self, runner: &Runner<'_>) -> Result<()> {
        if !self.request.only.is_empty() || !self.request.tables.is_empty() || self.request.untrusted {
            return Ok(());
        }
        if self.blobs_done.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let folder = self.source.place.join(layout::DUMP_DIR);
        let objects = large_objects::list(&self.source.toc, &folder)?;
        if self.in_place {
            let known: Vec<u32> = objects.iter().map(|o| o.oid).collect();
            let sql = "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata WHERE oid <> ALL ($1)";
            runner.session.rows(sql, &[&known]).await?;
        }
        let written = large_objects::write_all(runner.session, &folder, &objects, runner.cancel, &|_| {}).await;
        let (loaded, of_others) = written?;
        self.bytes.fetch_add(loaded.bytes, Ordering::Relaxed);
        for object in of_others {
            runner.commit_if_many_locks().await?;
            let sql = format!("ALTER LARGE OBJECT {} OWNER TO {}", object.oid, ident(&object.owner));
            if let Some(failure) = runner.attempt(&format!("owner of large object {}", object.oid), &sql).await? {
                self.monitor.warn("owner_not_set", failure.to_string(), None);
            }
        }
        Ok(())
    }
}
