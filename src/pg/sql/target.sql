-- Facts about a restore's target in addition to those of a source.
WITH carried AS (
    SELECT s.setrole FROM pg_db_role_setting s
    WHERE (s.setrole = (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user)
           AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
           OR s.setrole = 0 AND s.setdatabase = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
      AND EXISTS (SELECT 1 FROM unnest(s.setconfig) u(pair) WHERE starts_with(u.pair, 'default_transaction_read_only='))
)
SELECT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname <> ALL ($1::text[]) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
                 AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid
                                 AND x.deptype = 'e'))
       OR EXISTS (SELECT 1 FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE n.nspname <> ALL ($1::text[]) AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                    AND NOT EXISTS (SELECT 1 FROM pg_depend x WHERE x.classid = 'pg_proc'::regclass AND x.objid = p.oid
                                    AND x.deptype = 'e')),
       r.rolsuper /*pg15+*/ OR has_parameter_privilege('session_replication_role', 'SET') /*else*/ /*end*/,
       has_database_privilege(current_database(), 'CREATE'),
       -- If the database sets default_transaction_read_only, a restore writes anyway; if the server or a role does, it
       -- does not.
       EXISTS (SELECT 1 FROM pg_settings s WHERE s.name = 'default_transaction_read_only' AND s.reset_val = 'on')
       AND (EXISTS (SELECT 1 FROM carried WHERE setrole <> 0) OR NOT EXISTS (SELECT 1 FROM carried WHERE setrole = 0)),
       (SELECT array_agg(x.name::text ORDER BY x.name) FROM pg_available_extensions x),
       r.rolcreaterole OR r.rolsuper
FROM pg_roles r WHERE r.rolname = current_user
