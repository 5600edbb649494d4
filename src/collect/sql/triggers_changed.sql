-- Triggers with a newer row version than the snapshot's, which pg_get_triggerdef() may have shown.
SELECT t.oid
FROM pg_catalog.pg_trigger t,
     (SELECT pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot()) % 4294967296 AS low) s
WHERE t.xmax::text <> '0' AND (t.xmax::text::int8 - s.low + 4294967296) % 4294967296 < 2147483648
  AND t.oid = ANY ($1)
