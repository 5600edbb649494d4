-- Sessions that hold, or wait for, a lock that our ACCESS SHARE lock would queue behind.
SELECT l.granted, l.pid, CASE WHEN c.oid IS NULL THEN 'relation ' || l.relation ELSE format('%I.%I', n.nspname, c.relname) END,
       coalesce(a.usename, '?')::text,
       extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, a.state_change))::int8
FROM pg_locks l
LEFT JOIN pg_class c ON c.oid = l.relation
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_backend_pid()
  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
  AND (c.oid IS NULL OR (c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_'))
ORDER BY l.granted DESC, 5 DESC NULLS LAST
LIMIT 20
