-- Functions with a newer row version than the snapshot's: xmax is set, and not by a transaction that ended before the
-- snapshot.
SELECT p.oid
FROM pg_catalog.pg_proc p,
     (SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) % 4294967296 AS low) s
WHERE p.xmax::text <> '0' AND (p.xmax::text::int8 - s.low + 4294967296) % 4294967296 < 2147483648
  AND p.oid = ANY ($1)
