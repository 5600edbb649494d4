-- Whether the counters tell everything: counting is on, and nobody else could still hold counts back. A backend hands
-- them in at the latest 10 s after it went idle (from 15 on). A state that this role may not see counts as busy. The launcher
-- of pg_cron never tells its state; it writes to its own tables and to no other (jobs run in sessions of their own).
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

