-- What a restore has to know about its target beyond the facts of a source.
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
       current_setting('transaction_read_only')::bool,
       (SELECT array_agg(x.name::text ORDER BY x.name) FROM pg_available_extensions x),
       r.rolcreaterole OR r.rolsuper
FROM pg_roles r WHERE r.rolname = current_user
