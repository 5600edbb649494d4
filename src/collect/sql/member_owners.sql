-- Members of extensions that belong to a role that is no superuser: how to alter them, which, and to whom they belong.
-- Sequences of a column follow their table.
WITH member AS (
    SELECT d.classid, d.objid FROM pg_catalog.pg_depend d
    WHERE d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass
), owned AS (
    SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                          WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS alter_what,
           m.classid, m.objid, c.relowner AS owner
    FROM member m JOIN pg_catalog.pg_class c ON m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = m.objid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       OR (c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend s
           WHERE s.classid = m.classid AND s.objid = m.objid AND s.deptype IN ('a', 'i')))
    UNION ALL
    SELECT CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, m.classid, m.objid, p.proowner
    FROM member m JOIN pg_catalog.pg_proc p ON m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = m.objid
    UNION ALL
    SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, m.classid, m.objid, t.typowner
    FROM member m JOIN pg_catalog.pg_type t ON m.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = m.objid
    WHERE t.typtype IN ('d', 'e', 'r', 'b', 'c') AND t.typelem = 0
      AND (t.typrelid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c'))
)
SELECT o.alter_what, i.identity, r.rolname::text
FROM owned o
JOIN pg_catalog.pg_roles r ON r.oid = o.owner AND NOT r.rolsuper
CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, 0) i
ORDER BY o.alter_what DESC, i.identity
