-- Default privileges: one row per role, schema and object type.
SELECT 'DEFAULT ACL'::text, n.nspname::text,
       concat_ws(' ', 'for role', quote_ident(r.rolname), 'in schema ' || quote_ident(n.nspname), 'on',
           CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                                WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE 'large objects' END),
       coalesce((SELECT string_agg(g.line, E'\n' ORDER BY g.line) FROM (
            SELECT format('%s=%s/%s', CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE (SELECT quote_ident(x.rolname) FROM pg_roles x WHERE x.oid = a.grantee) END,
                          string_agg(a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END, ',' ORDER BY a.privilege_type),
                          (SELECT quote_ident(x.rolname) FROM pg_roles x WHERE x.oid = a.grantor)) AS line
            FROM aclexplode(d.defaclacl) a GROUP BY a.grantee, a.grantor) g), ''),
       r.rolname::text, NULL::text, 'pg_default_acl'::regclass::oid, d.oid, 0
FROM pg_default_acl d
LEFT JOIN pg_roles r ON r.oid = d.defaclrole
LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
