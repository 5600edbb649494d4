-- Row security policies in all schemas, including those on tables of extensions.
SELECT 'POLICY'::text, n.nspname::text, format('%I on %I.%I', p.polname, n.nspname, c.relname),
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
           'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                   WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'TO ' || (SELECT string_agg(CASE WHEN o.oid = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, ', '
                                       ORDER BY o.oid <> 0, r.rolname)
                     FROM unnest(p.polroles) o(oid) LEFT JOIN pg_roles r ON r.oid = o.oid),
           'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
           'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
       NULL::text, e.extname::text, 'pg_policy'::regclass::oid, p.oid, 0
FROM pg_policy p
JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
