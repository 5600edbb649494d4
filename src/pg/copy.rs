//! Sends rows into a table: one `COPY … FROM STDIN`.
//!
//! Invariant: an unfinished COPY leaves no rows. Dropping the value before `finish` makes the server abort the COPY and
//! its transaction. It never parses rows: the caller provides the COPY text.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::pulse::Pulse;
use super::session::{Session, failure, lost};
use crate::model::failure::Result;

/// A COPY in progress, waiting for data.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>,
    statement: String,
    pulse: Arc<Pulse>,
}

impl CopyIn {
    /// Starts `statement`. Waits for the table lock up to `lock_timeout`. After an error the session is unusable: the
    /// library answers a rejected COPY with an extra message and then gives up the connection.
    pub async fn start(session: &Session, statement: &str) -> Result<Self> {
        let sink = session.client().copy_in(statement).await.map_err(|e| session.failure(e, statement))?;
        Ok(Self { sink: Box::pin(sink), statement: statement.to_string(), pulse: session.pulse() })
    }

    /// Sends bytes, split anywhere. Waits while the connection is busy. The server's error about a row is returned by
    /// `finish`: the protocol reports it only then.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        let fed = self.sink.feed(Cursor::new(bytes)).await;
        fed.map_err(|e| lost(&self.pulse).unwrap_or_else(|| failure(e, &self.statement)))
    }

    /// Ends the COPY. Returns the number of rows that the server copied.
    pub async fn finish(mut self) -> Result<u64> {
        let finished = self.sink.as_mut().finish().await;
        finished.map_err(|e| lost(&self.pulse).unwrap_or_else(|| failure(e, &self.statement)))
    }
}
