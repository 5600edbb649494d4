-- One row per table whose rows can change only through counted writes: filenode, write counters, and a hash of
-- everything that affects how the rows are read (number, name and type of each column, enum labels). Excluded are
-- tables
-- * with another access method, which may count differently;
-- * of pg_cron, whose launcher writes without reporting counts;
-- * with a column that shows another object's name (regclass, aclitem) or has a row type, directly or nested: its text
--   can change while the table does not.
WITH RECURSIVE columns AS (
    SELECT c.oid AS relation, a.attnum, a.attname::text AS name, a.atttypid, a.atttypmod, a.attgenerated
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_am m ON m.oid = c.relam AND m.amhandler = 'heap_tableam_handler'::regproc
    LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
                      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' AND e.extname = 'pg_cron')
), inside(root, typ) AS (
    SELECT DISTINCT atttypid, atttypid FROM columns WHERE atttypid IS NOT NULL
    UNION
    SELECT i.root, x.typ FROM inside i JOIN pg_type t ON t.oid = i.typ
    CROSS JOIN LATERAL (SELECT t.typelem UNION ALL SELECT t.typbasetype
                        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)) x(typ)
    WHERE x.typ <> 0
), types AS (
    SELECT i.root, string_agg(e.labels, ',' ORDER BY i.typ) AS labels,
           bool_or(t.oid IS NULL OR t.typtype NOT IN ('b', 'd', 'e', 'r', 'm')
                   OR (t.typnamespace = 'pg_catalog'::regnamespace AND t.typname ~ '^(reg|_?aclitem)')) AS names_others
    FROM inside i LEFT JOIN pg_type t ON t.oid = i.typ
    LEFT JOIN (SELECT enumtypid, string_agg(concat_ws(' ', oid, octet_length(enumlabel::text), enumlabel), ',' ORDER BY oid) AS labels
               FROM pg_enum GROUP BY enumtypid) e ON e.enumtypid = i.typ
    GROUP BY i.root
), layouts AS (
    SELECT c.relation, string_agg(
               concat_ws(' ', c.attnum, octet_length(c.name), c.name, c.atttypid, c.atttypmod, c.attgenerated, t.labels),
               ',' ORDER BY c.attnum) AS text
    FROM columns c LEFT JOIN types t ON t.root = c.atttypid
    GROUP BY c.relation HAVING bool_or(t.names_others) IS NOT TRUE
)
SELECT l.relation, pg_relation_filenode(l.relation), pg_stat_get_tuples_inserted(l.relation),
       pg_stat_get_tuples_updated(l.relation), pg_stat_get_tuples_deleted(l.relation),
       left(encode(sha256(convert_to(l.text, getdatabaseencoding())), 'hex'), 32)
FROM layouts l
