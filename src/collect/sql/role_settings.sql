-- Settings of roles (NULL: of all roles), for every database and for this one.
SELECT r.rolname::text AS role, s.setdatabase <> 0 AS here, s.setconfig AS settings
FROM pg_catalog.pg_db_role_setting s
LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
WHERE (s.setrole <> 0 OR s.setdatabase = 0)
  AND (s.setdatabase = 0 OR s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()))
ORDER BY r.rolname NULLS FIRST, here
