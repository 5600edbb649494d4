-- ACL of the database itself.
SELECT 'database' AS kind, ARRAY['this database'] AS name, false AS optional,
       CASE WHEN d.datacl IS NOT NULL THEN (
           SELECT coalesce(jsonb_agg(jsonb_build_array(e.grantee, e.grantor, e.privileges) ORDER BY e.grantee, e.grantor), '[]')
           FROM (
               SELECT CASE WHEN x.grantee = 0 THEN 'public' WHEN x.grantee = d.datdba THEN 'pg_object_owner' ELSE g.rolname END AS grantee,
                      CASE WHEN x.grantor = d.datdba THEN 'pg_object_owner' ELSE b.rolname END AS grantor,
                      string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ',' ORDER BY x.privilege_type) AS privileges
               FROM pg_catalog.aclexplode(d.datacl) x
               LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
               JOIN pg_catalog.pg_roles b ON b.oid = x.grantor
               WHERE x.grantee = 0 OR g.oid IS NOT NULL
               GROUP BY 1, 2) e)::text END AS acl, NULL::text AS owner
FROM pg_catalog.pg_database d
WHERE d.datname = pg_catalog.current_database()
