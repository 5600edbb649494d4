-- Number of TOC entries per kind that pg_dump's rules select for this database. $1: tables, views and sequences whose
-- data is excluded on purpose; $2: the client's major version. The rules are those of pg_dump.c (selectDumpable*(),
-- checkExtensionMembership(), get*()) and of pg_dump_sort.c (repair*Loop(): entries split off to break a cycle).
WITH RECURSIVE ext AS (
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
), ns AS (
    SELECT n.oid, n.nspname, n.nspowner FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), rel AS (
    SELECT c.oid, c.relkind, c.relispartition, c.relispopulated, c.relrowsecurity, c.relpersistence
    FROM pg_class c JOIN ns ON ns.oid = c.relnamespace
    WHERE c.relpersistence <> 't' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT EXISTS (SELECT 1 FROM ext WHERE ext.classid = 'pg_class'::regclass AND ext.objid = c.oid)
), typ AS (
    SELECT t.oid, t.typtype, t.typinput, t.typisdefined FROM pg_type t JOIN ns ON ns.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE (t.typrelid = 0 OR c.relkind = 'c') AND t.typtype <> 'm'
      AND NOT EXISTS (SELECT 1 FROM pg_type el WHERE el.oid = t.typelem AND el.typarray = t.oid)
      AND NOT EXISTS (SELECT 1 FROM ext WHERE ext.classid = 'pg_type'::regclass AND ext.objid = t.oid)
), def AS (
    SELECT a.attrelid, a.attnum, a.attname, a.attgenerated, d.oid, rel.relkind,
           a.attislocal OR rel.relispartition AS printed
    FROM pg_attribute a JOIN rel ON rel.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND rel.relkind IN ('r', 'p', 'f', 'v')
), apart AS (
    -- Parts that pg_dump may have to split off from their table, domain or view to break a dependency cycle.
    SELECT 'pg_attrdef'::regclass::oid AS classid, def.oid AS objid, 'pg_class'::regclass::oid AS homeclass, def.attrelid AS home
    FROM def WHERE def.oid IS NOT NULL AND def.relkind <> 'v' AND def.printed AND def.attgenerated = ''
    UNION ALL
    SELECT 'pg_constraint'::regclass, k.oid, CASE WHEN k.conrelid <> 0 THEN 'pg_class'::regclass ELSE 'pg_type'::regclass END,
           CASE WHEN k.conrelid <> 0 THEN k.conrelid ELSE k.contypid END
    FROM pg_constraint k
    WHERE k.contype = 'c' AND k.conislocal AND k.convalidated
      AND (k.conrelid IN (SELECT oid FROM rel) OR k.contypid IN (SELECT oid FROM typ))
    UNION ALL
    SELECT 'pg_rewrite'::regclass, w.oid, 'pg_class'::regclass, w.ev_class
    FROM pg_rewrite w JOIN rel ON rel.oid = w.ev_class AND rel.relkind = 'v'
    WHERE w.ev_type = '1' AND w.is_instead
), reach AS (
    SELECT a.classid AS fromclass, a.objid AS fromid, a.homeclass, a.home, d.refclassid AS classid, d.refobjid AS objid
    FROM apart a JOIN pg_depend d ON d.classid = a.classid AND d.objid = a.objid
    WHERE d.deptype NOT IN ('p', 'e') AND d.refobjid >= 16384 AND d.refclassid <> 'pg_namespace'::regclass
      AND NOT (d.refclassid = a.homeclass AND d.refobjid = a.home)
    UNION
    SELECT r.fromclass, r.fromid, r.homeclass, r.home, d.refclassid, d.refobjid
    FROM reach r CROSS JOIN LATERAL (
        SELECT x.refclassid, x.refobjid FROM pg_depend x
        WHERE x.classid = r.classid AND x.objid = r.objid AND x.deptype NOT IN ('p', 'e')
          AND x.refobjid >= 16384 AND x.refclassid <> 'pg_namespace'::regclass
        UNION ALL
        SELECT 'pg_rewrite'::regclass, w.oid FROM pg_rewrite w
        WHERE r.classid = 'pg_class'::regclass AND w.ev_class = r.objid AND w.ev_type = '1' AND w.is_instead) d
    WHERE NOT (r.classid = r.homeclass AND r.objid = r.home)
), split AS (
    SELECT DISTINCT fromclass, fromid FROM reach WHERE classid = homeclass AND objid = home
    UNION
    -- A view with GROUP BY on a primary key depends on that key, which is restored after the data.
    SELECT a.classid, a.objid FROM apart a
    JOIN pg_depend d ON d.classid = a.classid AND d.objid = a.objid AND d.refclassid = 'pg_constraint'::regclass
    JOIN pg_constraint k ON k.oid = d.refobjid AND k.contype IN ('p', 'u', 'x')
    WHERE a.classid = 'pg_rewrite'::regclass
), idx AS (
    SELECT i.indexrelid, EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid
                                 AND k.contype IN ('p', 'u', 'x')) AS made
    FROM pg_index i JOIN rel ON rel.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid
    WHERE rel.relkind IN ('r', 'p', 'm') AND (i.indisvalid OR rel.relkind = 'p') AND i.indisready
), config AS (
    SELECT DISTINCT c.oid, c.relkind, c.relpersistence FROM pg_extension e JOIN pg_class c ON c.oid = ANY (e.extconfig) WHERE e.oid >= 16384
), dat AS (
    SELECT d.oid, d.relkind FROM (SELECT oid, relkind, relpersistence FROM rel UNION SELECT oid, relkind, relpersistence FROM config) d
    WHERE d.oid <> ALL ($1::oid[]) AND NOT (d.relpersistence = 'u' AND d.relkind = 'r' AND pg_is_in_recovery())
), blob AS (
    SELECT count(*) AS n FROM pg_largeobject_metadata GROUP BY lomowner, lomacl::text
), part (kind, classid, objid, nsp, made) AS (
    -- Objects that pg_dump dumps unless they are built in, in a system schema, or members of an extension.
    SELECT 'EXTENSION', 'pg_extension'::regclass, e.oid, NULL::oid, e.oid >= 16384 FROM pg_extension e
    UNION ALL SELECT CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
        'pg_proc'::regclass, p.oid, p.pronamespace, NOT EXISTS (SELECT 1 FROM pg_depend d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'i') FROM pg_proc p
    UNION ALL SELECT 'PROCEDURAL LANGUAGE', 'pg_language'::regclass, l.oid, NULL, l.lanispl AND l.oid >= 16384 FROM pg_language l
    UNION ALL SELECT 'CAST', 'pg_cast'::regclass, c.oid, NULL, c.oid >= 16384 /*pg14+*/ AND NOT EXISTS (SELECT 1 FROM pg_range g
        WHERE g.rngtypid = c.castsource AND g.rngmultitypid = c.casttarget) /*else*/ /*end*/ FROM pg_cast c
    UNION ALL SELECT 'TRANSFORM', 'pg_transform'::regclass, t.oid, NULL, t.oid >= 16384 FROM pg_transform t
    UNION ALL SELECT 'OPERATOR', 'pg_operator'::regclass, o.oid, o.oprnamespace, o.oprcode <> 0 FROM pg_operator o
    UNION ALL SELECT 'OPERATOR CLASS', 'pg_opclass'::regclass, o.oid, o.opcnamespace, true FROM pg_opclass o
    UNION ALL SELECT 'OPERATOR FAMILY', 'pg_opfamily'::regclass, o.oid, o.opfnamespace, true FROM pg_opfamily o
    UNION ALL SELECT 'ACCESS METHOD', 'pg_am'::regclass, a.oid, NULL, a.oid >= 16384 FROM pg_am a
    UNION ALL SELECT 'COLLATION', 'pg_collation'::regclass, c.oid, c.collnamespace, true FROM pg_collation c
    UNION ALL SELECT 'CONVERSION', 'pg_conversion'::regclass, c.oid, c.connamespace, true FROM pg_conversion c
    UNION ALL SELECT 'TEXT SEARCH PARSER', 'pg_ts_parser'::regclass, t.oid, t.prsnamespace, true FROM pg_ts_parser t
    UNION ALL SELECT 'TEXT SEARCH TEMPLATE', 'pg_ts_template'::regclass, t.oid, t.tmplnamespace, true FROM pg_ts_template t
    UNION ALL SELECT 'TEXT SEARCH DICTIONARY', 'pg_ts_dict'::regclass, t.oid, t.dictnamespace, true FROM pg_ts_dict t
    UNION ALL SELECT 'TEXT SEARCH CONFIGURATION', 'pg_ts_config'::regclass, t.oid, t.cfgnamespace, true FROM pg_ts_config t
    UNION ALL SELECT 'FOREIGN DATA WRAPPER', 'pg_foreign_data_wrapper'::regclass, w.oid, NULL, true FROM pg_foreign_data_wrapper w
    UNION ALL SELECT 'SERVER', 'pg_foreign_server'::regclass, s.oid, NULL, true FROM pg_foreign_server s
    UNION ALL SELECT 'EVENT TRIGGER', 'pg_event_trigger'::regclass, t.oid, NULL, true FROM pg_event_trigger t
    UNION ALL SELECT 'PUBLICATION', 'pg_publication'::regclass, p.oid, NULL, true FROM pg_publication p
    UNION ALL SELECT 'STATISTICS', 'pg_statistic_ext'::regclass, s.oid, s.stxnamespace, s.stxrelid IN (SELECT oid FROM rel) FROM pg_statistic_ext s
), counted (kind, n) AS (
    SELECT part.kind, count(*) FROM part
    WHERE part.made AND (part.nsp IS NULL OR part.nsp IN (SELECT oid FROM ns))
      AND NOT EXISTS (SELECT 1 FROM ext WHERE ext.classid = part.classid AND ext.objid = part.objid) GROUP BY part.kind
    -- CREATE SCHEMA public would fail; since 15 it has an entry if its owner is not the default one.
    UNION ALL SELECT 'SCHEMA', count(*) FROM ns
    WHERE NOT EXISTS (SELECT 1 FROM ext WHERE ext.classid = 'pg_namespace'::regclass AND ext.objid = ns.oid)
      AND (ns.nspname <> 'public' OR ($2::int4 >= 15 AND ns.nspowner <> /*pg15+*/ 6171 /*else*/ 10 /*end*/))
    UNION ALL SELECT CASE typ.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, count(*) FROM typ GROUP BY 1
    UNION ALL SELECT 'SHELL TYPE', count(*) FROM typ LEFT JOIN pg_range g ON g.rngtypid = typ.oid
    WHERE (typ.typtype = 'b' AND typ.typisdefined) OR g.rngcanonical <> 0
    UNION ALL SELECT CASE rel.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
                          WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, count(*) FROM rel GROUP BY 1
    UNION ALL SELECT 'SEQUENCE OWNED BY', count(*) FROM rel JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = rel.oid
        AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a' AND d.refobjsubid > 0
    WHERE rel.relkind = 'S' AND d.refobjid IN (SELECT oid FROM rel)
    UNION ALL SELECT CASE dat.relkind WHEN 'S' THEN 'SEQUENCE SET' ELSE 'TABLE DATA' END, count(*) FROM dat
    WHERE dat.relkind IN ('r', 'S') GROUP BY 1
    UNION ALL SELECT 'MATERIALIZED VIEW DATA', count(*) FROM rel
    WHERE rel.relkind = 'm' AND rel.relispopulated AND rel.oid <> ALL ($1::oid[])
    UNION ALL SELECT 'TABLE ATTACH', count(*) FROM rel WHERE rel.relispartition
    UNION ALL SELECT 'ROW SECURITY', count(*) FROM rel WHERE rel.relrowsecurity AND rel.relkind IN ('r', 'p')
    UNION ALL SELECT 'POLICY', count(*) FROM pg_policy p WHERE p.polrelid IN (SELECT oid FROM rel)
    UNION ALL SELECT CASE WHEN idx.made THEN 'CONSTRAINT' ELSE 'INDEX' END, count(*) FROM idx GROUP BY 1
    -- Since 18 a NOT NULL constraint that is not validated is an entry of its own, restored after the data.
    UNION ALL SELECT 'CONSTRAINT', count(*) FROM pg_constraint k
    WHERE k.contype = 'n' AND NOT k.convalidated AND k.conislocal AND k.conrelid IN (SELECT oid FROM rel)
    UNION ALL SELECT 'INDEX ATTACH', count(*) FROM idx JOIN pg_inherits i ON i.inhrelid = idx.indexrelid
    UNION ALL SELECT 'FK CONSTRAINT', count(*) FROM pg_constraint k
    WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid IN (SELECT oid FROM rel)
    UNION ALL SELECT 'CHECK CONSTRAINT', count(*) FROM pg_constraint k
    WHERE k.contype = 'c' AND k.conislocal AND (k.conrelid IN (SELECT oid FROM rel) OR k.contypid IN (SELECT oid FROM typ))
      AND (NOT k.convalidated OR EXISTS (SELECT 1 FROM split s WHERE s.fromclass = 'pg_constraint'::regclass AND s.fromid = k.oid))
    UNION ALL SELECT 'DEFAULT', count(*) FROM def
    WHERE (def.relkind = 'v' AND def.oid IS NOT NULL)
       OR (def.relkind <> 'v' AND def.attgenerated = '' AND NOT def.printed AND (def.oid IS NOT NULL OR EXISTS (
            -- If the child dropped a default that its parent has, pg_dump writes DEFAULT NULL for the column.
            SELECT 1 FROM pg_inherits i JOIN def p ON p.attrelid = i.inhparent AND p.attname = def.attname
            WHERE i.inhrelid = def.attrelid AND p.oid IS NOT NULL AND p.attgenerated = '')))
       OR EXISTS (SELECT 1 FROM split s WHERE s.fromclass = 'pg_attrdef'::regclass AND s.fromid = def.oid)
    UNION ALL SELECT 'RULE', count(*) FROM pg_rewrite w JOIN rel ON rel.oid = w.ev_class
    WHERE NOT (rel.relkind IN ('v', 'm') AND w.ev_type = '1' AND w.is_instead)
       OR EXISTS (SELECT 1 FROM split s WHERE s.fromclass = 'pg_rewrite'::regclass AND s.fromid = w.oid)
    UNION ALL SELECT 'TRIGGER', count(*) FROM pg_trigger t
    /*pg13+*/ LEFT JOIN pg_trigger u ON u.oid = t.tgparentid
    WHERE ((NOT t.tgisinternal AND t.tgparentid = 0) OR t.tgenabled <> u.tgenabled) /*else*/ WHERE NOT t.tgisinternal /*end*/
      AND t.tgrelid IN (SELECT oid FROM rel)
    UNION ALL SELECT 'USER MAPPING', count(*) FROM pg_user_mappings m
    WHERE NOT EXISTS (SELECT 1 FROM ext WHERE ext.classid = 'pg_foreign_server'::regclass AND ext.objid = m.srvid)
    UNION ALL SELECT 'DEFAULT ACL', count(*) FROM pg_default_acl d
    WHERE d.defaclnamespace = 0 OR d.defaclnamespace IN (SELECT oid FROM ns)
    UNION ALL SELECT 'PUBLICATION TABLE', count(*) FROM pg_publication_rel m WHERE m.prrelid IN (SELECT oid FROM rel)
    /*pg15+*/ UNION ALL SELECT 'PUBLICATION TABLES IN SCHEMA', count(*) FROM pg_publication_namespace m
    WHERE m.pnnspid IN (SELECT oid FROM ns) /*else*/ /*end*/
    UNION ALL SELECT 'SUBSCRIPTION', count(*) FROM pg_subscription s
    WHERE current_setting('is_superuser')::bool AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
    -- Before 17: one entry per large object and one for all data. Since 17: groups of up to 1000 with equal owner and
    -- ACL.
    UNION ALL SELECT 'BLOB', coalesce(sum(n), 0) FROM blob WHERE $2::int4 < 17
    UNION ALL SELECT 'BLOBS', CASE WHEN $2::int4 < 17 THEN (count(*) > 0)::int ELSE coalesce(sum((n + 999) / 1000), 0) END FROM blob
    UNION ALL SELECT 'BLOB METADATA', coalesce(sum((n + 999) / 1000), 0) FROM blob WHERE $2::int4 >= 17
)
SELECT kind::text, sum(n)::int8 FROM counted GROUP BY kind HAVING sum(n) > 0 ORDER BY kind
