-- Collations, conversions and text search.
WITH o AS (
    SELECT 'COLLATION'::text AS kind, 'pg_collation'::regclass AS classid, c.oid, c.collnamespace AS nsp, c.collowner AS owner,
           (to_jsonb(c) - ARRAY['oid', 'collname', 'collnamespace', 'collowner', 'collversion', 'collencoding'])::text AS definition
    FROM pg_collation c
    UNION ALL
    SELECT 'CONVERSION', 'pg_conversion'::regclass, c.oid, c.connamespace, c.conowner,
           concat_ws(' ', CASE WHEN c.condefault THEN 'DEFAULT' END, pg_encoding_to_char(c.conforencoding),
                     'TO', pg_encoding_to_char(c.contoencoding), 'FROM', c.conproc::text)
    FROM pg_conversion c
    UNION ALL
    SELECT 'TEXT SEARCH PARSER', 'pg_ts_parser'::regclass, p.oid, p.prsnamespace, NULL,
           concat_ws(' ', p.prsstart::text, p.prstoken::text, p.prsend::text, p.prsheadline::text, p.prslextype::text)
    FROM pg_ts_parser p
    UNION ALL
    SELECT 'TEXT SEARCH TEMPLATE', 'pg_ts_template'::regclass, t.oid, t.tmplnamespace, NULL,
           concat_ws(' ', t.tmplinit::text, t.tmpllexize::text)
    FROM pg_ts_template t
    UNION ALL
    SELECT 'TEXT SEARCH DICTIONARY', 'pg_ts_dict'::regclass, d.oid, d.dictnamespace, d.dictowner,
           concat_ws(' ', 'TEMPLATE', (SELECT format('%I.%I', tn.nspname, t.tmplname) FROM pg_ts_template t
                     JOIN pg_namespace tn ON tn.oid = t.tmplnamespace WHERE t.oid = d.dicttemplate),
               -- Names of options are stored as quote_all_identifiers had them.
               regexp_replace(d.dictinitoption, '(^|, )"([a-z_][a-z0-9_$]*)" = ', '\1\2 = ', 'g'))
    FROM pg_ts_dict d
    UNION ALL
    SELECT 'TEXT SEARCH CONFIGURATION', 'pg_ts_config'::regclass, c.oid, c.cfgnamespace, c.cfgowner,
           concat_ws(' ', 'PARSER', (SELECT format('%I.%I', pn.nspname, p.prsname) FROM pg_ts_parser p
                     JOIN pg_namespace pn ON pn.oid = p.prsnamespace WHERE p.oid = c.cfgparser),
               (SELECT string_agg(format('%s:%s.%s=%I.%I', m.maptokentype, m.mapseqno, '', dn.nspname, d.dictname), ' '
                                  ORDER BY m.maptokentype, m.mapseqno)
                FROM pg_ts_config_map m JOIN pg_ts_dict d ON d.oid = m.mapdict
                JOIN pg_namespace dn ON dn.oid = d.dictnamespace WHERE m.mapcfg = c.oid))
    FROM pg_ts_config c
)
SELECT o.kind, n.nspname::text, coalesce(i.identity, 'oid ' || o.oid), o.definition, r.rolname::text, e.extname::text,
       o.classid::oid, o.oid, 0
FROM o
JOIN pg_namespace n ON n.oid = o.nsp
CROSS JOIN LATERAL pg_identify_object(o.classid, o.oid, 0) i
LEFT JOIN pg_roles r ON r.oid = o.owner
LEFT JOIN pg_depend x ON x.classid = o.classid AND x.objid = o.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE o.oid >= 16384 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
