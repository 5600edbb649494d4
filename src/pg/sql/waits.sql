-- Lock waits on this server: one row per waiter and blocker. Relations of other databases have no name here. Waiters
-- are taken from pg_locks, because pg_stat_activity hides what another role's session waits for. Locks of a prepared
-- transaction have PID 0.
SELECT l.pid, coalesce(w.application_name, ''), b.pid, coalesce(h.application_name, ''), coalesce(h.usename::text, ''),
       n.nspname || '.' || c.relname
FROM pg_locks l
LEFT JOIN pg_stat_activity w ON w.pid = l.pid
CROSS JOIN LATERAL unnest(pg_blocking_pids(l.pid)) AS b(pid)
LEFT JOIN pg_stat_activity h ON h.pid = b.pid
LEFT JOIN pg_class c ON c.oid = l.relation
    AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT l.granted AND l.pid IS NOT NULL
