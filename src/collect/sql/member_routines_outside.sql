-- Routines that became members of an extension outside of its script: a platform's event trigger creates one during
-- CREATE EXTENSION (graphql_public.graphql). Their schema is neither the extension's nor a member of any extension.
SELECT pg_catalog.pg_get_functiondef(p.oid), i.identity, n.nspname::text, e.extname::text, r.rolname::text,
       -- NULL: the default ACL, never changed by GRANT or REVOKE.
       CASE WHEN p.proacl IS NOT NULL THEN ARRAY(
           SELECT pg_catalog.format('GRANT EXECUTE ON ROUTINE %s TO %s%s', i.identity,
                      CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname) END,
                      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
           FROM pg_catalog.aclexplode(p.proacl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
           WHERE a.grantee <> p.proowner AND (a.grantee = 0 OR g.oid IS NOT NULL) ORDER BY 1) END
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_proc p ON p.oid = d.objid
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
JOIN pg_catalog.pg_roles r ON r.oid = p.proowner
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
WHERE d.deptype = 'e' AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  AND p.prokind IN ('f', 'p') AND l.lanname IN ('sql', 'plpgsql') AND p.pronamespace <> e.extnamespace AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend s WHERE s.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                  AND s.objid = n.oid AND s.deptype = 'e')
ORDER BY i.identity
