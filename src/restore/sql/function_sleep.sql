-- Until it is woken, the function is a built-in one that does nothing: it returns NULL, or void for functions that
-- return void (validators may not return NULL). 12 and 13 are the languages internal and c.
SET LOCAL allow_system_table_mods = on;
UPDATE pg_catalog.pg_proc
SET probin = pg_catalog.format('stacksnap asleep %s %s', prolang, prosrc),
    prolang = 12,
    prosrc = CASE prorettype WHEN 2278 THEN 'pg_stat_clear_snapshot' ELSE 'pg_last_xact_replay_timestamp' END
WHERE proname = /*NAME*/ AND prolang NOT IN (12, 13) AND probin IS NULL AND prokind <> 'a'
  AND pronamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = /*SCHEMA*/)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND e.objid = pg_proc.oid AND e.deptype = 'e');
SET LOCAL allow_system_table_mods = off;
