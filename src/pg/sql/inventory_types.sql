-- User-defined types and domains: no rowtypes of tables, no array types, no multirange types of a range.
SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, n.nspname::text, format('%I.%I', n.nspname, t.typname),
       CASE t.typtype
       WHEN 'e' THEN 'ENUM (' || coalesce((SELECT string_agg(quote_literal(v.enumlabel), ', ' ORDER BY v.enumsortorder)
                                           FROM pg_enum v WHERE v.enumtypid = t.oid), '') || ')'
       WHEN 'c' THEN 'COMPOSITE (' || coalesce((
                SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
                           CASE WHEN a.attcollation <> at.typcollation THEN 'COLLATE ' || (SELECT format('%I.%I', kn.nspname, k.collname) FROM pg_collation k JOIN pg_namespace kn ON kn.oid = k.collnamespace WHERE k.oid = a.attcollation) END),
                           ', ' ORDER BY a.attnum)
                FROM pg_attribute a JOIN pg_type at ON at.oid = a.atttypid
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
       WHEN 'r' THEN (SELECT concat_ws(' ', 'RANGE', 'SUBTYPE', format_type(g.rngsubtype, NULL),
                           'OPCLASS', (SELECT format('%I.%I', cn.nspname, oc.opcname) FROM pg_opclass oc
                                       JOIN pg_namespace cn ON cn.oid = oc.opcnamespace WHERE oc.oid = g.rngsubopc),
                           CASE WHEN g.rngcollation <> 0 THEN 'COLLATE ' || (SELECT format('%I.%I', kn.nspname, k.collname) FROM pg_collation k JOIN pg_namespace kn ON kn.oid = k.collnamespace WHERE k.oid = g.rngcollation) END,
                           'CANONICAL ' || nullif(g.rngcanonical::text, '-'), 'SUBDIFF ' || nullif(g.rngsubdiff::text, '-'),
                           /*pg14+*/ 'MULTIRANGE ' || format_type(g.rngmultitypid, NULL) /*else*/ NULL /*end*/)
                      FROM pg_range g WHERE g.rngtypid = t.oid)
       WHEN 'd' THEN concat_ws(' ', 'AS', format_type(t.typbasetype, t.typtypmod),
                           CASE WHEN t.typcollation <> b.typcollation THEN 'COLLATE ' || (SELECT format('%I.%I', kn.nspname, k.collname) FROM pg_collation k JOIN pg_namespace kn ON kn.oid = k.collnamespace WHERE k.oid = t.typcollation) END,
                           CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault))
       ELSE concat_ws(' ', CASE WHEN t.typisdefined THEN 'BASE' ELSE 'SHELL' END, 'INPUT', t.typinput::text, 'OUTPUT', t.typoutput::text,
                'RECEIVE ' || nullif(t.typreceive::text, '-'), 'SEND ' || nullif(t.typsend::text, '-'),
                'TYPMOD_IN ' || nullif(t.typmodin::text, '-'), 'TYPMOD_OUT ' || nullif(t.typmodout::text, '-'),
                'ANALYZE ' || nullif(t.typanalyze::text, '-'), /*pg14+*/ 'SUBSCRIPT ' || nullif(t.typsubscript::text, '-') /*else*/ NULL /*end*/,
                'LENGTH', t.typlen, 'BYVALUE', t.typbyval, 'ALIGN', t.typalign, 'STORAGE', t.typstorage,
                'CATEGORY', t.typcategory, 'PREFERRED', t.typispreferred, 'DELIMITER', t.typdelim,
                'COLLATABLE', t.typcollation <> 0, 'ELEMENT ' || CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END,
                'DEFAULT ' || coalesce(pg_get_expr(t.typdefaultbin, 0), t.typdefault))
       END,
       r.rolname::text, e.extname::text, 'pg_type'::regclass::oid, t.oid, 0
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid
LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_type el ON el.oid = t.typelem
LEFT JOIN pg_roles r ON r.oid = t.typowner
LEFT JOIN pg_depend x ON x.classid = 'pg_type'::regclass AND x.objid = t.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (t.typrelid = 0 OR c.relkind = 'c') AND t.typtype <> 'm' AND (el.typarray IS NULL OR el.typarray <> t.oid)
