-- Write counters of every table with rows, the filenode of each, and when the counters were last reset. Counters of
-- system catalogs are excluded, except for large objects: the contents of catalogs are compared directly.
SELECT encode(sha256(convert_to(concat_ws(' ',
    pg_postmaster_start_time(),
    (SELECT concat_ws(' ', d.oid, pg_stat_get_db_stat_reset_time(d.oid)) FROM pg_database d WHERE d.datname = current_database()),
    (SELECT b.stats_reset FROM pg_stat_bgwriter b),
    (SELECT string_agg(concat_ws(' ', c.oid, pg_relation_filenode(c.oid), pg_stat_get_tuples_inserted(c.oid),
                pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)), ',' ORDER BY c.oid)
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE (c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
        OR c.oid = 'pg_largeobject'::regclass)), 'UTF8')), 'hex')
