SET LOCAL allow_system_table_mods = on;
UPDATE pg_catalog.pg_proc
SET probin = pg_catalog.format('stacksnap asleep %s %s', prolang, prosrc), prolang = 12,
    prosrc = CASE prorettype WHEN 2278 THEN 'pg_stat_clear_snapshot' ELSE 'pg_last_xact_replay_timestamp' END
WHERE prolang = 14 AND probin IS NULL AND oid >= 16384 AND provolatile <> 'i' AND prokind <> 'a'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND e.objid = pg_proc.oid AND e.deptype = 'e');
SET LOCAL allow_system_table_mods = off;
