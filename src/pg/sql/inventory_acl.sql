-- The ACL of every object: one row per object with the full effective ACL (including the default), grantees in order.
-- Differences from the default are not enough: default privileges of a target add grants that the source never had
-- (R6).
WITH o AS (
    SELECT 'pg_class'::regclass AS classid, c.oid, 0 AS sub, n.nspname,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || format('%I.%I', n.nspname, c.relname) AS name,
           coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)) AS acl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_class'::regclass, c.oid, a.attnum, n.nspname, format('COLUMN %I.%I.%I', n.nspname, c.relname, a.attname), a.attacl
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, n.nspname,
           format('%s %I.%I(%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname, p.proname,
                  (SELECT string_agg(format_type(t.oid, NULL), ',' ORDER BY t.rank)
                   FROM unnest(p.proargtypes) WITH ORDINALITY t(oid, rank))),
           coalesce(p.proacl, acldefault('f', p.proowner))
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT 1 FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, 0, n.nspname, format('TYPE %I.%I', n.nspname, t.typname), coalesce(t.typacl, acldefault('T', t.typowner))
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    LEFT JOIN pg_class c ON c.oid = t.typrelid LEFT JOIN pg_type el ON el.oid = t.typelem
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND (t.typrelid = 0 OR c.relkind = 'c') AND t.typtype <> 'm' AND (el.typarray IS NULL OR el.typarray <> t.oid)
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspname, format('SCHEMA %I', n.nspname), coalesce(n.nspacl, acldefault('n', n.nspowner))
    FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_language'::regclass, l.oid, 0, NULL, format('LANGUAGE %I', l.lanname), coalesce(l.lanacl, acldefault('l', l.lanowner))
    FROM pg_language l WHERE l.lanispl
    UNION ALL
    SELECT 'pg_foreign_data_wrapper'::regclass, w.oid, 0, NULL, format('FOREIGN DATA WRAPPER %I', w.fdwname),
           coalesce(w.fdwacl, acldefault('F', w.fdwowner)) FROM pg_foreign_data_wrapper w
    UNION ALL
    SELECT 'pg_foreign_server'::regclass, s.oid, 0, NULL, format('FOREIGN SERVER %I', s.srvname),
           coalesce(s.srvacl, acldefault('S', s.srvowner)) FROM pg_foreign_server s
    UNION ALL
    SELECT 'pg_largeobject'::regclass, l.oid, 0, NULL, 'LARGE OBJECT ' || l.oid, l.lomacl
    FROM pg_largeobject_metadata l WHERE l.lomacl IS NOT NULL
    UNION ALL
    SELECT 'pg_database'::regclass, d.oid, 0, NULL, 'DATABASE', coalesce(d.datacl, acldefault('d', d.datdba))
    FROM pg_database d WHERE d.datname = current_database()
    UNION ALL
    -- ACLs of built-in objects that were changed after initdb. The order of ACL items has no meaning.
    SELECT 'pg_class'::regclass, c.oid, 0, n.nspname, 'TABLE ' || format('%I.%I', n.nspname, c.relname), c.relacl
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_init_privs ip ON ip.classoid = 'pg_class'::regclass AND ip.objoid = c.oid AND ip.objsubid = 0
    WHERE n.nspname IN ('pg_catalog', 'information_schema') AND c.relacl IS DISTINCT FROM ip.initprivs
        AND (c.relacl @> ip.initprivs AND c.relacl <@ ip.initprivs) IS NOT TRUE
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 0, n.nspname, 'FUNCTION ' || p.oid::regprocedure::text, p.proacl
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    LEFT JOIN pg_init_privs ip ON ip.classoid = 'pg_proc'::regclass AND ip.objoid = p.oid AND ip.objsubid = 0
    WHERE n.nspname IN ('pg_catalog', 'information_schema') AND p.proacl IS DISTINCT FROM ip.initprivs
        AND (p.proacl @> ip.initprivs AND p.proacl <@ ip.initprivs) IS NOT TRUE
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspname, format('SCHEMA %I', n.nspname), n.nspacl
    FROM pg_namespace n
    LEFT JOIN pg_init_privs ip ON ip.classoid = 'pg_namespace'::regclass AND ip.objoid = n.oid
    WHERE n.nspname IN ('pg_catalog', 'information_schema') AND n.nspacl IS DISTINCT FROM ip.initprivs
        AND (n.nspacl @> ip.initprivs AND n.nspacl <@ ip.initprivs) IS NOT TRUE
    /*pg15+*/
    UNION ALL
    SELECT 'pg_parameter_acl'::regclass, a.oid, 0, NULL, format('PARAMETER %I', a.parname), a.paracl FROM pg_parameter_acl a
    /*else*/ /*end*/
), grants AS (
    SELECT o.classid, o.oid, o.sub, o.nspname, o.name, g.grantee, g.grantor,
           string_agg(g.privilege_type || CASE WHEN g.is_grantable THEN '*' ELSE '' END, ',' ORDER BY g.privilege_type) AS privileges
    FROM o LEFT JOIN LATERAL aclexplode(o.acl) g ON true
    GROUP BY o.classid, o.oid, o.sub, o.nspname, o.name, g.grantee, g.grantor
)
SELECT 'ACL'::text, g.nspname::text, g.name,
       coalesce(string_agg(CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(ee.rolname) END || '=' || g.privileges
                           || '/' || quote_ident(er.rolname), E'\n'
                           ORDER BY g.grantee <> 0, ee.rolname, er.rolname), ''),
       NULL::text, min(e.extname)::text, g.classid::oid, g.oid, g.sub
FROM grants g
LEFT JOIN pg_roles ee ON ee.oid = g.grantee
LEFT JOIN pg_roles er ON er.oid = g.grantor
LEFT JOIN pg_depend x ON x.classid = g.classid AND x.objid = g.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
GROUP BY g.classid, g.oid, g.sub, g.nspname, g.name
