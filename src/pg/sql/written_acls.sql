-- Explicit ACLs that equal the default, as a GRANT and its REVOKE leave behind. Members of extensions are excluded:
-- their ACLs are compared with those that the extension's script set.
SELECT o.class, o.oid, o.name
FROM (
    SELECT 'pg_class'::regclass::oid AS class, c.oid,
           CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || format('%I.%I', n.nspname, c.relname) AS name,
           c.relacl AS acl, acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner) AS unwritten
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid, 'ROUTINE ' || p.oid::regprocedure::text, p.proacl, acldefault('f', p.proowner)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_type'::regclass, t.oid, format('TYPE %I.%I', n.nspname, t.typname), t.typacl, acldefault('T', t.typowner)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT 'pg_namespace'::regclass, n.oid, format('SCHEMA %I', n.nspname), n.nspacl, acldefault('n', n.nspowner)
    FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
) o
WHERE o.acl @> o.unwritten AND o.acl <@ o.unwritten
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')
ORDER BY o.name COLLATE "C"
