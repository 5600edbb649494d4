//! What lives beside the archive and comes back by a way of its own: queues, jobs, secrets, replication, the database.

pub(crate) mod database;
pub(crate) mod jobs;
pub(crate) mod queues;
pub(crate) mod replication;
pub mod vault;
