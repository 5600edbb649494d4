//! Rows on their way into a table: one `COPY … FROM STDIN`.
//!
//! Invariant: what is not finished is not there. A value that is dropped before `finish` makes the server abort the
//! COPY, and with it the transaction. It knows bytes, not rows: the text is the caller's.

use std::io::Cursor;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::SinkExt;
use tokio_postgres::CopyInSink;

use super::pulse::Pulse;
use super::session::{Session, failure, lost};
use crate::model::failure::Result;

/// A COPY that the server is waiting to be fed.
pub struct CopyIn {
    sink: Pin<Box<CopyInSink<Cursor<Vec<u8>>>>>,
    statement: String,
    pulse: Arc<Pulse>,
}

impl CopyIn {
    /// Starts `statement`. Waits for the table's lock as long as `lock_timeout` says. After an error the session is of
    /// no more use: the library answers a refused COPY with one message too many, and then gives the connection up.
    pub async fn start(session: &Session, statement: &str) -> Result<Self> {
        let sink = session.client().copy_in(statement).await.map_err(|e| session.failure(e, statement))?;
        Ok(Self { sink: Box::pin(sink), statement: statement.to_string(), pulse: session.pulse() })
    }

    /// Hands bytes over, cut anywhere. Waits while the connection is busy. The server's objection to a row comes with
    /// `finish`: the protocol has no other place for it.
    pub async fn send(&mut self, bytes: Vec<u8>) -> Result<()> {
        let fed = self.sink.feed(Cursor::new(bytes)).await;
        fed.map_err(|e| lost(&self.pulse).unwrap_or_else(|| failure(e, &self.statement)))
    }

    /// Ends the COPY. Returns how many rows the server took.
    pub async fn finish(mut self) -> Result<u64> {
        let finished = self.sink.as_mut().finish().await;
        finished.map_err(|e| lost(&self.pulse).unwrap_or_else(|| failure(e, &self.statement)))
    }
}
