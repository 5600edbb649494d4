-- Routines of extensions that are SECURITY DEFINER or have settings. Platforms alter those of pg_net in this way.
SELECT CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, i.identity, p.prosecdef, p.proconfig
FROM pg_catalog.pg_depend d
JOIN pg_catalog.pg_proc p ON p.oid = d.objid
CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
WHERE d.deptype = 'e' AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
  AND p.prokind <> 'a' AND (p.prosecdef OR p.proconfig IS NOT NULL)
ORDER BY i.identity
