-- One hash per object that changes whenever its catalog row is written. It includes xmin, so that a change that was
-- reverted before the check is noticed too. Rows of parts count for the object they belong to. Excluded: built-in and
-- temporary objects, statistics (updated in place), and the effect of REFRESH MATERIALIZED VIEW (no dump contains the
-- view's rows, only the REFRESH). pg_roles does not show xmin: only role names are compared.
WITH ns AS (
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), rel AS (
    SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.xmin AS written,
           c.relkind = 'm' OR c.oid IN (SELECT i.indexrelid FROM pg_index i JOIN pg_class m ON m.oid = i.indrelid WHERE m.relkind = 'm') AS refreshed
    FROM pg_class c JOIN ns ON ns.oid = c.relnamespace WHERE c.oid >= 16384 AND c.relpersistence <> 't'
), part (catalog, oid, h) AS (
    SELECT 'pg_namespace', n.oid, hashtextextended(concat_ws(' ', n.nspname, n.xmin), 0) FROM pg_namespace n WHERE n.nspname !~ '^pg_'
    UNION ALL
    SELECT 'pg_class', c.oid, hashtextextended(concat_ws(' ', c.relname, c.relnamespace, c.relkind, CASE WHEN NOT c.refreshed THEN c.written END), 0)
    FROM rel c
    UNION ALL
    SELECT 'pg_attribute', a.attrelid, sum(hashtextextended(concat_ws(' ', a.attnum, a.xmin), 0)) FROM pg_attribute a
    WHERE a.attnum > 0 AND a.attrelid IN (SELECT oid FROM rel) GROUP BY a.attrelid
    UNION ALL
    SELECT 'pg_attrdef', d.adrelid, sum(hashtextextended(concat_ws(' ', d.adnum, d.xmin), 0)) FROM pg_attrdef d
    WHERE d.adrelid IN (SELECT oid FROM rel) GROUP BY d.adrelid
    UNION ALL
    SELECT 'pg_index', i.indexrelid, hashtextextended(concat_ws(' ', i.indrelid, i.indisvalid, CASE WHEN NOT c.refreshed THEN i.xmin END), 0)
    FROM pg_index i JOIN rel c ON c.oid = i.indexrelid
    UNION ALL
    SELECT 'pg_sequence', s.seqrelid, hashtextextended(s.xmin::text, 0) FROM pg_sequence s WHERE s.seqrelid IN (SELECT oid FROM rel)
    UNION ALL
    SELECT 'pg_trigger', t.oid, hashtextextended(t.xmin::text, 0) FROM pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM rel) AND NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_rewrite', w.oid, hashtextextended(w.xmin::text, 0) FROM pg_rewrite w WHERE w.ev_class IN (SELECT oid FROM rel)
    UNION ALL
    SELECT 'pg_type', t.oid, hashtextextended(t.xmin::text, 0) FROM pg_type t JOIN ns ON ns.oid = t.typnamespace WHERE t.oid >= 16384
    UNION ALL
    SELECT 'pg_proc', p.oid, hashtextextended(p.xmin::text, 0) FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'pg_constraint', k.oid, hashtextextended(k.xmin::text, 0) FROM pg_constraint k JOIN ns ON ns.oid = k.connamespace WHERE k.oid >= 16384
    UNION ALL
    SELECT 'pg_authid', r.oid, hashtextextended(r.rolname, 0) FROM pg_roles r
    UNION ALL
    -- Only large objects with a comment: inventory_comments.sql looks these up in the newest catalogs
    -- (pg_identify_object). Others are listed by OID only.
    SELECT 'pg_largeobject_metadata', l.oid, hashtextextended(l.xmin::text, 0) FROM pg_largeobject_metadata l
    WHERE EXISTS (SELECT FROM pg_description d WHERE d.classoid = 'pg_largeobject'::regclass AND d.objoid = l.oid)
    UNION ALL
    SELECT q.catalog, q.oid, hashtextextended(q.written::text, 0)
    FROM (SELECT 'pg_enum', oid, xmin FROM pg_enum
          UNION ALL SELECT 'pg_policy', oid, xmin FROM pg_policy
          UNION ALL SELECT 'pg_statistic_ext', oid, xmin FROM pg_statistic_ext
          UNION ALL SELECT 'pg_collation', oid, xmin FROM pg_collation
          UNION ALL SELECT 'pg_operator', oid, xmin FROM pg_operator
          UNION ALL SELECT 'pg_opclass', oid, xmin FROM pg_opclass
          UNION ALL SELECT 'pg_opfamily', oid, xmin FROM pg_opfamily
          UNION ALL SELECT 'pg_cast', oid, xmin FROM pg_cast
          UNION ALL SELECT 'pg_conversion', oid, xmin FROM pg_conversion
          UNION ALL SELECT 'pg_transform', oid, xmin FROM pg_transform
          UNION ALL SELECT 'pg_ts_config', oid, xmin FROM pg_ts_config
          UNION ALL SELECT 'pg_ts_dict', oid, xmin FROM pg_ts_dict
          UNION ALL SELECT 'pg_ts_parser', oid, xmin FROM pg_ts_parser
          UNION ALL SELECT 'pg_ts_template', oid, xmin FROM pg_ts_template
          UNION ALL SELECT 'pg_language', oid, xmin FROM pg_language
          UNION ALL SELECT 'pg_am', oid, xmin FROM pg_am
          UNION ALL SELECT 'pg_extension', oid, xmin FROM pg_extension
          UNION ALL SELECT 'pg_event_trigger', oid, xmin FROM pg_event_trigger
          UNION ALL SELECT 'pg_publication', oid, xmin FROM pg_publication
          UNION ALL SELECT 'pg_foreign_data_wrapper', oid, xmin FROM pg_foreign_data_wrapper
          UNION ALL SELECT 'pg_foreign_server', oid, xmin FROM pg_foreign_server) q(catalog, oid, written)
    WHERE q.oid >= 16384
)
