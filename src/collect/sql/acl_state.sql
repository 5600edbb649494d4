-- Every object that can have an ACL, with its complete ACL as rows of [grantee, grantor, privileges]; NULL is the
-- default. For members of extensions also the owner, which no dump holds.
-- All of it from the snapshot's own rows. System objects are listed only where they differ from initdb (pg_init_privs).
WITH space AS (
    SELECT n.oid, n.nspname, n.nspowner, n.nspacl, n.nspname IN ('pg_catalog', 'information_schema') AS of_system
    FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_(toast|temp)'
), object AS (
    SELECT 2 AS rank, 'schema' AS kind, 'pg_catalog.pg_namespace'::regclass AS classid, oid, 0 AS subid,
           ARRAY[pg_catalog.quote_ident(nspname)] AS name, nspacl AS acl, nspowner AS owner, of_system
    FROM space
    UNION ALL
    SELECT 3, 'language', 'pg_catalog.pg_language'::regclass, oid, 0, ARRAY[lanname::text], lanacl, lanowner, true
    FROM pg_catalog.pg_language
    UNION ALL
    SELECT 4, 'type', 'pg_catalog.pg_type'::regclass, t.oid, 0,
           ARRAY[pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(t.typname)], t.typacl, t.typowner, s.of_system
    FROM pg_catalog.pg_type t
    JOIN space s ON s.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    WHERE t.typtype NOT IN ('m', 'p') AND (t.typrelid = 0 OR c.relkind = 'c' OR t.typacl IS NOT NULL)
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 5, 'foreign data wrapper', 'pg_catalog.pg_foreign_data_wrapper'::regclass, oid, 0, ARRAY[fdwname::text], fdwacl, fdwowner, false
    FROM pg_catalog.pg_foreign_data_wrapper
    UNION ALL
    SELECT 6, 'server', 'pg_catalog.pg_foreign_server'::regclass, oid, 0, ARRAY[srvname::text], srvacl, srvowner, false
    FROM pg_catalog.pg_foreign_server
    UNION ALL
    SELECT 7, 'relation', 'pg_catalog.pg_class'::regclass, c.oid, 0,
           ARRAY[pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname)], c.relacl, c.relowner, s.of_system
    FROM pg_catalog.pg_class c
    JOIN space s ON s.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    UNION ALL
    SELECT 8, 'column', 'pg_catalog.pg_class'::regclass, c.oid, a.attnum,
           ARRAY[pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(c.relname), a.attname::text], a.attacl, c.relowner, s.of_system
    FROM pg_catalog.pg_attribute a
    JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    JOIN space s ON s.oid = c.relnamespace
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    UNION ALL
    SELECT 9, 'routine', 'pg_catalog.pg_proc'::regclass, p.oid, 0,
           ARRAY[pg_catalog.quote_ident(s.nspname) || '.' || pg_catalog.quote_ident(p.proname) || '(' || coalesce((
               SELECT string_agg(pg_catalog.format_type(u.t, NULL), ',' ORDER BY u.i)
               FROM unnest(p.proargtypes) WITH ORDINALITY u (t, i)), '') || ')'], p.proacl, p.proowner, s.of_system
    FROM pg_catalog.pg_proc p
    JOIN space s ON s.oid = p.pronamespace
    WHERE NOT s.of_system OR p.proacl IS NOT NULL
    UNION ALL
    SELECT 10, 'large object', 'pg_catalog.pg_largeobject_metadata'::regclass, oid, 0, ARRAY[oid::text], lomacl, lomowner, false
    FROM pg_catalog.pg_largeobject_metadata
)
SELECT o.kind, o.name, member.extension IS NOT NULL AS optional, entries.acl::text,
       CASE WHEN member.extension IS NOT NULL AND o.kind IN ('schema', 'type', 'relation', 'routine') THEN r.rolname::text END AS owner
FROM object o
JOIN pg_catalog.pg_roles r ON r.oid = o.owner
LEFT JOIN pg_catalog.pg_init_privs i ON i.classoid = o.classid AND i.objoid = o.oid AND i.objsubid = o.subid
LEFT JOIN LATERAL (
    SELECT d.refobjid AS extension FROM pg_catalog.pg_depend d
    WHERE d.classid = o.classid AND d.objid = o.oid AND d.deptype = 'e' LIMIT 1) member ON true
LEFT JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_array(e.grantee, e.grantor, e.privileges) ORDER BY e.grantee, e.grantor), '[]') AS acl
    FROM (
        SELECT CASE WHEN x.grantee = 0 THEN 'public' WHEN x.grantee = o.owner THEN 'pg_object_owner' ELSE g.rolname END AS grantee,
               CASE WHEN x.grantor = o.owner THEN 'pg_object_owner' ELSE b.rolname END AS grantor,
               string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ',' ORDER BY x.privilege_type) AS privileges
        FROM pg_catalog.aclexplode(o.acl) x
        LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
        LEFT JOIN pg_catalog.pg_roles b ON b.oid = x.grantor
        WHERE (x.grantee = 0 OR g.oid IS NOT NULL) AND b.oid IS NOT NULL
        GROUP BY 1, 2) e
    WHERE o.acl IS NOT NULL) entries ON o.acl IS NOT NULL
WHERE NOT o.of_system OR o.acl IS DISTINCT FROM i.initprivs
ORDER BY o.rank, o.name
