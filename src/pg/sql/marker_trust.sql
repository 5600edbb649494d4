-- Whether the write counters are complete: track_counts is on everywhere, and no other session may hold counts back. A
-- backend reports its counts at most 10 s after it becomes idle (since 15). A session whose state this role may not see
-- counts as busy. The launcher of pg_cron never reports a state; it writes only to its own tables (jobs run in other
-- sessions).
SELECT pg_is_in_recovery(),
       current_setting('track_counts')::bool
           AND NOT EXISTS (SELECT 1 FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE c ~* '^track_counts=')
           AND NOT EXISTS (SELECT 1 FROM pg_proc p, unnest(p.proconfig) c WHERE c ~* '^track_counts='),
       busy.count, busy.launchers
FROM (SELECT count(*), count(*) FILTER (WHERE a.backend_type = 'pg_cron launcher') AS launchers
      FROM pg_stat_activity a JOIN pg_database d ON d.oid = a.datid
      WHERE d.datname = current_database() AND a.pid <> pg_backend_pid()
        AND a.backend_type NOT IN ('autovacuum worker', 'walsender')
        AND (a.state IS DISTINCT FROM 'idle' OR a.state_change > clock_timestamp() - interval '11 seconds')) busy

