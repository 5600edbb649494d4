-- Default privileges of every role: for the whole database (schema null; they replace the built-in ones) or for one
-- schema (they are added).
SELECT r.rolname::text AS role, n.nspname::text AS schema, d.defaclobjtype::text AS objects,
       (SELECT coalesce(jsonb_agg(jsonb_build_array(e.grantee, e.privilege_type, e.is_grantable) ORDER BY e.grantee, e.privilege_type), '[]')
        FROM (
            SELECT CASE WHEN x.grantee = 0 THEN 'public' ELSE g.rolname END AS grantee, x.privilege_type, x.is_grantable
            FROM pg_catalog.aclexplode(d.defaclacl) x
            LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
            WHERE x.grantee = 0 OR g.oid IS NOT NULL) e)::text AS acl
FROM pg_catalog.pg_default_acl d
JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
ORDER BY r.rolname, n.nspname NULLS FIRST, d.defaclobjtype
