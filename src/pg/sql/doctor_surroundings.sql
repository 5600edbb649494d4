-- Other facts for doctor: timeouts set for this role or database, objects that no dump contains, the server's port.
SELECT (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
       (SELECT array_agg(format('%I.%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND n.nspname !~ '^pg_'),
       (SELECT array_agg(u.pair ORDER BY u.pair) FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) u(pair)
        WHERE u.pair ~ '^(statement_timeout|lock_timeout|idle_session_timeout|idle_in_transaction_session_timeout|transaction_timeout)='
          AND s.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = current_user))
          AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))),
       (SELECT array_agg(o.name ORDER BY o.name) FROM (
            SELECT 'pg_class'::regclass AS classid, c.oid, format('%I.%I', n.nspname, c.relname) AS name
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'v', 'm', 'S', 'f', 'p') AND n.nspname IN ('pg_catalog', 'information_schema')
            UNION ALL
            SELECT 'pg_proc'::regclass, p.oid, format('%I.%I', n.nspname, p.proname)
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('pg_catalog', 'information_schema')) o
        WHERE o.oid >= 16384 AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = o.classid AND x.objid = o.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass)),
       inet_server_port()
