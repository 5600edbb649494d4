-- Who waits for a lock on this server, and whose: one line for each pair; relations of other databases have no name here.
-- Waiters are taken from pg_locks, because what another role's session waits for is not shown by pg_stat_activity. A
-- prepared transaction holds locks as number 0.
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
