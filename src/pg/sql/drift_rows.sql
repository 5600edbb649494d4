-- Catalog rows that the text of table rows depends on and that table locks do not protect: enum labels, attributes of
-- composite types, and names of objects shown by a column (regclass, regrole, aclitem), for all types that columns use,
-- directly or nested. Only names count: a changed privilege or function body does not affect any row.
WITH RECURSIVE used(typ) AS (
    SELECT DISTINCT a.atttypid FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND a.attnum > 0 AND NOT a.attisdropped
    UNION
    SELECT x.typ FROM used u JOIN pg_type t ON t.oid = u.typ
    CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype
                        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE /*pg14+*/ t.oid IN (r.rngtypid, r.rngmultitypid) /*else*/ t.oid = r.rngtypid /*end*/
                        UNION ALL SELECT a.atttypid FROM pg_attribute a
                                  WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x(typ)
    WHERE x.typ <> 0
), shows AS (
    SELECT coalesce(bool_or(t.typname ~ '^_?reg' AND t.typname !~ '^_?regrole$'), false) AS objects,
           coalesce(bool_or(t.typname ~ '^_?(regrole|aclitem)$'), false) AS roles
    FROM used u JOIN pg_type t ON t.oid = u.typ WHERE t.typnamespace = 'pg_catalog'::regnamespace
), part (catalog, oid, h) AS (
    SELECT 'pg_enum', e.oid, hashtextextended(concat_ws(' ', e.enumlabel, e.xmin), 0) FROM pg_enum e WHERE e.enumtypid IN (SELECT typ FROM used)
    UNION ALL
    SELECT 'pg_attribute', a.attrelid, sum(hashtextextended(concat_ws(' ', a.attnum, a.xmin), 0))
    FROM used u JOIN pg_type t ON t.oid = u.typ JOIN pg_attribute a ON a.attrelid = t.typrelid
    WHERE t.typtype = 'c' AND a.attnum > 0 GROUP BY a.attrelid
    UNION ALL
    SELECT 'pg_authid', r.oid, hashtextextended(r.rolname, 0) FROM pg_roles r, shows WHERE shows.roles
    UNION ALL
    SELECT q.catalog, q.oid, hashtextextended(concat_ws(' ', q.name, q.namespace, q.rest), 0)
    FROM shows, (SELECT 'pg_namespace', oid, nspname, NULL::oid, NULL::text FROM pg_namespace
          UNION ALL SELECT 'pg_class', oid, relname, relnamespace, NULL FROM pg_class WHERE relpersistence <> 't'
          UNION ALL SELECT 'pg_type', oid, typname, typnamespace, NULL FROM pg_type
          UNION ALL SELECT 'pg_proc', oid, proname, pronamespace, proargtypes::text FROM pg_proc
          UNION ALL SELECT 'pg_operator', oid, oprname, oprnamespace, NULL FROM pg_operator
          UNION ALL SELECT 'pg_collation', oid, collname, collnamespace, NULL FROM pg_collation
          UNION ALL SELECT 'pg_ts_config', oid, cfgname, cfgnamespace, NULL FROM pg_ts_config
          UNION ALL SELECT 'pg_ts_dict', oid, dictname, dictnamespace, NULL FROM pg_ts_dict) q(catalog, oid, name, namespace, rest)
    WHERE shows.objects AND q.oid >= 16384
      AND coalesce(q.namespace, q.oid) NOT IN (SELECT n.oid FROM pg_namespace n WHERE n.nspname ~ '^pg_(toast_)?temp')
)
