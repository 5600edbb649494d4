-- Extended statistics and procedural languages.
SELECT 'STATISTICS'::text, n.nspname::text, format('%I.%I', n.nspname, s.stxname),
       concat_ws(' ', pg_get_statisticsobjdef(s.oid), 'TARGET ' || nullif(to_jsonb(s) ->> 'stxstattarget', '-1')),
       r.rolname::text, e.extname::text, 'pg_statistic_ext'::regclass::oid, s.oid, 0
FROM pg_statistic_ext s
JOIN pg_namespace n ON n.oid = s.stxnamespace
LEFT JOIN pg_roles r ON r.oid = s.stxowner
LEFT JOIN pg_depend x ON x.classid = 'pg_statistic_ext'::regclass AND x.objid = s.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
UNION ALL
SELECT 'PROCEDURAL LANGUAGE', NULL, quote_ident(l.lanname),
       concat_ws(' ', CASE WHEN l.lanpltrusted THEN 'TRUSTED' END, 'HANDLER', l.lanplcallfoid::regprocedure::text,
           'INLINE ' || nullif(l.laninline, 0)::regprocedure::text, 'VALIDATOR ' || nullif(l.lanvalidator, 0)::regprocedure::text),
       r.rolname, e.extname, 'pg_language'::regclass::oid, l.oid, 0
FROM pg_language l
LEFT JOIN pg_roles r ON r.oid = l.lanowner
LEFT JOIN pg_depend x ON x.classid = 'pg_language'::regclass AND x.objid = l.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE l.lanispl
