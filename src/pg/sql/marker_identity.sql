-- Which server this is: a stack that is built anew by the same scripts has the same transaction ids.
SELECT CASE WHEN has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
             AND has_function_privilege('pg_catalog.pg_control_checkpoint()', 'EXECUTE') THEN 'control' ELSE 'started' END,
       pg_postmaster_start_time()::text, (SELECT d.oid::text FROM pg_database d WHERE d.datname = current_database())
