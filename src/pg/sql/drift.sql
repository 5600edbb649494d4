-- One hash an object, over the columns that deparsing (pg_get_*def, format_type) and reading depend on. Parts of an
-- object count for the object that they hang on. Objects of the server's own are left out, and so is what does not
-- matter here: privileges, statistics, function bodies (they are read under the snapshot itself), and a refreshed
-- materialized view (its rows are in no dump, only that it is to be refreshed).
WITH ns AS (
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), rel AS (
    SELECT c.* FROM pg_class c JOIN ns ON ns.oid = c.relnamespace WHERE c.oid >= 16384 AND c.relpersistence <> 't'
), part (catalog, oid, h) AS (
    SELECT 'pg_namespace', n.oid, hashtextextended(n.nspname, 0) FROM pg_namespace n WHERE n.nspname !~ '^pg_'
    UNION ALL
    SELECT 'pg_class', c.oid, hashtextextended(concat_ws(' ', c.relname, c.relnamespace, c.relkind,
        CASE WHEN c.relkind = 'r' THEN c.relfilenode END), 0)
    FROM rel c
    UNION ALL
    SELECT 'pg_attribute', a.attrelid, sum(hashtextextended(concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod,
        a.attisdropped, a.attgenerated, a.attidentity, a.attcollation), 0)) FROM pg_attribute a
    WHERE a.attnum > 0 AND a.attrelid IN (SELECT oid FROM rel) GROUP BY a.attrelid
    UNION ALL
    SELECT 'pg_attrdef', d.adrelid, sum(hashtextextended(d.adnum || ' ' || d.adbin::text, 0)) FROM pg_attrdef d
    WHERE d.adrelid IN (SELECT oid FROM rel) GROUP BY d.adrelid
    UNION ALL
    SELECT 'pg_type', t.oid, hashtextextended(concat_ws(' ', t.typname, t.typnamespace, t.typtype, t.typbasetype, t.typtypmod,
        t.typnotnull, t.typdefault), 0) FROM pg_type t JOIN ns ON ns.oid = t.typnamespace WHERE t.oid >= 16384
    UNION ALL
    SELECT 'pg_enum', v.enumtypid, sum(hashtextextended(concat_ws(' ', v.enumsortorder, v.enumlabel), 0)) FROM pg_enum v GROUP BY v.enumtypid
    UNION ALL
    SELECT 'pg_proc', p.oid, hashtextextended(concat_ws(' ', p.proname, p.pronamespace, p.prokind, p.proargtypes::text, p.prorettype,
        p.proretset, p.proallargtypes::text, p.proargmodes::text, p.proargnames::text, regexp_replace(p.proargdefaults::text, ':location -?[0-9]+', '', 'g'),
        /*pg14+*/ regexp_replace(p.prosqlbody::text, ':location -?[0-9]+', '', 'g') /*else*/ NULL /*end*/), 0)
    FROM pg_proc p JOIN ns ON ns.oid = p.pronamespace WHERE p.oid >= 16384
    UNION ALL
    SELECT 'pg_constraint', k.oid, hashtextextended(concat_ws(' ', k.conname, k.connamespace, k.contype, k.condeferrable, k.condeferred,
        k.convalidated, k.conrelid, k.contypid, k.conindid, k.confrelid, k.confupdtype, k.confdeltype, k.confmatchtype,
        k.conkey::text, k.confkey::text, k.conexclop::text, k.conbin::text), 0)
    FROM pg_constraint k JOIN ns ON ns.oid = k.connamespace WHERE k.oid >= 16384
    UNION ALL
    SELECT 'pg_index', i.indexrelid, hashtextextended(concat_ws(' ', i.indrelid, i.indisunique, i.indisprimary, i.indisvalid, i.indisready,
        i.indkey::text, i.indcollation::text, i.indclass::text, i.indoption::text, i.indexprs::text, i.indpred::text), 0)
    FROM pg_index i WHERE i.indrelid IN (SELECT oid FROM rel)
    UNION ALL
    SELECT 'pg_trigger', t.oid, hashtextextended(concat_ws(' ', t.tgname, t.tgrelid, t.tgfoid, t.tgtype, t.tgdeferrable,
        t.tginitdeferred, t.tgattr::text, encode(t.tgargs, 'hex'), t.tgqual::text, t.tgoldtable, t.tgnewtable), 0)
    FROM pg_trigger t WHERE t.tgrelid IN (SELECT oid FROM rel) AND NOT t.tgisinternal
    UNION ALL
    SELECT 'pg_rewrite', w.oid, hashtextextended(concat_ws(' ', w.rulename, w.ev_class, w.ev_type, w.is_instead,
        w.ev_qual::text, w.ev_action::text), 0)
    FROM pg_rewrite w WHERE w.ev_class IN (SELECT oid FROM rel)
    UNION ALL
    SELECT 'pg_policy', p.oid, hashtextextended(concat_ws(' ', p.polname, p.polrelid, p.polcmd, p.polpermissive, p.polroles::text,
        p.polqual::text, p.polwithcheck::text), 0) FROM pg_policy p
    UNION ALL
    SELECT 'pg_authid', r.oid, hashtextextended(r.rolname, 0) FROM pg_roles r
    UNION ALL
    SELECT 'pg_collation', c.oid, hashtextextended(concat_ws(' ', c.collname, c.collnamespace), 0)
    FROM pg_collation c WHERE c.oid >= 16384
    UNION ALL
    SELECT 'pg_operator', o.oid, hashtextextended(concat_ws(' ', o.oprname, o.oprnamespace, o.oprleft, o.oprright, o.oprresult, o.oprcode::oid), 0)
    FROM pg_operator o WHERE o.oid >= 16384
    UNION ALL
    SELECT 'pg_opclass', o.oid, hashtextextended(concat_ws(' ', o.opcname, o.opcnamespace), 0) FROM pg_opclass o WHERE o.oid >= 16384
    UNION ALL
    SELECT 'pg_statistic_ext', s.oid, hashtextextended(concat_ws(' ', s.stxname, s.stxnamespace, s.stxrelid, s.stxkeys::text, s.stxkind::text,
        /*pg14+*/ s.stxexprs::text /*else*/ NULL /*end*/), 0) FROM pg_statistic_ext s
    UNION ALL
    SELECT 'pg_ts_config', c.oid, hashtextextended(concat_ws(' ', c.cfgname, c.cfgnamespace), 0) FROM pg_ts_config c WHERE c.oid >= 16384
    UNION ALL
    SELECT 'pg_ts_dict', d.oid, hashtextextended(concat_ws(' ', d.dictname, d.dictnamespace), 0) FROM pg_ts_dict d WHERE d.oid >= 16384
)
