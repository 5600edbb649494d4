-- The identity of the server: a stack that is rebuilt with the same scripts may have the same transaction IDs.
SELECT CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
             AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') THEN 'control' ELSE 'started' END,
       pg_postmaster_start_time()::text, (SELECT d.oid::text FROM pg_database d WHERE d.datname = current_database())
