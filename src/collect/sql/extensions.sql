-- Installed extensions in the order of creation (by OID), which puts required extensions first.
SELECT e.oid, e.extname::text AS name, e.extversion AS version, n.nspname::text AS schema, r.rolname::text AS owner,
       e.extrelocatable AS relocatable, pg_catalog.obj_description(e.oid, 'pg_extension') AS comment,
       ARRAY(SELECT x.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
             WHERE d.classid = 'pg_catalog.pg_extension'::regclass AND d.objid = e.oid
               AND d.refclassid = 'pg_catalog.pg_extension'::regclass ORDER BY 1) AS requires,
       EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::regclass AND d.objid = n.oid
               AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e') AS makes_schema
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
JOIN pg_catalog.pg_roles r ON r.oid = e.extowner
ORDER BY e.oid
