-- Names, definitions and comments of all objects of an SQL_ASCII database, as bytes; the caller checks whether they are
-- UTF-8.
SELECT convert_to(pg_describe_object(x.class, x.object, x.part), 'SQL_ASCII'), convert_to(x.said, 'SQL_ASCII')
FROM (
    SELECT 'pg_class'::regclass, c.oid, 0, c.relname::text FROM pg_class c
    UNION ALL SELECT 'pg_class'::regclass, a.attrelid, a.attnum, a.attname::text FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped
    UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspname::text FROM pg_namespace n
    UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0,
        concat_ws(' ', p.proname, p.prosrc, p.probin, array_to_string(p.proargnames, ' '), array_to_string(p.proconfig, ' '),
                  CASE WHEN p.prokind <> 'a' THEN pg_get_function_arguments(p.oid) END) FROM pg_proc p
    UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, concat_ws(' ', t.typname, t.typdefault) FROM pg_type t
    UNION ALL SELECT 'pg_type'::regclass, e.enumtypid, 0, e.enumlabel::text FROM pg_enum e
    UNION ALL SELECT 'pg_constraint'::regclass, k.oid, 0, concat_ws(' ', k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
    UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 0, pg_get_expr(d.adbin, d.adrelid) FROM pg_attrdef d
    UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 0, pg_get_triggerdef(t.oid) FROM pg_trigger t WHERE NOT t.tgisinternal
    UNION ALL SELECT 'pg_rewrite'::regclass, r.oid, 0, pg_get_ruledef(r.oid) FROM pg_rewrite r
    UNION ALL SELECT 'pg_policy'::regclass, p.oid, 0,
        concat_ws(' ', p.polname, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)) FROM pg_policy p
    UNION ALL SELECT 'pg_class'::regclass, i.indexrelid, 0, pg_get_indexdef(i.indexrelid) FROM pg_index i
    UNION ALL SELECT d.classoid::regclass, d.objoid, d.objsubid, d.description FROM pg_description d
) AS x (class, object, part, said)
WHERE x.object >= 16384
