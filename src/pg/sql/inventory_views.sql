-- Views and materialized views, with whether the latter are populated.
SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END,
       n.nspname::text, format('%I.%I', n.nspname, c.relname),
       concat_ws(' ', 'WITH (' || array_to_string(c.reloptions, ', ') || ')',
           (SELECT 'COLUMNS (' || string_agg(concat_ws(' ', quote_ident(a.attname),
                       format_type(a.atttypid, a.atttypmod), 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid)), ', '
                       ORDER BY a.attnum) || ')'
            FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
           'AS', pg_get_viewdef(c.oid),
           CASE WHEN c.relkind = 'm' THEN CASE WHEN c.relispopulated THEN 'WITH DATA' ELSE 'WITH NO DATA' END END,
           'TABLESPACE ' || quote_ident(ts.spcname)),
       r.rolname::text, e.extname::text, 'pg_class'::regclass::oid, c.oid, 0
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_roles r ON r.oid = c.relowner
LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
