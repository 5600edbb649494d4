-- All roles except the predefined ones.
SELECT r.rolname::text AS role, r.rolsuper AS super, r.rolinherit AS inherit, r.rolcreaterole AS createrole, r.rolcreatedb AS createdb,
       r.rolcanlogin AS login, r.rolreplication AS replication, r.rolbypassrls AS bypassrls, r.rolconnlimit AS connection_limit,
       r.rolvaliduntil::text AS valid_until, /*PASSWORD*/ AS password,
       pg_catalog.shobj_description(r.oid, 'pg_authid') AS comment
FROM /*SOURCE*/ r
WHERE r.rolname !~ '^pg_'
ORDER BY r.rolname
