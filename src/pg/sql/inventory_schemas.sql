-- Schemas, except system schemas.
SELECT 'SCHEMA'::text, n.nspname::text, quote_ident(n.nspname), 'CREATE SCHEMA'::text, r.rolname::text, e.extname::text, 'pg_namespace'::regclass::oid, n.oid, 0
FROM pg_namespace n
LEFT JOIN pg_roles r ON r.oid = n.nspowner
LEFT JOIN pg_depend x ON x.classid = 'pg_namespace'::regclass AND x.objid = n.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
