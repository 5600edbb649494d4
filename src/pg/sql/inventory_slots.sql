-- Logical replication slots of this database: where somebody reads its changes. Positions in the log are not told, they
-- mean nothing elsewhere.
SELECT 'REPLICATION SLOT'::text, NULL::text, quote_ident(s.slot_name), concat_ws(' ', 'PLUGIN', quote_ident(s.plugin),
           CASE WHEN to_jsonb(s) ->> 'two_phase' = 'true' THEN 'TWO_PHASE' END,
           CASE WHEN to_jsonb(s) ->> 'failover' = 'true' THEN 'FAILOVER' END),
       NULL::text, NULL::text, NULL::oid, NULL::oid, 0
FROM pg_replication_slots s
WHERE s.slot_type = 'logical' AND NOT s.temporary AND s.database = current_database()
